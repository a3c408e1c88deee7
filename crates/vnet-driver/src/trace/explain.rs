//! A packet's way as the rules say it, without a packet.

use serde::Serialize;
use vnet_firewall::{Carried, CtState, Deed, ExplainedEnd, ExplainedStep, Firewall, Hook, Packet};
use vnet_netlink::{Netlink, Traveller};

use super::{TraceRequest, TraceStep, end, verdict};
use crate::driver::Driver;
use crate::error::Error;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// What the rules of everybody on this host do with a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TraceAnswer {
    /// The rules that decide something, in order.
    pub steps: Vec<TraceStep>,
    /// Whether it passes.
    pub answer: TraceEnd,
    /// What that depends on, in words.
    pub reason: String,
}

/// How the way of a packet ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceEnd {
    /// All rules let it pass.
    Passes,
    /// It is refused, or has no way.
    Refused,
    /// A rule is not understood.
    Unknown,
}

impl Driver {
    /// Explains from the rules and routes as they stand what becomes of a packet: the first of a
    /// connection, or another as [`TraceRequest::connection`] says. Nothing is sent or armed.
    /// Without a protocol it is of TCP, without a port it goes to 443, or to 53 by UDP. An answer
    /// comes from that port.
    ///
    /// # Errors
    /// [`Error::NoGuest`]; [`Error::NotSent`] when the guest has no address or bridge, or for
    /// another protocol; [`Error::Host`] when the rules cannot be read.
    pub fn explain(&self, request: &TraceRequest) -> Result<TraceAnswer, Error> {
        let refused = |reason: &str| Error::NotSent(reason.to_owned());
        let (inventory, _) = self.survey(&self.host()?, None)?;
        let guest = self.guest_of(request, &inventory)?;
        let to = request.to.ok_or_else(|| refused("give the address that it goes to"))?;
        let source = guest.address.ok_or_else(|| refused("the guest has no known address of that family"))?;
        if source.is_ipv4() != to.is_ipv4() {
            return Err(refused("the guest has no known address of that family"));
        }
        let bridge = guest.bridge.ok_or_else(|| refused("the guest is in no bridge of this host"))?;
        let carries = match request.protocol {
            None | Some(TCP) => Carried::Tcp,
            Some(UDP) => Carried::Udp,
            Some(ICMP | ICMPV6) => Carried::Echo,
            Some(_) => return Err(refused("only ICMP, TCP and UDP can be explained")),
        };
        let port = request.port.unwrap_or(if carries == Carried::Udp { 53 } else { 443 });
        let (netlink, firewall) = (Netlink::open()?, Firewall::open()?);
        let (from, connection) = (Some(bridge.clone()), request.connection);
        let mut packet =
            Packet { hook: Hook::Forward, from, to: None, source, destination: to, carries, port, connection };
        let mut steps: Vec<(ExplainedStep, Option<String>)> = Vec::new();
        let mut led = None;
        let (answer, reason) = loop {
            let to = packet.destination;
            let way = netlink.way(&Traveller { to, from: Some(source), incoming: Some(bridge.clone()) })?;
            let way = match way {
                Ok(way) => way,
                Err(none) => break (TraceEnd::Refused, format!("this host has no way to {to}: {none}")),
            };
            packet.hook = if way.local { Hook::Input } else { Hook::Forward };
            packet.to = way.link.filter(|_| !way.local);
            let explained = match led {
                None => firewall.explain(&packet)?,
                Some(_) => firewall.explain_led(&packet)?,
            };
            steps.extend(explained.steps.into_iter().map(|step| (step, None)));
            let last = steps.last().map(|(step, _)| step.site.to_string()).unwrap_or_default();
            match explained.end {
                ExplainedEnd::Passes => {
                    let to = packet.to.as_ref().map_or("this host".to_owned(), ToString::to_string);
                    break (TraceEnd::Passes, format!("no rule refuses it on its way to {to}"));
                }
                ExplainedEnd::Refused => break (TraceEnd::Refused, format!("{last} refuses it")),
                // Nobody leads a packet twice.
                ExplainedEnd::Led(target) if led.is_none() => {
                    let before = place(&packet);
                    (packet.destination, packet.port) = (target.ip(), target.port());
                    led = Some(target);
                    let words = format!("destination {before} became {}", place(&packet));
                    if let Some((_, translated)) = steps.iter_mut().rfind(|(step, _)| step.deed == Deed::Translates) {
                        *translated = Some(words);
                    }
                }
                ExplainedEnd::Led(_) | ExplainedEnd::Unknown => {
                    break (TraceEnd::Unknown, format!("what comes after {last} is not known"));
                }
            }
        };
        let first = Packet { destination: to, port, ..packet };
        let header = header(&first);
        let steps = steps.into_iter().enumerate().map(|(at, (step, translated))| TraceStep {
            packet: 1,
            header: (at == 0).then(|| header.clone()),
            translated,
            hook: Some(step.hook),
            verdict: deed(&step),
            incoming: (at == 0).then(|| bridge.to_string()),
            outgoing: None,
            table: Some(step.site.table),
            chain: Some(step.site.chain),
            rule: step.site.rule,
            counts: None,
        });
        Ok(TraceAnswer { steps: steps.collect(), answer, reason })
    }
}

/// Where it goes, with the port if it has one.
fn place(packet: &Packet) -> String {
    let has_port = packet.carries != Carried::Echo && packet.connection != CtState::Established;
    end(packet.destination, Some(packet.port).filter(|_| has_port))
}

fn header(packet: &Packet) -> String {
    let from = Some(packet.port).filter(|_| packet.connection == CtState::Established);
    let protocol = match (packet.carries, packet.source.is_ipv4()) {
        (Carried::Tcp, _) => "tcp",
        (Carried::Udp, _) => "udp",
        (Carried::Echo, true) => "icmp",
        (Carried::Echo, false) => "icmpv6",
    };
    let from = from.filter(|_| packet.carries != Carried::Echo);
    format!("{} > {} {protocol}", end(packet.source, from), place(packet))
}

fn deed(step: &ExplainedStep) -> String {
    match &step.deed {
        Deed::Verdict(it) => verdict(Some(it), step.site.rule.is_none()),
        Deed::Rejects => "drop (reject)".to_owned(),
        Deed::Translates => "translates".to_owned(),
        Deed::Unknown => "not understood".to_owned(),
    }
}
