//! `vnet dumpxml NAME`: the definition of a running network.

use std::fs;

use anyhow::Context;
use serde::Serialize;

use crate::definition::{network_name, stored_at};
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print_exact, print_json};

/// Print the definition of a running network, with what it left open filled in
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
        let file = stored_at(&directories.network(&name)?);
        let xml = fs::read_to_string(&file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), xml })?,
            Format::Human => print_exact(&xml)?,
        }
        Ok(Answer::Yes)
    }
}
