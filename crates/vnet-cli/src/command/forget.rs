//! `vnet forget NAME`: drops the receipt of a network or a port whose namespace is gone.

use serde::Serialize;
use vnet_driver::Named;

use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Drop the receipt of a network or a port whose network namespace is gone
///
/// Removes its files too, and the ports of a network. Refused while a process is in that namespace
/// or holds it: use `vnet stop` and `vnet detach` inside the namespace then. A receipt that cannot
/// be read is dropped as well; what it named stays on the host.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of the network, or the device of the port
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: Option<String>,
    port: Option<String>,
}

impl Args {
    /// Drops the receipt and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let forgotten = match directories.driver()?.forget(&self.name) {
            Ok(forgotten) => forgotten,
            Err(error) => return failure::answer(error),
        };
        let report = match &forgotten {
            Named::Network(name) => Report { network: Some(name.to_string()), port: None },
            Named::Port(dev) => Report { network: None, port: Some(dev.to_string()) },
        };
        Ok(done(format!("{forgotten} is forgotten"), || match self.format.format {
            Format::Json => print_json(&report),
            Format::Human => Ok(print(format!("{forgotten} is forgotten\n"))?),
        }))
    }
}
