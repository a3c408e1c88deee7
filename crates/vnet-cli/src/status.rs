//! The state of a network, for programs and for people.

use std::collections::BTreeMap;

use serde::Serialize;
use vnet_driver::{NetworkStatus, Obstacle, State};
use vnet_firewall::Counts;
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes, listed};
use crate::counted::{Counted, Decision, sums};
use crate::notes;
use crate::output::plain;
use crate::port::PortJson;
use crate::table::words;

/// A network that runs, for programs.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    network: String,
    state: State,
    /// `None` when it has no bridge of its own.
    bridge: Option<String>,
    addresses: Vec<String>,
    routes: Vec<String>,
    /// The process number of dnsmasq.
    dnsmasq: Option<i32>,
    /// `None` when the network needs no dnsmasq.
    leases: Option<usize>,
    /// The attached guests.
    ports: Vec<PortJson>,
    rules: Vec<Counted>,
    /// The counters of the rules, by decision.
    verdicts: BTreeMap<Decision, Counts>,
    changes: Vec<ChangeJson>,
    /// Rules of other programs that block it.
    obstacles: &'a [Obstacle],
}

impl<'a> Status<'a> {
    /// As the driver has it.
    pub(crate) fn of(network: &'a NetworkStatus) -> Self {
        let rules: Vec<Counted> = network.rules.iter().map(Counted::of).collect();
        Self {
            network: network.name.to_string(),
            state: network.state,
            bridge: network.bridge.as_ref().map(ToString::to_string),
            addresses: network.addresses.iter().map(ToString::to_string).collect(),
            routes: network.routes.iter().map(ToString::to_string).collect(),
            dnsmasq: network.dnsmasq,
            leases: network.leases,
            ports: network.ports.iter().map(|(port, device)| PortJson::of(port, device, None)).collect(),
            verdicts: sums(&rules),
            rules,
            changes: changes(&network.drift),
            obstacles: &network.obstacles,
        }
    }
}

/// For people.
pub(crate) fn human(network: &NetworkStatus) -> String {
    let status = Status::of(network);
    let mut text = format!("{}: {}\n", plain(&status.network), words(status.state));
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:10} {value}\n"));
    line("bridge", status.bridge.as_deref().unwrap_or("none of its own"));
    status.addresses.iter().for_each(|address| line("address", address));
    status.routes.iter().for_each(|route| line("route", route));
    if let Some(leases) = status.leases {
        line("dnsmasq", &status.dnsmasq.map_or_else(|| "does not run".to_owned(), |pid| format!("process {pid}")));
        line("leases", &leases.to_string());
    }
    for (port, _) in &network.ports {
        let guest = port.guest.as_ref().map(|guest| format!(" {guest}")).unwrap_or_default();
        line("guest", &plain(&format!("{} {}{guest}", port.dev, port.mac)));
    }
    for rule in &status.rules {
        let Counts { packets, bytes } = rule.counts;
        line("rule", &format!("{packets:>10} packets {bytes:>12} bytes  {}", plain(&rule.rule)));
    }
    for (decision, Counts { packets, bytes }) in &status.verdicts {
        line(decision.words(), &format!("{packets:>10} packets {bytes:>12} bytes"));
    }
    text.push_str(&notes::obstacles(status.obstacles, Severity::Warning));
    if !network.drift.is_empty() {
        text.push_str("  to repair it (`vnet diff` shows details, `vnet apply` does it):\n");
        text.extend(listed(&network.drift).lines().map(|change| format!("    {change}\n")));
    }
    text
}
