//! `vnet detach DEV`: detaches a guest's interface.

use anyhow::Context;
use serde::Serialize;
use vnet_types::InterfaceName;

use crate::changes::{ChangeJson, brief, changes};
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Detach a guest's interface: remove everything that attach made, and nothing else
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
    /// Detaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let port: InterfaceName =
            self.port.parse().with_context(|| format!("`{}` cannot be the name of a device", self.port))?;
        let made = match directories.driver()?.detach(&port) {
            Ok(made) => made,
            Err(error) => return failure::answer(error),
        };
        Ok(done(format!("port `{port}` is detached"), || match self.format.format {
            Format::Json => print_json(&Report { port: port.to_string(), changes: changes(&made) }),
            Format::Human => Ok(print(format!("{}port {port} detached\n", brief(&made)))?),
        }))
    }
}
