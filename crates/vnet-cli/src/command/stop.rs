//! `vnet stop NETWORK…`: stops networks.

use serde::Serialize;
use vnet_driver::{Driver, NetworkName};

use crate::changes::{ChangeJson, brief, changes};
use crate::definition::{Definitions, network_name};
use crate::directories::Directories;
use crate::engine::EngineOption;
use crate::failure;
use crate::on_ovn;
use crate::output::{Answer, Format, FormatOption, are, done, print, print_json};

/// Stop networks: remove everything that start made, and nothing else
///
/// A definition that is kept stays, and so do the leases. Of several networks, one that fails does
/// not hold back the others; --all stops those that run. The names of their bridges are free
/// afterwards; of many, /sys shows some until the kernel has deleted them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Definitions,
    #[command(flatten)]
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Reports {
    networks: Vec<Report>,
}

#[derive(Serialize)]
struct Report {
    network: String,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Stops and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let (on_ovn, rest) = self.networks.on_ovn(&driver, &self.engine);
        if !on_ovn.is_empty() {
            let stop = |network: &_| driver.stop_on_ovn(network);
            let answer = on_ovn::each(on_ovn, stop, "stopped", self.format.format, !rest.is_empty())?;
            return if rest.is_empty() { Ok(answer) } else { Ok(self.of_host(&driver, &rest)?.and(answer)) };
        }
        self.of_host(&driver, &self.networks)
    }

    fn of_host(&self, driver: &Driver, networks: &Definitions) -> anyhow::Result<Answer> {
        let (mut names, mut failed) = (Vec::new(), Vec::new());
        for name in networks.names(driver, |info| info.is_active())? {
            match name.and_then(|name| network_name(&name)) {
                Ok(name) => names.push(name),
                Err(error) => failed.push(error),
            }
        }
        let results = driver.stop_all(&names)?;
        let (mut stopped, mut answer) = (Vec::new(), Answer::Yes);
        for (name, result) in names.iter().zip(results) {
            match result.map_err(failure::answer) {
                Ok(made) => stopped.push((name, made)),
                Err(Ok(_)) => answer = Answer::No,
                Err(Err(error)) => failed.push(error),
            }
        }
        let is_one = networks.is_one();
        let failed = failure::tell(&failed);
        done(format!("{} stopped", are("network", stopped.iter().map(|(name, _)| name))), || {
            match self.format.format {
                Format::Json => {
                    let report = |(name, made): &(&NetworkName, Vec<_>)| Report {
                        network: name.to_string(),
                        changes: changes(made),
                    };
                    let mut networks: Vec<Report> = stopped.iter().map(report).collect();
                    match is_one {
                        true => networks.pop().map_or(Ok(()), |report| print_json(&report)),
                        false => print_json(&Reports { networks }),
                    }
                }
                Format::Human => {
                    let line =
                        |(name, made): &(&NetworkName, Vec<_>)| format!("{}network {name} stopped\n", brief(made));
                    Ok(print(stopped.iter().map(line).collect::<String>())?)
                }
            }
        });
        Ok(answer.unless_failed(failed))
    }
}
