//! `vnet status [NAME]`: how networks are.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;
use vnet_firewall::{Counts, Rule, Statement, Verdict};
use vnet_plan::{Change, Files, Intent, LinkAddress, Resource};
use vnet_types::Inventory;
use vnet_xml::Severity;

use super::leases;
use crate::changes::{ChangeJson, brief, changes};
use crate::definition::{as_it_runs, network_name};
use crate::directories::Directories;
use crate::host::{Here, Running, State};
use crate::obstacle::Obstacle;
use crate::output::{Answer, Format, FormatOption, plain, print, print_json};
use crate::port::PortJson;

/// Show how a network is, or all that run: in sync or drifted, its bridge, addresses, dnsmasq, leases, what its rules
/// have counted
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    networks: Vec<Status>,
}

#[derive(Serialize)]
struct Status {
    network: String,
    state: State,
    /// `None` where it has none of its own.
    bridge: Option<String>,
    addresses: Vec<String>,
    routes: Vec<String>,
    /// dnsmasq's process number.
    dnsmasq: Option<i32>,
    /// `None` where dnsmasq is not wanted.
    leases: Option<usize>,
    /// The guests that are attached.
    ports: Vec<PortJson>,
    rules: Vec<Counted>,
    /// What the rules have counted, by what they decide.
    verdicts: BTreeMap<Decision, Counts>,
    changes: Vec<ChangeJson>,
    /// Rules of others that are in its way.
    obstacles: Vec<Obstacle>,
    #[serde(skip)]
    guests: Vec<String>,
    #[serde(skip)]
    drift: Vec<Change>,
}

/// A rule and what it has counted.
#[derive(Serialize)]
struct Counted {
    decision: Decision,
    chain: String,
    rule: String,
    #[serde(flatten)]
    counts: Counts,
}

/// What a rule decides about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    /// It may pass.
    Accepted,
    /// It may not, and its sender is told.
    Rejected,
    /// It leaves with another source.
    Translated,
    /// It leaves as it is.
    Kept,
    /// Nothing that vnet decides: someone has changed the rule.
    Other,
}

impl Decision {
    fn of(rule: &Rule) -> Self {
        match rule.statements.last() {
            Some(Statement::Verdict(Verdict::Accept)) => Self::Accepted,
            Some(Statement::Reject(_)) => Self::Rejected,
            Some(Statement::Masquerade(_) | Statement::Snat { .. } | Statement::Verdict(Verdict::Jump(_))) => {
                Self::Translated
            }
            Some(Statement::Verdict(Verdict::Return)) => Self::Kept,
            _ => Self::Other,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Translated => "translated",
            Self::Kept => "kept",
            Self::Other => "other",
        }
    }
}

impl Args {
    /// Looks and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let wanted = match &self.network {
            None => here.all()?,
            Some(name) => {
                let name = network_name(name)?;
                match here.running(&name)? {
                    Some(running) => vec![running],
                    None => return Here::refuse_absent(&name),
                }
            }
        };
        let inventory = here.inventory()?;
        let looked = wanted.iter().map(|running| Status::look(running, &here, &inventory));
        let looked = looked.collect::<anyhow::Result<Vec<_>>>()?;
        let networks: Vec<Status> = looked.into_iter().flatten().collect();
        match self.format.format {
            Format::Json => print_json(&Report { networks })?,
            Format::Human if networks.is_empty() => print("no network runs\n")?,
            Format::Human => print(networks.iter().map(Status::human).collect::<Vec<_>>().join("\n"))?,
        }
        Ok(Answer::Yes)
    }
}

impl Status {
    /// `None` where it was stopped meanwhile.
    fn look(running: &Running, here: &Here, inventory: &Inventory) -> anyhow::Result<Option<Self>> {
        let Some((state, drift)) = here.state(running)? else { return Ok(None) };
        let mut addresses = Vec::new();
        let mut routes = Vec::new();
        let mut dnsmasq_wanted = false;
        for resource in running.desired.iter() {
            match resource {
                Resource::Address(LinkAddress { address, .. }) => addresses.push(address.net.to_string()),
                Resource::Route(route) => routes.push(route.to_string()),
                Resource::Process(_) => dnsmasq_wanted = true,
                _ => {}
            }
        }
        let directory = here.directories.store()?.directory(&running.name);
        let is_down = drift.iter().any(|change| matches!(change, Change::Create { to: Resource::Process(_) }));
        let pid = fs::read_to_string(Files::new(&directory).pid_file).ok().and_then(|pid| pid.trim().parse().ok());
        let leases = if dnsmasq_wanted { Some(leases::current(&directory)?.len()) } else { None };
        let rules = here.counts(running)?.into_iter().map(|(chain, rule, counts)| Counted {
            decision: Decision::of(&rule),
            chain,
            rule: rule.comment.clone().unwrap_or_else(|| rule.to_string()),
            counts,
        });
        let rules: Vec<Counted> = rules.collect();
        let mut verdicts = BTreeMap::<Decision, Counts>::new();
        for rule in &rules {
            let sum = verdicts.entry(rule.decision).or_default();
            sum.packets += rule.counts.packets;
            sum.bytes += rule.counts.bytes;
        }
        let ports = here.ports_of(&running.name)?;
        // Where the kept definition cannot be read, the drift says so.
        let kept = as_it_runs(&here.directories, &running.name).ok();
        let both = kept.as_ref().zip(running.bridge.as_ref());
        let intent = both.map(|(network, bridge)| Intent::of(network, bridge)).transpose()?;
        Ok(Some(Self {
            network: running.name.to_string(),
            state,
            bridge: running.bridge.as_ref().map(ToString::to_string),
            addresses,
            routes,
            dnsmasq: pid.filter(|_| dnsmasq_wanted && !is_down),
            leases,
            ports: ports.iter().map(PortJson::look).collect::<anyhow::Result<_>>()?,
            guests: ports
                .iter()
                .map(|port| {
                    format!(
                        "{} {}{}",
                        port.dev,
                        port.mac,
                        port.guest.as_ref().map(|guest| format!(" {guest}")).unwrap_or_default()
                    )
                })
                .collect(),
            rules,
            verdicts,
            changes: changes(&drift),
            obstacles: Obstacle::find(here, &running.desired, intent.as_ref(), inventory)?,
            drift,
        }))
    }

    fn human(&self) -> String {
        let mut text = format!("{}: {}\n", plain(&self.network), self.state.words());
        let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:10} {value}\n"));
        line("bridge", self.bridge.as_deref().unwrap_or("none of its own"));
        for address in &self.addresses {
            line("address", address);
        }
        for route in &self.routes {
            line("route", route);
        }
        if let Some(leases) = self.leases {
            line("dnsmasq", &self.dnsmasq.map_or_else(|| "does not run".to_owned(), |pid| format!("process {pid}")));
            line("leases", &leases.to_string());
        }
        for guest in &self.guests {
            line("guest", &plain(guest));
        }
        for rule in &self.rules {
            let Counts { packets, bytes } = rule.counts;
            line("rule", &format!("{packets:>10} packets {bytes:>12} bytes  {}", plain(&rule.rule)));
        }
        for (decision, Counts { packets, bytes }) in &self.verdicts {
            line(decision.words(), &format!("{packets:>10} packets {bytes:>12} bytes"));
        }
        text.push_str(&Obstacle::human(&self.obstacles, Severity::Warning));
        if !self.drift.is_empty() {
            text.push_str("  to repair it (`vnet diff` shows details, `vnet apply` does it):\n");
            text.extend(brief(&self.drift).lines().map(|change| format!("    {change}\n")));
        }
        text
    }
}
