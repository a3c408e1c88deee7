//! The state of a network, for programs and for people.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vnet_driver::{Change, DefinitionNews, Driver, Error, NetworkInfo, NetworkStatus, Obstacle, State, Unread};
use vnet_firewall::Counts;
use vnet_xml::Severity;

use crate::changes::{ChangeJson, changes, listed};
use crate::counted::{Counted, Decision, sums};
use crate::network::{news, unread_part, unusable, yes_no};
use crate::notes;
use crate::output::{is_verbose, plain};
use crate::port::PortJson;
use crate::table::words;

/// A network that runs, for programs.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    network: String,
    /// `None` when it does not run.
    state: Option<State>,
    /// Whether its definition is kept.
    persistent: bool,
    /// Whether it starts at boot.
    autostart: bool,
    /// Whether the kept definition is not the one that it runs with.
    definition_differs: bool,
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
    /// What of it could not be read.
    unread: BTreeSet<Unread>,
    /// Whether libvirt runs it: forwards and egress alone are ours.
    runs_in_libvirt: bool,
}

impl<'a> Status<'a> {
    /// As the driver has it.
    pub(crate) fn of(Shown { network, persistent, autostart, news }: &'a Shown) -> Self {
        let network = match network {
            Seen::Running(network) => network,
            Seen::Inactive(info) => return Self::inactive(info),
        };
        let rules: Vec<Counted> = network.rules.iter().map(Counted::of).collect();
        Self {
            network: network.name.to_string(),
            state: Some(network.state),
            persistent: *persistent,
            autostart: *autostart,
            definition_differs: matches!(news, Some(DefinitionNews::Differs)),
            bridge: network.bridge.as_ref().map(ToString::to_string),
            addresses: there(network, "address", network.addresses.iter().map(ToString::to_string)),
            routes: there(network, "route", network.routes.iter().map(ToString::to_string)),
            dnsmasq: network.dnsmasq,
            leases: network.leases,
            ports: network.ports.iter().map(|(port, device)| PortJson::of(port, device, None)).collect(),
            verdicts: sums(&rules),
            rules,
            changes: changes(&network.drift),
            obstacles: &network.obstacles,
            unread: network.unread.clone(),
            runs_in_libvirt: network.runs_in_libvirt,
        }
    }

    fn inactive(info: &NetworkInfo) -> Self {
        Self {
            network: info.name.to_string(),
            state: None,
            persistent: info.is_persistent,
            autostart: info.autostart,
            definition_differs: false,
            bridge: info.bridge.as_ref().map(ToString::to_string),
            addresses: Vec::new(),
            routes: Vec::new(),
            dnsmasq: None,
            leases: None,
            ports: Vec::new(),
            rules: Vec::new(),
            verdicts: BTreeMap::new(),
            changes: Vec::new(),
            obstacles: &[],
            unread: BTreeSet::new(),
            runs_in_libvirt: false,
        }
    }
}

/// A network with what is known of its definition.
pub(crate) struct Shown {
    network: Seen,
    persistent: bool,
    autostart: bool,
    news: Option<DefinitionNews>,
}

enum Seen {
    Running(Box<NetworkStatus>),
    Inactive(Box<NetworkInfo>),
}

impl Shown {
    /// A network that runs.
    pub(crate) fn running(network: NetworkStatus, driver: &Driver) -> Result<Self, Error> {
        let name = &network.name;
        if network.runs_in_libvirt {
            let NetworkInfo { is_persistent, autostart, .. } = driver.info(name)?;
            let news = driver.definition_news(name);
            return Ok(Self { network: Seen::Running(Box::new(network)), persistent: is_persistent, autostart, news });
        }
        let persistent = driver.is_persistent(name)?;
        let autostart = persistent && driver.is_autostarted(name)?;
        let news = if persistent { driver.definition_news(name) } else { None };
        Ok(Self { network: Seen::Running(Box::new(network)), persistent, autostart, news })
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        match &self.network {
            Seen::Running(network) => network.name.to_string(),
            Seen::Inactive(info) => info.name.to_string(),
        }
    }

