//! `vnet detach DEV`: takes a guest's interface away.

use anyhow::{Context, anyhow};
use serde::Serialize;
use vnet_types::InterfaceName;

use crate::changes::{ChangeJson, brief, changes};
use crate::definition::refuse;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Take a guest's interface away: everything that attach made, and nothing else
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of its device on the host, as `vnet ports` lists it
    #[arg(value_name = "DEV")]
    port: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    port: String,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Detaches and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut here = Here::open(directories)?;
        let port: InterfaceName =
            self.port.parse().with_context(|| format!("`{}` cannot be the name of a device", self.port))?;
        if here.port(&port)?.is_none() {
            return refuse(anyhow!("port `{port}` is not attached; `vnet ports` shows those that are"));
        }
        let lock = here.lock()?;
        let made = here.detach(&lock, &port)?;
        match self.format.format {
            Format::Json => print_json(&Report { port: port.to_string(), changes: changes(&made) })?,
            Format::Human => print(format!("{}port {port} detached\n", brief(&made)))?,
        }
        Ok(Answer::Yes)
    }
}
