//! The result of a trial. `docs/json.md` of the program describes its shape.

use serde::{Deserialize, Serialize};
use vnet_validate::Finding;

/// The trial of some networks and guests on one imagined host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// One entry for each network definition, in order.
    pub networks: Vec<NetworkReport>,
    /// One entry for each guest behind passt, in order.
    pub interfaces: Vec<InterfaceReport>,
    /// Whether no definition was refused and no promise is broken.
    pub holds: bool,
    /// How long it took.
    pub milliseconds: u64,
}

/// Who makes a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Engine {
    /// One host, with a bridge, nftables and dnsmasq.
    Host,
    /// OVN, for several hosts.
    Ovn,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NetworkReport {
    /// Its name.
    pub network: String,
    /// Who makes it.
    pub engine: Engine,
    /// The bridge that it ran on; with OVN that of each host's guests. `None` when it was refused,
    /// or nothing was tried because another network was refused.
    pub bridge: Option<String>,
    /// Findings about the definition on the imagined host.
    pub findings: Vec<Finding>,
    /// All promises, judged.
    pub promises: Vec<Judgement>,
    /// What was not tried, and where the imagined host differs from a real one.
    pub notes: Vec<String>,
}

/// A guest behind passt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InterfaceReport {
    /// The index of its definition among the given ones.
    pub definition: usize,
    /// The version that passt prints. `None` when the guest was not tried.
    pub passt: Option<String>,
    /// All promises, judged.
    pub promises: Vec<Judgement>,
    /// What was not tried, and where the imagined host differs from a real one.
    pub notes: Vec<String>,
}

/// A promise and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Its kind.
    pub subject: Subject,
    /// The promise in words.
    pub promise: String,
    /// Whether it is kept.
    pub verdict: Verdict,
    /// What was observed.
    pub seen: String,
}

/// The verdict on a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The promise is kept.
    Kept,
    /// The promise is broken.
    Broken,
    /// The promise depends on another one that is broken.
    Unjudged,
    /// The promise was not observed: an option that only dnsmasq or passt understands may override
    /// it, or it cannot be tried here.
    Open,
}

/// The kind of a promise, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say it")]
#[non_exhaustive]
pub enum Subject {
    Lease,
    Reservation,
    Autoconfiguration,
    Router,
    Gateway,
    Dns,
    OwnName,
    DnsForwarding,
    GuestToGuest,
    Out,
    NoWayOut,
    In,
    NoWayIn,
    Route,
    OtherNetwork,
    Mtu,
    Hostname,
    Forward,
    NoForward,
    Bandwidth,
    Log,
}

impl Verdict {
    /// `Kept` if true.
    pub(crate) fn when(holds: bool) -> Self {
        if holds { Self::Kept } else { Self::Broken }
    }
}

impl Report {
    /// The report of these networks and guests.
    pub fn new(networks: Vec<NetworkReport>, interfaces: Vec<InterfaceReport>, milliseconds: u64) -> Self {
        let hold =
            |promises: &[Judgement]| promises.iter().all(|it| matches!(it.verdict, Verdict::Kept | Verdict::Open));
        let holds = networks.iter().all(|it| it.bridge.is_some() && hold(&it.promises))
            && interfaces.iter().all(|it| it.passt.is_some() && hold(&it.promises));
        Self { networks, interfaces, holds, milliseconds }
    }
}

impl NetworkReport {
    /// The report of a network that is not tried.
    pub(crate) fn refused(network: &vnet_xml::Network, findings: Vec<Finding>) -> Self {
        let engine = if network.is_on_ovn() { Engine::Ovn } else { Engine::Host };
        let network = network.name.clone();
        Self { network, engine, bridge: None, findings, promises: Vec::new(), notes: Vec::new() }
    }
}

impl InterfaceReport {
    /// The report of a guest that is not tried.
    pub(crate) fn refused(definition: usize) -> Self {
        Self { definition, passt: None, promises: Vec::new(), notes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> NetworkReport {
        NetworkReport {
            network: "n".to_owned(),
            engine: Engine::Host,
            bridge: Some("virbr0".to_owned()),
            findings: Vec::new(),
            promises: vec![Judgement {
                subject: Subject::NoWayOut,
                promise: "no way out over IPv4".to_owned(),
                verdict,
                seen: "refused".to_owned(),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_promise_that_is_not_kept_is_told() {
        let holds = |verdict| Report::new(vec![report(verdict)], Vec::new(), 12).holds;
        assert_eq!([Verdict::Kept, Verdict::Broken, Verdict::Unjudged].map(holds), [true, false, false]);
        assert!(holds(Verdict::Open));
        let refused = NetworkReport { bridge: None, promises: Vec::new(), ..report(Verdict::Kept) };
        assert!(!Report::new(vec![refused], Vec::new(), 12).holds);
    }
}
