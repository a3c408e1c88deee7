//! What other programs or settings of the host do against a network: rules that block it, a manager
//! that takes its links. They are reported and never changed.
//!
//! vnet's own table cannot help: an accept ends only the rules of its own base chain, and the other
//! base chains of the hook still see the packet. So the user gets the command that lets it pass in
//! the chain that drops it.

use std::fmt;

use serde::Serialize;
use vnet_firewall::{CtState, Hook, Judgement, Packet, Site};
use vnet_host::{Facts, Host, LinuxHost};
use vnet_plan::{HostState, Intent, Passage, Resource};
use vnet_types::{FilterAction, InterfaceName, Inventory};

use crate::driver::Driver;
use crate::error::Error;

/// Something that a network promises and the host does not keep: the firewall of another program
/// drops it, another program changes its links, or a setting breaks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The promise.
    promise: String,
    /// Whether it certainly fails. Otherwise it depends on something that cannot be known
    /// beforehand.
    sure: bool,
    /// The chain that drops it. `None` for rules that cannot be read: those of iptables-legacy, or
    /// any without privilege.
    #[serde(flatten)]
    site: Option<Site>,
    /// What breaks the promise, when that is not a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Commands that let it pass, for an administrator to decide on.
    leave: Vec<String>,
    /// What to do when no command lets it pass: a sentence, or a sentence with lines of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Driver {
    /// The obstacles of a state on this host. firewalld's rules are ignored for a bridge that is
    /// not yet in its zone.
    pub(crate) fn obstacles(
        &self,
        host: &LinuxHost,
        desired: &HostState,
        intent: Option<&Intent>,
        inventory: &Inventory,
    ) -> Result<Vec<Obstacle>, Error> {
        let passages = intent.map_or_else(Vec::new, |intent| intent.passages(inventory));
        if passages.is_empty() {
            return Ok(Vec::new());
        }
        let mut obstacles: Vec<Obstacle> = untranslated(desired, intent, inventory).into_iter().collect();
        let unread = Obstacle::new("what the network promises", false);
        let judged = match host.judge(passages.iter().map(|passage| &passage.packet)) {
            Err(error) if error.missing_capability().is_some() => {
                obstacles.push(unread);
                return Ok(obstacles);
            }
            judged => judged?,
        };
        let is_to_be_put = is_to_be_put(host, desired)?;
        for (passage, judgement) in passages.iter().zip(judged) {
            let (sure, site) = match judgement {
                Judgement::Passes => continue,
                Judgement::Refused(site) => (true, site),
                Judgement::Unsure(site) => (false, site),
            };
            if !(is_to_be_put && is_of_firewalld(&site)) {
                let leave = leave(&site, passage);
                obstacles.push(Obstacle { site: Some(site), leave, ..Obstacle::new(&passage.what, sure) });
            }
        }
        if host.filters_by_legacy() {
            obstacles.push(unread);
        }
        Ok(obstacles)
    }
}

impl Obstacle {
    /// Rules that cannot be read.
    fn new(promise: &str, sure: bool) -> Self {
        Self { promise: promise.to_owned(), sure, site: None, reason: None, leave: Vec::new(), remedy: None }
    }

    /// An obstacle that is no rule.
    pub(crate) fn by(promise: &str, reason: String, remedy: String) -> Self {
        Self { reason: Some(reason), remedy: Some(remedy), ..Self::new(promise, true) }
    }

    /// Whether the promise certainly fails. Otherwise it depends on something that cannot be known
    /// beforehand.
    pub fn is_sure(&self) -> bool {
        self.sure
    }

    /// Commands that let it pass, for an administrator to decide on.
    pub fn commands(&self) -> &[String] {
        &self.leave
    }

    /// What the user can do about it where no command lets it pass.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        if let Some(remedy) = &self.remedy {
            return Some(remedy.clone());
        }
        let commands: Vec<String> = self.leave.iter().map(|command| format!("`{command}`")).collect();
        (!commands.is_empty()).then(|| format!("{} lets it pass", commands.join(" and ")))
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let promise = &self.promise;
        if let Some(reason) = &self.reason {
            return write!(f, "{promise}, but {reason}");
        }
        match (&self.site, self.sure) {
            (Some(site), true) => write!(f, "{promise}, but the {site} refuses it"),
            (Some(site), false) => write!(f, "{promise}, but the {site} may refuse it"),
            (None, _) => write!(
                f,
                "{promise} may be refused by rules that vnet cannot read: those of iptables-legacy, or any where it is \
                 not root"
            ),
        }
    }
}

