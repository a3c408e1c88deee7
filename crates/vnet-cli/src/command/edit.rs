//! `vnet edit NETWORK`: changes a kept definition in an editor.

use std::io::{self, IsTerminal};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use vnet_driver::{Driver, Error, NetworkName};

use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::directories::Directories;
use crate::document::Document;
use crate::editor::EditedText;
use crate::failure;
use crate::named::OneNetwork;
use crate::output::{Answer, Format, FormatOption, done, note, print, print_json};
use crate::style::{BOLD, WARNING};

/// Change the kept definition of a network in $VISUAL, $EDITOR or vi
///
/// The text is checked before it is kept, and all findings are shown. When it is refused, you are
/// asked on a terminal whether to edit it again. A text that is not kept stays in a file, which is
/// named. What runs is not touched: `vnet apply NAME` takes the new definition.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: OneNetwork,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    /// Whether a changed definition is kept now.
    changed: bool,
    /// The file with the text that is not kept.
    file: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
}

/// What became of a text.
enum Attempt {
    Kept(Checked),
    /// Editing again may help.
    Refused(Checked),
    /// Editing again does not help. The reason is reported.
    Over(Checked),
}

impl Args {
    /// Edits, checks and keeps.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let found = self.network.find(&driver).and_then(|name| match driver.kept_text(&name)? {
            Some(text) => Ok((name, text)),
            None => Err(Error::NotDefined(name)),
        });
        let (name, before) = match found {
            Ok(found) => found,
            Err(error) => return failure::answer(error),
        };
        let edited = EditedText::new(&format!("{name}.xml"), &before)?;
        match self.edit(&driver, &name, &before, &edited) {
            Ok(None) => Ok(self.tell(&name, None, None)),
            Ok(Some(Attempt::Kept(checked))) => Ok(self.tell(&name, Some(&checked), None)),
            Ok(Some(Attempt::Refused(checked) | Attempt::Over(checked))) => {
                let file = edited.stay();
                note(stays(&file));
                self.tell(&name, Some(&checked), Some(&file));
                Ok(Answer::No)
            }
            Err(error) => {
                if edited.read().is_ok_and(|text| text != before) {
                    note(stays(&edited.stay()));
                }
                Err(error)
            }
        }
    }

    /// Edits until the text is kept or given up. `None` when it is unchanged.
    fn edit(
        &self,
        driver: &Driver,
        name: &NetworkName,
        before: &[u8],
        edited: &EditedText,
    ) -> anyhow::Result<Option<Attempt>> {
        loop {
            let text = edited.edit()?;
            if text == before {
                return Ok(None);
            }
            let attempt = self.keep(driver, name, before, Document::new(edited.path().display().to_string(), text))?;
            if !matches!(attempt, Attempt::Refused(_)) || !again()? {
                return Ok(Some(attempt));
            }
        }
    }

    fn keep(&self, driver: &Driver, name: &NetworkName, before: &[u8], text: Document) -> anyhow::Result<Attempt> {
        let mut checked = Checked::of_network(text);
        let mut reason = None;
        let is_kept = match checked.sound_network().map(|network| driver.redefine(name, before, network)) {
            None => false,
            Some(Ok(defined)) => {
                checked.hear(&defined.findings);
                true
            }
            Some(Err(Error::Refused { findings })) => {
                checked.hear(&findings);
                false
            }
            Some(Err(error)) => {
                reason = Some(error);
                false
            }
        };
        if self.format.format == Format::Human || !is_kept {
            note(human(&checked));
        }
        let is_over = matches!(reason, Some(Error::ChangedMeanwhile(_)));
        reason.map(failure::answer).transpose()?;
        Ok(match (is_kept, is_over) {
            (true, _) => Attempt::Kept(checked),
            (false, true) => Attempt::Over(checked),
            (false, false) => Attempt::Refused(checked),
        })
    }

    /// Reports. Without a text that was checked, nothing is changed.
    fn tell(&self, name: &NetworkName, checked: Option<&Checked>, file: Option<&Path>) -> Answer {
        let changed = checked.is_some() && file.is_none();
        done(format!("network `{name}` is edited"), || match self.format.format {
            Format::Json => print_json(&Report {
                network: name.to_string(),
                changed,
                file: file.map(|file| file.display().to_string()),
                diagnostics: checked.map(diagnostics).unwrap_or_default(),
            }),
            Format::Human if changed => Ok(print(format!("network {name} edited\n"))?),
            Format::Human if file.is_some() => Ok(()),
            Format::Human => Ok(print(format!("network {name} not changed\n"))?),
        })
    }
}

/// Asks whether to edit again. Without a terminal nobody can answer.
fn again() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    loop {
        note("Edit it again, or keep nothing? [Y/n] ");
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer).context("stdin cannot be read")?;
        match answer.trim().to_ascii_lowercase().as_str() {
            "" | "y" | "yes" if read > 0 => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ => {}
        }
    }
}

fn stays(file: &Path) -> String {
    let file = file.display();
    format!(
        "{WARNING}note{WARNING:#}{BOLD}: nothing is kept; the edited text is in {file}, and `vnet define {file}` keeps \
         it{BOLD:#}\n"
    )
}
