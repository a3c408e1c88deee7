//! `vnet desc NETWORK [TEXT]` and `vnet title NETWORK [TEXT]`: what a network is for. virsh's
//! `net-desc` differs where the network has none: it says so, and that is no failure.

use anyhow::{Context, bail};
use vnet_xml::network::MetadataPart;

use crate::directories::Directories;
use crate::metadata::{Act, ImpactOption, Subject};
use crate::output::{Answer, FormatOption};

/// Show or change the description of a network
///
/// With a text, sets it; --remove, or an empty text, removes it. A network that runs is not
/// touched otherwise. Exit code 1 when the network has none.
#[derive(Debug, clap::Args)]
pub(crate) struct Desc {
    /// Show or change the title, which is one line
    #[arg(long)]
    title: bool,
    #[command(flatten)]
    args: Args,
}

/// Show or change the description of a network, as virsh does
///
/// As `desc`, but with exit code 0 when the network has none.
#[derive(Debug, clap::Args)]
pub(crate) struct NetDesc {
    #[command(flatten)]
    desc: Desc,
}

/// Show or change the title of a network, which is one line
///
/// With a text, sets it; --remove, or an empty text, removes it. A network that runs is not
/// touched otherwise. Exit code 1 when the network has none.
#[derive(Debug, clap::Args)]
pub(crate) struct Title {
    #[command(flatten)]
    args: Args,
}

#[derive(Debug, clap::Args)]
struct Args {
    /// The network: its name or UUID; then the new text, whose words are joined by blanks
    #[arg(value_name = "NETWORK TEXT")]
    words: Vec<String>,
    #[arg(long, value_name = "NETWORK", hide = true)]
    network: Option<String>,
    #[arg(long = "new-desc", value_name = "TEXT", hide = true, num_args = 1..)]
    text: Vec<String>,
    /// Change it in $VISUAL, $EDITOR or vi
    #[arg(long, conflicts_with = "text")]
    edit: bool,
    /// Remove it
    #[arg(long, conflicts_with_all = ["text", "edit"])]
    remove: bool,
    #[command(flatten)]
    impact: ImpactOption,
    #[command(flatten)]
    format: FormatOption,
}

impl Desc {
    /// Shows or changes it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        self.args.run(self.part(), Act::Show, directories)
    }

    fn part(&self) -> MetadataPart {
        if self.title { MetadataPart::Title } else { MetadataPart::Description }
    }
}

impl NetDesc {
    /// Shows or changes it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        self.desc.args.run(self.desc.part(), Act::ShowIfAny, directories)
    }
}

impl Title {
    /// Shows or changes it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        self.args.run(MetadataPart::Title, Act::Show, directories)
    }
}

impl Args {
    fn run(&self, part: MetadataPart, show: Act, directories: &Directories) -> anyhow::Result<Answer> {
        let (network, words) = match (&self.network, self.words.split_first()) {
            (Some(network), _) => (network, &self.words[..]),
            (None, words) => words.context("the network is missing")?,
        };
        let words: Vec<&str> = words.iter().chain(&self.text).map(String::as_str).collect();
        let act = match (self.edit, self.remove, words.is_empty()) {
            (true, _, false) => bail!("--edit takes no text"),
            (_, true, false) => bail!("--remove takes no text"),
            (true, _, true) => Act::Edit,
            (_, true, true) => Act::Set(None),
            (false, false, true) => show,
            (false, false, false) => Act::Set(Some(words.join(" "))),
        };
        let Self { impact, format, .. } = self;
        Subject { network, part, key: None, impact: *impact, format: *format }.run(act, directories)
    }
}