/// A detour of what guests send through an ifb, which bypasses connection tracking when
/// br_netfilter is on. Start and apply refuse it; br_netfilter may be switched on later.
fn untranslated(desired: &HostState, intent: Option<&Intent>, inventory: &Inventory) -> Option<Obstacle> {
    let bridge = &intent.filter(|_| inventory.bridge_netfilter)?.bridge;
    let takes_detour = |resource: &Resource| match resource {
        Resource::Filter(filter) => filter.link == *bridge && matches!(filter.action, FilterAction::Redirect(_)),
        _ => false,
    };
    desired.iter().any(takes_detour).then(|| {
        Obstacle::by(
            "guests leave translated and filtered",
            "`bridge-nf-call-iptables` or `bridge-nf-call-ip6tables` is on, and this kernel has no policer: `<outbound>` \
             of the network leads packets past connection tracking"
                .to_owned(),
            "`sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0`, or load act_police \
             and apply the network, or leave `<outbound>` out"
                .to_owned(),
        )
    })
}

/// Whether a bridge is not yet in its wanted firewalld zone.
fn is_to_be_put(host: &LinuxHost, desired: &HostState) -> Result<bool, Error> {
    let is_zone = |resource: &&Resource| matches!(resource, Resource::Zone(_));
    let zones: HostState = desired.iter().filter(is_zone).cloned().collect();
    Ok(!zones.is_empty() && host.observe(&zones, &Facts::default())? != zones)
}

/// The command that lets the packets of a promise pass: a rule in front of the one that drops them,
/// for the program that owns the chain.
fn leave(site: &Site, Passage { packet, bridge, .. }: &Passage) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || " -_.".contains(c);
    if !site.table.chars().chain(site.chain.chars()).all(word) {
        // The name must not be pasted into a shell.
        return Vec::new();
    }
    if is_of_firewalld(site) {
        return vec![format!("firewall-cmd --zone=trusted --change-interface={bridge}")];
    }
    let comes = packet.from.as_ref() == Some(bridge);
    let protocols: &[&str] = match (packet.hook, packet.port) {
        (Hook::Input, 53) => &["udp", "tcp"],
        (Hook::Input, _) => &["udp"],
        (Hook::Forward, _) => &[""],
    };
    let command = |protocol: &&str| match site.table.as_str() {
        "ip filter" => format!("iptables -I {} {}", site.chain, by_iptables(packet, bridge, comes, protocol)),
        "ip6 filter" => format!("ip6tables -I {} {}", site.chain, by_iptables(packet, bridge, comes, protocol)),
        table => format!("nft insert rule {table} {} {}", site.chain, by_nft(packet, bridge, comes, protocol)),
    };
    protocols.iter().map(command).collect()
}

fn by_iptables(packet: &Packet, bridge: &InterfaceName, comes: bool, protocol: &str) -> String {
    let device = if comes { "-i" } else { "-o" };
    let more = match (packet.hook, packet.connection) {
        (Hook::Input, _) => format!(" -p {protocol} --dport {}", packet.port),
        (Hook::Forward, CtState::Established | CtState::Ongoing) => {
            " -m conntrack --ctstate RELATED,ESTABLISHED".to_owned()
        }
        (Hook::Forward, CtState::New) => String::new(),
    };
    format!("{device} {bridge}{more} -j ACCEPT")
}

fn by_nft(packet: &Packet, bridge: &InterfaceName, comes: bool, protocol: &str) -> String {
    let device = if comes { "iifname" } else { "oifname" };
    let more = match (packet.hook, packet.connection) {
        (Hook::Input, _) => format!(" {protocol} dport {}", packet.port),
        (Hook::Forward, CtState::Established | CtState::Ongoing) => " ct state established,related".to_owned(),
        (Hook::Forward, CtState::New) => String::new(),
    };
    format!("{device} {bridge}{more} accept")
}

fn is_of_firewalld(site: &Site) -> bool {
    site.table.ends_with(" firewalld")
}
