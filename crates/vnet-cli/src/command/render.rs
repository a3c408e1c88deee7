//! `vnet render nft|dnsmasq|hosts FILE`: prints what would be installed.

use std::path::PathBuf;

use serde::Serialize;
use vnet_firewall::json::Json;

use crate::command::passt;
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::refuse;
use crate::output::{Answer, Format, FormatOption, note, plain, print_exact, print_json, print_json_of_others};
use crate::rendered::{Rendered, What, text};

/// Print what would be installed for a network: nft rules, dnsmasq's configuration or its hosts
/// files
///
/// This host is not read: if the definition leaves the bridge's name open, the first name of its
/// template is used.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to print
    what: What,
    /// The definition; `-` is stdin
    file: PathBuf,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    /// `None` when the document defines no network.
    network: Option<String>,
    files: Vec<Rendered>,
    diagnostics: Vec<DiagnosticJson>,
}

impl Report {
    fn of(checked: &Checked, files: Vec<Rendered>) -> Self {
        let network = checked.network().map(|network| network.name.clone());
        Self { network, files, diagnostics: diagnostics(checked) }
    }
}

impl Args {
    /// Renders and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.what == What::Passt {
            return passt::args::Args::of(self.file.clone(), self.format).run(directories);
        }
        let checked = Checked::of_network(Document::read(&self.file)?);
        let is_json = self.format.format == Format::Json;
        if !is_json {
            note(human(&checked));
        }
        let Some(network) = checked.sound_network() else {
            if is_json {
                print_json(&Report::of(&checked, Vec::new()))?;
            }
            return Ok(Answer::No);
        };
        let rendering = match directories.driver()?.render(network) {
            Ok(rendering) => rendering,
            Err(error) => return refuse(error),
        };
        if self.what == What::Nft && is_json {
            let objects = rendering.rules.map(|ruleset| ruleset.json().objects).unwrap_or_default();
            print_json_of_others(&Json { objects })?;
            return Ok(Answer::Yes);
        }
        let name = plain(&network.name);
        if self.what == What::Dnsmasq && rendering.is_idle {
            note(format!("dnsmasq has nothing to do for network `{name}` and is not started\n"));
        }
        let files = self.what.of(rendering);
        if files.is_empty() {
            note(format!("nothing would be installed for network `{name}`\n"));
        }
        match self.format.format {
            Format::Json => print_json(&Report::of(&checked, files))?,
            Format::Human => print_exact(&text(&files))?,
        }
        Ok(Answer::Yes)
    }
}
