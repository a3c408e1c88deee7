//! `vnet dumpxml NAME`: the definition of a running network.

use serde::Serialize;
use vnet_plan::fill_pool;

use crate::definition::{as_it_runs, network_name};
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print_exact, print_json};

/// Print the definition of a running network, with what it left open filled in and how many
/// guests are attached
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    xml: String,
}

impl Args {
    /// Prints it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let name = network_name(&self.network)?;
        if here.running(&name)?.is_none() {
            return Here::refuse_absent(&name);
        }
        let mut network = as_it_runs(directories, &name)?;
        let ports = here.ports_of(&name)?;
        fill_pool(&mut network, &here.inventory()?);
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        network.connections = count(ports.len());
        for device in network.forward.iter_mut().flat_map(|forward| &mut forward.interfaces) {
            device.connections = count(ports.iter().filter(|port| port.lower.as_ref() == Some(&device.dev)).count());
        }
        let xml = network.to_string();
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), xml })?,
            Format::Human => print_exact(&xml)?,
        }
        Ok(Answer::Yes)
    }
}
