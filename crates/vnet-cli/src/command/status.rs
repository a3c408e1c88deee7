//! `vnet status [NETWORK…]`: shows the state of networks.

mod watch;

use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use vnet_driver::{Driver, Error, NetworkInfo, OvnStatus};

use crate::definition::{document, is_file, network_name};
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::engine::EngineOption;
use crate::failure::{self, apart};
use crate::network::{tell_dead_sockets, tell_unused};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::ovn::{self, OvnStatusJson};
use crate::status::{Shown, Status, human, is_well};
use crate::time::duration;

/// Show the state of networks, or of all that run: in sync or drifted, bridge, addresses, dnsmasq,
/// leases; with --verbose also the counters of their rules
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The networks: their names or UUIDs, or files of those that OVN makes
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
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report<'a> {
    networks: Vec<Status<'a>>,
    /// The networks that OVN makes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ovn: Vec<OvnStatusJson<'a>>,
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
                let (networks, answer, failed) = self.look(&driver, &self.networks)?;
                failure::last(failed).map(|()| (networks, answer))
            });
        }
        let (on_ovn, others) = self.on_ovn(&driver)?;
        let (networks, reading, failed) = match others.is_empty() && !on_ovn.is_empty() && !self.all {
            true => (Vec::new(), Answer::Yes, Vec::new()),
            false => self.look(&driver, &others)?,
        };
        let reading = reading.unless_failed(failure::tell(&failed));
        match self.format.format {
            Format::Json if reading == Answer::Yes || !(networks.is_empty() && on_ovn.is_empty()) => {
                let ovn = on_ovn.iter().map(OvnStatusJson::of).collect();
                print_json(&Report { networks: networks.iter().map(Status::of).collect(), ovn })?;
            }
            Format::Json => {}
            Format::Human if networks.is_empty() && on_ovn.is_empty() && self.networks.is_empty() => {
                print("no network runs\n")?;
                directories.tell_of_root();
            }
            Format::Human => {
                let all = networks.iter().map(human).chain(on_ovn.iter().map(ovn::status));
                print(all.collect::<Vec<_>>().join("\n"))?;
            }
        }
        let well = networks.iter().all(is_well) && on_ovn.iter().all(|it| it.drift.is_empty());
        let is_no = reading == Answer::No || (self.exit_code && !well);
        Ok(Answer::when(!is_no).unless_failed(reading))
    }

    /// The state of those that OVN makes, and the names of the others.
    fn on_ovn(&self, driver: &Driver) -> anyhow::Result<(Vec<OvnStatus>, Vec<String>)> {
        let (mut on_ovn, mut others) = (Vec::new(), Vec::new());
        if self.all {
            for info in apart(driver.all()?).0 {
                if let Ok(Some(network)) = driver.kept_on_ovn(&info.name) {
                    on_ovn.push(driver.status_on_ovn(&network)?);
                }
            }
        }
        for given in &self.networks {
            let mut found = None;
            if is_file(given) || self.engine.is_given() {
                let mut checked = Checked::of_network(document(given, driver)?);
                checked.change_network(|network| self.engine.ask(network));
                found = checked.sound_network().filter(|network| network.is_on_ovn()).cloned();
            } else if let Ok(name) = driver.lookup(given) {
                found = driver.kept_on_ovn(&name)?;
            }
            match found {
                Some(network) => on_ovn.push(driver.status_on_ovn(&network)?),
                None => others.push(given.clone()),
            }
        }
        Ok((on_ovn, others))
    }

    /// The networks, whether all that are named are known, and what failed.
    fn look(&self, driver: &Driver, names: &[String]) -> anyhow::Result<(Vec<Shown>, Answer, Vec<anyhow::Error>)> {
        let (mut networks, mut answer, mut failed) = (Vec::new(), Answer::Yes, Vec::new());
        if names.is_empty() {
            let (running, unread) = apart(driver.statuses()?);
            for network in running {
                networks.push(Shown::running(network, driver)?);
            }
            if self.all {
                // Those that cannot be read are known already.
                let is_here = |info: &NetworkInfo| !matches!(driver.kept_on_ovn(&info.name), Ok(Some(_)));
                let inactive = apart(driver.all()?).0.into_iter();
                let inactive = inactive.filter(|info| !info.is_active() && is_here(info));
                networks.extend(inactive.map(Shown::inactive));
                tell_unused(driver)?;
            }
            answer = failure::tell_unread(unread, networks.is_empty())?;
            tell_dead_sockets(driver);
        }
        for given in names {
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