    /// The counters of its rules, by decision.
    pub(crate) fn verdicts(&self) -> BTreeMap<Decision, Counts> {
        match &self.network {
            Seen::Running(network) => sums(&network.rules.iter().map(Counted::of).collect::<Vec<_>>()),
            Seen::Inactive(_) => BTreeMap::new(),
        }
    }

    /// A network that is only defined.
    pub(crate) fn inactive(info: NetworkInfo) -> Self {
        let (persistent, autostart) = (info.is_persistent, info.autostart);
        Self { network: Seen::Inactive(Box::new(info)), persistent, autostart, news: None }
    }
}

/// Whether a network is as it was made, and no rule of another program blocks it.
pub(crate) fn is_well(shown: &Shown) -> bool {
    let Seen::Running(network) = &shown.network else { return true };
    matches!(network.state, State::InSync | State::Elsewhere) && !network.obstacles.iter().any(Obstacle::is_sure)
}

/// Those of these addresses or routes that the host has.
fn there(network: &NetworkStatus, kind: &str, all: impl Iterator<Item = String>) -> Vec<String> {
    all.filter(|text| !is_gone(network, &format!("{kind} {} ", text.split(' ').next().unwrap_or_default()))).collect()
}

/// Whether somebody has removed a resource whose name begins so.
fn is_gone(network: &NetworkStatus, name: &str) -> bool {
    let is_it =
        |change: &&Change| matches!(change, Change::Create { .. }) && format!("{} ", change.key()).starts_with(name);
    network.drift.iter().any(|change| is_it(&change))
}

/// For people: what is not as it was made comes first.
pub(crate) fn human(shown: &Shown) -> String {
    let status = Status::of(shown);
    let name = plain(&status.network);
    let network = match &shown.network {
        Seen::Running(network) => network,
        Seen::Inactive(info) => {
            let mut text = format!("{name}: inactive\n");
            text.extend(status.bridge.iter().map(|bridge| format!("  bridge     {bridge}\n")));
            text += &format!("  autostart  {}\n", yes_no(status.autostart));
            let trouble = info.trouble.as_ref().map(|error| plain(&unusable(info.name.as_str(), error)));
            text.extend(trouble.map(|error| format!("  kept definition cannot be used: {error}\n")));
            return text;
        }
    };
    let told = shown.news.as_ref().map(|it| format!("; {}", news(&status.network, it))).unwrap_or_default();
    let mut text = format!("{name}: {}{told}\n", words(network.state));
    if !network.drift.is_empty() {
        text.push_str(&format!("  to repair it (`vnet diff {name}` shows details, `vnet apply {name}` does it):\n"));
        text.extend(listed(&network.drift).lines().map(|change| format!("    {change}\n")));
    }
    text.push_str(&notes::obstacles(status.obstacles, Severity::Warning));
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:10} {value}\n"));
    match &status.bridge {
        Some(bridge) if is_gone(network, &format!("link {bridge} ")) => line("bridge", &format!("{bridge} (gone)")),
        Some(bridge) => line("bridge", bridge),
        None => line("bridge", "none of its own"),
    }
    if status.runs_in_libvirt {
        line("runs in", "libvirt; forwards and egress are vnet's");
    }
    status.unread.iter().for_each(|part| line("not read", unread_part(*part)));
    line("persistent", yes_no(status.persistent));
    line("autostart", yes_no(status.autostart));
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
    let counted = if is_verbose() { &status.rules[..] } else { &[] };
    for rule in counted {
        let Counts { packets, bytes } = rule.counts;
        line("rule", &format!("{packets:>10} packets {bytes:>12} bytes  {}", plain(&rule.rule)));
    }
    for (decision, Counts { packets, bytes }) in status.verdicts.iter().filter(|_| is_verbose()) {
        line(decision.words(), &format!("{packets:>10} packets {bytes:>12} bytes"));
    }
    text
}
