//! `vnet try FILE…`: networks, and guests behind passt, for real, on an imagined host, to see whether they keep what they
//! promise.
//!
//! This process reads and checks the definitions and makes the namespaces; it starts itself again inside ([`stage`]),
//! as process 1, with which everything ends. There the networks are started by the same code as on a real host.

mod furnish;
mod judge;
mod namespaces;
mod neighbour;
mod passt;
mod promises;
mod report;
pub(crate) mod stage;
mod start;
mod words;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;

use crate::diagnostic::{Checked, diagnostics, human};
use crate::document::Document;
use crate::output::{Answer, Format, FormatOption, note, print_json};
use report::{InterfaceReport, NetworkReport, Report};
use vnet_xml::Definition;

/// Bring networks or guests of passt up in a throwaway namespace, and see whether what they promise is so
///
/// Takes no privilege and changes nothing here. The networks are started on an imagined host with an uplink and someone
/// outside; guests ask for leases and names, reach each other, go out, and are reached for. A guest's `<interface>` with
/// `<backend type='passt'/>` gets a passt of its own, and its ports are asked for. All share that host. Exit code 1 when a
/// promise is broken.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Tries and reports.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let checked = self.files.iter().map(|file| Ok(Checked::new(Document::read(file)?)));
        let checked = checked.collect::<anyhow::Result<Vec<_>>>()?;
        if format == Format::Human {
            checked.iter().try_for_each(|checked| note(human(checked)))?;
        }
        apart(&checked)?;
        let others = || checked.iter().filter(|checked| checked.network().is_none());
        others().try_for_each(|checked| passt::guests(checked).map(drop))?;
        if checked.iter().all(|checked| checked.sound().is_some()) {
            let documents: Vec<_> = checked.into_iter().map(stage::Definition::from).collect();
            return namespaces::run(&documents, format);
        }
        if format == Format::Json {
            let (networks, guests): (Vec<_>, Vec<_>) = checked.iter().partition(|checked| is_network(checked));
            let networks = networks.into_iter().map(NetworkReport::refused).collect();
            let guests = guests.into_iter().map(InterfaceReport::refused).collect();
            print_json(&Report::new(networks, guests, 0))?;
        }
        Ok(Answer::No)
    }
}

/// Is a network tried? What cannot be read at all is told as one.
fn is_network(checked: &Checked) -> bool {
    matches!(checked.definition, None | Some(Definition::Network(_)))
}

/// One host has one network of a name.
fn apart(checked: &[Checked]) -> anyhow::Result<()> {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for checked in checked {
        let Some(network) = checked.network() else { continue };
        let file = &checked.document.name;
        if let Some(other) = known.insert(&network.name, file) {
            bail!("`{other}` and `{file}` both define network `{}`", network.name);
        }
    }
    Ok(())
}

impl NetworkReport {
    /// The report of a definition before anything is tried, and after it was refused.
    fn refused(checked: &Checked) -> Self {
        Self {
            file: checked.document.name.clone(),
            network: checked.network().map(|network| network.name.clone()),
            bridge: None,
            diagnostics: diagnostics(checked),
            promises: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl InterfaceReport {
    /// The report of a guest's interface that is not tried.
    fn refused(checked: &Checked) -> Self {
        let (file, diagnostics) = (checked.document.name.clone(), diagnostics(checked));
        Self { file, passt: None, diagnostics, promises: Vec::new(), notes: Vec::new() }
    }
}
