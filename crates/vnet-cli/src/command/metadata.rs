//! `vnet metadata NETWORK URI`: the element of a program in the metadata of a network.

use std::path::Path;

use anyhow::Context;
use vnet_xml::network::MetadataPart;

use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::metadata::{Act, ImpactOption, Subject};
use crate::output::{Answer, FormatOption};

/// Show or change the element that a program keeps in the metadata of a network
///
/// Each program has a namespace, and a network at most one element of it. A network that runs is
/// not touched otherwise. Exit code 1 when the network has none.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network: its name or UUID; the URI of the namespace
    #[arg(value_name = "NETWORK URI", num_args = 0..=2)]
    words: Vec<String>,
    #[arg(long, value_name = "NETWORK", hide = true)]
    network: Option<String>,
    #[arg(long, value_name = "URI", hide = true)]
    uri: Option<String>,
    /// The new element: its text, a file, or `-` for stdin; needs --key
    #[arg(long, value_name = "XML", requires = "key", conflicts_with_all = ["edit", "remove"])]
    set: Option<String>,
    /// The prefix that the namespace gets
    #[arg(long)]
    key: Option<String>,
    /// Change it in $VISUAL, $EDITOR or vi; needs --key
    #[arg(long, requires = "key", conflicts_with = "remove")]
    edit: bool,
    /// Remove it
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    impact: ImpactOption,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Shows or changes it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let act = match &self.set {
            Some(xml) if xml.trim_start().starts_with('<') => Act::Set(Some(xml.clone())),
            Some(file) => {
                let document = Document::read(Path::new(file))?;
                Act::Set(Some(String::from_utf8(document.bytes).context("the element is not UTF-8")?))
            }
            None if self.edit => Act::Edit,
            None if self.remove => Act::Set(None),
            None => Act::Show,
        };
        let mut words = self.words.iter();
        let network = self.network.as_ref().or_else(|| words.next()).context("the network is missing")?;
        let uri = self.uri.as_ref().or_else(|| words.next()).context("the URI of the namespace is missing")?;
        if let Some(word) = words.next() {
            return Err(failure::advised(format!("`{word}` is one word too many"), "quote an element that has blanks"));
        }
        let part = MetadataPart::Element(uri.clone());
        let Self { key, impact, format, .. } = self;
        Subject { network, part, key: key.as_deref(), impact: *impact, format: *format }.run(act, directories)
    }
}
