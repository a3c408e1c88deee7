//! `vnet undefine NETWORK…`: drops kept definitions.

use serde::Serialize;

use crate::directories::Directories;
use crate::failure;
use crate::named::Networks;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Drop the kept definitions of networks
///
/// A network that runs goes on, as a transient one. Of a network that does not run, the leases are
/// removed too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Networks,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<Undefined>,
}

#[derive(Serialize)]
struct Undefined {
    network: String,
    /// Whether it runs on.
    active: bool,
}

impl Args {
    /// Drops them and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let mut networks = Vec::new();
        let answer = failure::each(self.networks.given(), |given| {
            // One that was killed may have left leases of a network that nobody knows any more.
            let name = driver.lookup(given).or_else(|error| given.parse().map_err(|_| error))?;
            let active = driver.runs(&name)?;
            driver.undefine(&name)?;
            networks.push(Undefined { network: name.to_string(), active });
            Ok(())
        })?;
        done("the definition is dropped", || match self.format.format {
            Format::Json => print_json(&Report { networks }),
            Format::Human => {
                let line = |it: &Undefined| {
                    let on = if it.active { "; it runs on and is transient" } else { "" };
                    format!("network {} undefined{on}\n", it.network)
                };
                Ok(print(networks.iter().map(line).collect::<String>())?)
            }
        });
        Ok(answer)
    }
}
