//! `vnet render nft|dnsmasq|hosts FILE`: what would be installed.

use std::path::PathBuf;

use serde::Serialize;
use vnet_driver::Rendering;
use vnet_firewall::json::Json;

use crate::command::passt;
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::refuse;
use crate::output::{Answer, Format, FormatOption, note, plain, print_exact, print_json};

/// Print what would be installed for a network: nft rules, dnsmasq's configuration or its hosts files
///
/// The host is not looked at: where the definition leaves the bridge's name open, it is the first that its template
/// gives.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to print
    what: What,
    /// The definition; `-` is stdin
    file: PathBuf,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The rules, as `nft -f` loads them; with `--format json` as `nft -j -f` does
    Nft,
    /// dnsmasq's configuration
    Dnsmasq,
    /// The files that dnsmasq reads again: reservations, and names of addresses
    Hosts,
    /// The arguments of passt for a guest's interface, as `passt args`
    Passt,
}

#[derive(Serialize)]
struct Report {
    network: String,
    files: Vec<Rendered>,
}

#[derive(Serialize)]
struct Rendered {
    /// `None` for rules, which are in no file.
    path: Option<PathBuf>,
    text: String,
}

impl Args {
    /// Renders and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.what == What::Passt {
            return passt::args::Args::of(self.file.clone(), self.format).run(directories);
        }
        let checked = Checked::of_network(Document::read(&self.file)?);
        note(human(&checked))?;
        let Some(network) = checked.sound_network() else { return Ok(Answer::No) };
        let rendering = match directories.driver()?.render(network) {
            Ok(rendering) => rendering,
            Err(error) => return refuse(error),
        };
        if self.what == What::Nft && self.format.format == Format::Json {
            let objects = rendering.rules.map(|ruleset| ruleset.json().objects).unwrap_or_default();
            print_json(&Json { objects })?;
            return Ok(Answer::Yes);
        }
        let name = plain(&network.name);
        if self.what == What::Dnsmasq && rendering.is_idle {
            note(format!("dnsmasq has nothing to do for network `{name}` and is not started\n"))?;
        }
        let files = self.what.of(rendering);
        if files.is_empty() {
            note(format!("nothing would be installed for network `{name}`\n"))?;
        }
        match self.format.format {
            Format::Json => print_json(&Report { network: network.name.clone(), files })?,
            Format::Human => print_exact(&text(&files))?,
        }
        Ok(Answer::Yes)
    }
}

impl What {
    fn of(self, Rendering { rules, dnsmasq, hosts, .. }: Rendering) -> Vec<Rendered> {
        let rules = rules.map(|rules| Rendered { path: None, text: rules.to_string() });
        let files = match self {
            Self::Nft | Self::Passt => Vec::new(),
            Self::Dnsmasq => dnsmasq.into_iter().collect(),
            Self::Hosts => hosts,
        };
        let files =
            files.into_iter().map(|file| Rendered { path: Some(file.path), text: file.contents.unwrap_or_default() });
        let all = rules.filter(|_| self == Self::Nft).into_iter().chain(files);
        all.filter(|rendered| !rendered.text.is_empty()).collect()
    }
}

/// One text of all; several have their paths as comments.
fn text(files: &[Rendered]) -> String {
    let titled = |file: &Rendered| match &file.path {
        Some(path) if files.len() > 1 => format!("# {}\n{}", path.display(), file.text),
        _ => file.text.clone(),
    };
    files.iter().map(titled).collect()
}
