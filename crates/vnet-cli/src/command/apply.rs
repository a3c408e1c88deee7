//! `vnet apply FILE|NAME`: changes or repairs a network that runs, or a port, starts a network that does not.

use anyhow::anyhow;
use vnet_host::Lock;

use crate::changes::{brief, human};
use crate::definition::{prepare_document, refuse};
use crate::directories::Directories;
use crate::document::Document;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{self, For};
use crate::report::Report;

/// Make this host as a definition says: change or repair a network in place, start one that does not run
///
/// Guests stay connected. When a step fails, those before it are undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    /// Only print what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Applies and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut here = Here::open(directories)?;
        let lock = if self.dry_run { None } else { Some(here.lock()) };
        let document = Document::read(&port::locate(&self.network, &here)?)?;
        if port::is_interface(&document) {
            return self.apply_port(document, here, lock.transpose()?);
        }
        let mut prepared = prepare_document(document, &here, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        let name = lowered.name.clone();
        let on = lowered.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
        let changes = match lock {
            None => here.plan(lowered)?,
            Some(lock) => {
                let lock = lock?;
                let mut made = here.apply(&lock, lowered, prepared.uuid)?;
                made.extend(port::follow(&mut here, &lock, &name)?);
                prepared.look_again(&here, &made, self.format.format)?;
                made
            }
        };
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared, &changes))?,
            Format::Human if changes.is_empty() => print(format!("network {name}: nothing to change\n"))?,
            Format::Human if self.dry_run => print(human(&changes))?,
            Format::Human => print(format!("{}network {name} is as defined{on}\n", brief(&changes)))?,
        }
        Ok(Answer::Yes)
    }

    fn apply_port(&self, document: Document, mut here: Here, lock: Option<Lock>) -> anyhow::Result<Answer> {
        let prepared = port::prepare(document, &here, &For::default(), self.format.format)?;
        let Some(lowered) = &prepared.lowered else {
            return port::Report::refuse(&prepared.checked, self.format.format);
        };
        let dev = &lowered.port.dev;
        if !prepared.is_attached {
            return refuse(anyhow!(
                "the definition names no port that is attached in `<target dev>`; `vnet attach` makes one"
            ));
        }
        let changes = match lock {
            None => here.plan_port(lowered)?,
            Some(lock) => here.apply_port(&lock, lowered)?,
        };
        match self.format.format {
            Format::Json => print_json(&port::Report::changed(&prepared.checked, lowered, &changes)?)?,
            Format::Human if changes.is_empty() => print(format!("port {dev}: nothing to change\n"))?,
            Format::Human if self.dry_run => print(human(&changes))?,
            Format::Human => print(format!("{}port {dev} is as defined\n", brief(&changes)))?,
        }
        Ok(Answer::Yes)
    }
}
