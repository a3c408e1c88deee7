//! A packet's way as the rules say it, without a packet.

use serde::Serialize;
use vnet_firewall::{CtState, Deed, ExplainedEnd, ExplainedStep, Firewall, Hook, Packet};
use vnet_netlink::{Netlink, Traveller};

use super::{TraceRequest, TraceStep, end, verdict};
use crate::driver::Driver;
use crate::error::Error;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What the rules of everybody on this host do with the first packet of a connection.
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
    /// Explains from the rules and routes as they stand what becomes of the first packet of a
    /// connection. Nothing is sent or armed. Without a protocol it is of TCP, without a port it
    /// goes to 443, or to 53 by UDP.
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
        let udp = match request.protocol {
            None | Some(TCP) => false,
            Some(UDP) => true,
            Some(_) => return Err(refused("only TCP and UDP can be explained")),
        };
        let port = request.port.unwrap_or(if udp { 53 } else { 443 });
        let netlink = Netlink::open()?;
        let way = netlink.way(&Traveller { to, from: Some(source), incoming: Some(bridge.clone()) })?;
        let way = match way {
            Ok(way) => way,
            Err(none) => {
                let reason = format!("this host has no way to {to}: {none}");
                return Ok(TraceAnswer { steps: Vec::new(), answer: TraceEnd::Refused, reason });
            }
        };
        let hook = if way.local { Hook::Input } else { Hook::Forward };
        let outgoing = way.link.filter(|_| !way.local);
        let packet = Packet {
            hook,
            from: Some(bridge.clone()),
            to: outgoing.clone(),
            source,
            destination: to,
            udp,
            port,
            connection: CtState::New,
        };
        let explained = Firewall::open()?.explain(&packet)?;
        let protocol = if udp { "udp" } else { "tcp" };
        let header = format!("{} > {} {protocol}", end(source, None), end(to, Some(port)));
        let last = explained.steps.last().map(|step| step.site.to_string()).unwrap_or_default();
        let (answer, reason) = match explained.end {
            ExplainedEnd::Passes => {
                let to = outgoing.as_ref().map_or("this host".to_owned(), ToString::to_string);
                (TraceEnd::Passes, format!("no rule refuses it on its way to {to}"))
            }
            ExplainedEnd::Refused => (TraceEnd::Refused, format!("{last} refuses it")),
            ExplainedEnd::Unknown => (TraceEnd::Unknown, format!("what comes after {last} is not known")),
        };
        let steps = explained.steps.into_iter().enumerate().map(|(at, step)| TraceStep {
            packet: 1,
            header: (at == 0).then(|| header.clone()),
            translated: None,
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

fn deed(step: &ExplainedStep) -> String {
    match &step.deed {
        Deed::Verdict(it) => verdict(Some(it), step.site.rule.is_none()),
        Deed::Rejects => "drop (reject)".to_owned(),
        Deed::Translates => "translates".to_owned(),
        Deed::Unknown => "not understood".to_owned(),
    }
}
