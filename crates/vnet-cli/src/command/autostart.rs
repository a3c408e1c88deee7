//! `vnet autostart NETWORK…`: lets networks start at boot.

use serde::Serialize;

use crate::directories::Directories;
use crate::failure;
use crate::named::Networks;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};

/// Let networks start at boot, or no longer
///
/// Only networks whose definitions are kept can start at boot. What runs now is not touched.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Networks,
    /// Let them no longer start at boot
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<Autostart>,
}

#[derive(Serialize)]
struct Autostart {
    network: String,
    autostart: bool,
}

impl Args {
    /// Makes or removes the links and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, autostart) = (directories.driver()?, !self.disable);
        let mut networks = Vec::new();
        let answer = failure::each(self.networks.given(), |given| {
            let name = driver.lookup(given)?;
            driver.set_autostart(&name, autostart)?;
            networks.push(Autostart { network: name.to_string(), autostart });
            Ok(())
        })?;
        done("autostart is changed", || match self.format.format {
            Format::Json => print_json(&Report { networks }),
            Format::Human => {
                let mark = if autostart { "marked" } else { "unmarked" };
                let line = |it: &Autostart| format!("network {} {mark} as autostarted\n", it.network);
                Ok(print(networks.iter().map(line).collect::<String>())?)
            }
        });
        Ok(answer)
    }
}
