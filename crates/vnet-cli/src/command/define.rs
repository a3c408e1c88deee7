//! `vnet define FILE…`: keeps definitions.

use std::path::PathBuf;

use serde::Serialize;
use vnet_driver::{Driver, Error};

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::files::Files;
use crate::notes;
use crate::output::{Answer, Format, FormatOption, done, note, print, print_json};

/// Keep definitions, so that networks are started by name, and at boot
///
/// Nothing that runs is touched: a network that runs becomes persistent, and `vnet apply NAME`
/// takes a definition that differs. UUID, bridge name and MAC address are filled in. A definition
/// with an error is refused with all findings; what would prevent its start on this host now is a
/// warning.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders of them; `-` is stdin
    #[arg(value_name = "FILE", required_unless_present_any = ["file", "from_running"])]
    files: Vec<PathBuf>,
    #[arg(long, value_name = "FILE", hide = true)]
    file: Vec<PathBuf>,
    /// Keep the definition that a network runs with, in place of the one that is kept
    #[arg(long, value_name = "NETWORK", conflicts_with_all = ["files", "file"])]
    from_running: Vec<String>,
    /// Refuse parts that are not understood, too
    #[arg(long)]
    validate: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<DefinedJson>,
}

#[derive(Serialize)]
struct DefinedJson {
    file: String,
    /// `None` when it was refused.
    network: Option<String>,
    uuid: Option<String>,
    /// Whether no definition of this network was kept before.
    new: bool,
    /// Whether it runs now.
    active: bool,
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// Keeps them and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let given: Vec<PathBuf> = self.files.iter().chain(&self.file).cloned().collect();
        let mut networks = Vec::new();
        let mut answer = Answer::Yes;
        let Files { found, mut passed_over, unread: mut failed, .. } = Files::of(&given)?;
        for file in found {
            let defined = Document::read(&file.path).and_then(|document| match file.is_other(&document) {
                Some(other) => {
                    passed_over.push(other);
                    Ok(None)
                }
                None => self.define(&driver, Checked::of_network(document)).map(Some),
            });
            match defined {
                Ok(Some(defined)) => {
                    if defined.network.is_none() {
                        answer = Answer::No;
                    }
                    networks.push(defined);
                }
                Ok(None) => {}
                Err(error) => failed.push(error),
            }
        }
        for given in &self.from_running {
            match driver.lookup(given).and_then(|name| driver.running_text(&name)) {
                Ok((path, text)) => {
                    let document = Document::new(path.display().to_string(), text);
                    match self.define(&driver, Checked::of_network(document)) {
                        Ok(defined) => {
                            answer = Answer::when(answer == Answer::Yes && defined.network.is_some());
                            networks.push(defined);
                        }
                        Err(error) => failed.push(error),
                    }
                }
                Err(error) => match failure::answer(error) {
                    Ok(_) => answer = Answer::No,
                    Err(error) => failed.push(error),
                },
            }
        }
        if self.format.format == Format::Human {
            note(notes::passed_over(&passed_over));
        }
        // One that fails does not hold back the others.
        let failed = failure::tell(&failed);
        done("the definitions are kept", || match self.format.format {
            Format::Json => print_json(&Report { networks }),
            Format::Human => {
                let line = |it: &DefinedJson| {
                    let name = it.network.as_ref()?;
                    let again = if it.new { "defined" } else { "defined anew" };
                    Some(format!("network {name} {again} from {}\n", it.file))
                };
                Ok(print(networks.iter().filter_map(line).collect::<String>())?)
            }
        });
        Ok(answer.unless_failed(failed))
    }

    fn define(&self, driver: &Driver, mut checked: Checked) -> anyhow::Result<DefinedJson> {
        if self.validate {
            checked.be_strict();
        }
        let kept = checked.sound_network().map(|network| driver.define(network));
        let mut defined = DefinedJson {
            file: checked.document.name.clone(),
            network: None,
            uuid: None,
            new: false,
            active: false,
            diagnostics: Vec::new(),
        };
        let mut refusal = None;
        match kept {
            None => {}
            Some(Ok(kept)) => {
                checked.hear(&kept.findings);
                defined.active = kept.is_running;
                defined.new = kept.is_new;
                defined.uuid = kept.network.uuid.map(|uuid| uuid.to_string());
                defined.network = Some(kept.name.to_string());
            }
            Some(Err(Error::Refused { findings })) => checked.hear(&findings),
            Some(Err(error)) => refusal = Some(error),
        }
        if self.format.format == Format::Human {
            note(human(&checked));
        }
        refusal.map(failure::answer).transpose()?;
        defined.diagnostics = diagnostics(&checked);
        Ok(defined)
    }
}
