//! `vnet status [NETWORK…]`: shows the state of networks.

mod watch;

use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use vnet_driver::{Driver, Error};

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure::{self, apart};
use crate::network::{tell_dead_sockets, tell_unused};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::status::{Shown, Status, human, is_well};
use crate::time::duration;

/// Show the state of networks, or of all that run: in sync or drifted, bridge, addresses, dnsmasq,
/// leases; with --verbose also the counters of their rules
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The networks: their names or UUIDs
    #[arg(value_name = "NETWORK")]
    networks: Vec<String>,
    /// Also show networks that are defined and do not run
    #[arg(long, conflicts_with = "networks")]
    all: bool,
    /// Exit with code 1 when a network is drifted, interrupted, blocked by rules of others, or
    /// could not be read entirely
    #[arg(long)]
    exit_code: bool,
    /// Show it again and again, with packets and bytes per second; on a terminal in place
    #[arg(
        long,
        value_name = "EVERY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        value_parser = duration,
        conflicts_with = "exit_code"
    )]
    watch: Option<Duration>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report<'a> {
    networks: Vec<Status<'a>>,
}

impl Args {
    /// Reads and prints the state.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        if let Some(every) = self.watch {
            if self.format.format == Format::Json {
                bail!("--watch is for people: call `vnet status --format json` again and again");
            }
            return watch::watch(every, || {
                let (networks, answer, failed) = self.look(&driver)?;
                failure::last(failed).map(|()| (networks, answer))
            });
        }
        let (networks, reading, failed) = self.look(&driver)?;
        let reading = reading.unless_failed(failure::tell(&failed));
        match self.format.format {
            Format::Json if reading == Answer::Yes || !networks.is_empty() => {
                print_json(&Report { networks: networks.iter().map(Status::of).collect() })?;
            }
            Format::Json => {}
            Format::Human if networks.is_empty() && self.networks.is_empty() => {
                print("no network runs\n")?;
                directories.tell_of_root();
            }
            Format::Human => print(networks.iter().map(human).collect::<Vec<_>>().join("\n"))?,
        }
        let is_no = reading == Answer::No || (self.exit_code && !networks.iter().all(is_well));
        Ok(Answer::when(!is_no).unless_failed(reading))
    }

    /// The networks, whether all that are named are known, and what failed.
    fn look(&self, driver: &Driver) -> anyhow::Result<(Vec<Shown>, Answer, Vec<anyhow::Error>)> {
        let (mut networks, mut answer, mut failed) = (Vec::new(), Answer::Yes, Vec::new());
        if self.networks.is_empty() {
            let (running, unread) = apart(driver.statuses()?);
            for network in running {
                networks.push(Shown::running(network, driver)?);
            }
            if self.all {
                // Those that cannot be read are known already.
                let inactive = apart(driver.all()?).0.into_iter().filter(|info| !info.is_active());
                networks.extend(inactive.map(Shown::inactive));
                tell_unused(driver)?;
            }
            answer = failure::tell_unread(unread, networks.is_empty())?;
            tell_dead_sockets(driver);
        }
        for given in &self.networks {
            match look(driver, given) {
                Ok(shown) => networks.push(shown),
                Err(error) => match error.downcast().map_or_else(Err, failure::answer) {
                    Ok(_) => answer = Answer::No,
                    Err(error) => failed.push(error),
                },
            }
        }
        Ok((networks, answer, failed))
    }
}

fn look(driver: &Driver, given: &str) -> anyhow::Result<Shown> {
    let name = match driver.lookup(given) {
        Err(Error::NoNetwork(_)) => network_name(given)?,
        name => name?,
    };
    match driver.status(&name) {
        Err(Error::NotRunning(_)) if driver.is_persistent(&name)? => Ok(Shown::inactive(driver.info(&name)?)),
        status => Ok(Shown::running(status?, driver)?),
    }
}
