//! `vnet forward add` and `vnet forward remove`.

use serde::Serialize;
use vnet_driver::{Error, ForwardAct, ForwardUpdate};

use super::parse::{Arrival, GuestPort, HostPorts};
use crate::changes::{ChangeJson, brief, changes};
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, done, note, print, print_json};
use crate::style::BOLD;

/// Lead ports of the host to a guest
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The network's name or UUID
    network: String,
    /// The ports of the host: tcp/2222, udp/5000-5010
    ports: HostPorts,
    /// The guest, by its address or by the name or MAC address of its reservation, and its first
    /// port: `web:22`, `[fd00::10]:22` [default: the same port]
    guest: GuestPort,
    #[command(flatten)]
    at: Arrival,
    #[command(flatten)]
    place: Place,
}

/// Let ports of the host lead to guests no more
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    /// The network's name or UUID
    network: String,
    /// The ports of the host: tcp/2222, udp/5000-5010
    ports: HostPorts,
    #[command(flatten)]
    at: Arrival,
    #[command(flatten)]
    place: Place,
}

/// Which definition is changed.
#[derive(Debug, clap::Args)]
struct Place {
    /// Change the network that runs
    #[arg(long)]
    live: bool,
    /// Change the kept definition, that of libvirt for a network that libvirt runs
    #[arg(long)]
    config: bool,
    #[command(flatten)]
    format: FormatOption,
}

/// A result, as that of `vnet update`.
#[derive(Serialize)]
struct Report {
    network: String,
    live: bool,
    config: bool,
    xml: Option<String>,
    diagnostics: [(); 0],
    changes: Vec<ChangeJson>,
    lost_comments: Vec<String>,
}

impl Add {
    pub(super) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let forward = self.guest.forward(&self.ports, &self.at);
        self.place.change(directories, &self.network, ForwardAct::Add(forward))
    }
}

impl Remove {
    pub(super) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let forward = self.ports.forward(&self.at, None);
        self.place.change(directories, &self.network, ForwardAct::Remove(forward))
    }
}

impl Place {
    fn change(&self, directories: &Directories, network: &str, act: ForwardAct) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let mut update = ForwardUpdate::new(act);
        (update.live, update.config) = (self.live, self.config);
        let changed = driver.lookup(network).and_then(|name| driver.update_forwards(&name, &update));
        let outcome = match changed {
            Ok(outcome) => outcome,
            Err(error @ (Error::Refused { .. } | Error::NotForwarded { .. })) => return failure::refuse(error),
            Err(error) => return failure::answer(error),
        };
        let how = match (&outcome.live, outcome.config) {
            (Some(_), true) => "as it runs and as it is kept",
            (Some(_), false) => "as it runs",
            (None, _) => "as it is kept",
        };
        let name = outcome.name.to_string();
        let made = outcome.live.as_ref().map(|live| live.changes.clone()).unwrap_or_default();
        Ok(done(format!("the forwards of network `{name}` are changed, {how}"), || match self.format.format {
            Format::Json => print_json(&Report {
                network: name.clone(),
                live: outcome.live.is_some(),
                config: outcome.config,
                xml: None,
                diagnostics: [],
                changes: changes(&made),
                lost_comments: outcome.lost,
            }),
            Format::Human => {
                if outcome.is_kept && !outcome.config {
                    note(format_args!(
                        "{BOLD}note{BOLD:#}: the kept definition is as before: --live --config changes both\n"
                    ));
                }
                Ok(print(format!("{}network {name} updated, {how}\n", brief(&made)))?)
            }
        }))
    }
}
