//! A packet's way through the rules of everybody on this host, as the kernel tells it.

mod explain;
mod packet;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::Serialize;
use vnet_firewall::{Counts, CtState, TraceEvent, TraceFlow, TracedPacket, Tracing, Verdict};
use vnet_host::LinuxHost;
use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, Inventory, KnownPort, LinkKind, MacAddr, NetworkName};

use crate::doctor::is_called;
use crate::doctor::scratch::{MAC, Scratch};
use crate::driver::Driver;
use crate::error::Error;
use crate::network::{AddressSource, flowtable_of};

pub use explain::{TraceAnswer, TraceEnd};
use packet::{Sent, in_family};

/// What is quiet for so long has ended.
const QUIET: Duration = Duration::from_millis(300);

/// The packets to follow, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceRequest {
    /// The guest: its name, MAC address, device or address. Any address will do, also that of a
    /// guest that others run.
    pub guest: String,
    /// Where its packets go to; anywhere if `None`.
    pub to: Option<IpAddr>,
    /// Their destination port; any if `None`.
    pub port: Option<u16>,
    /// The number of their protocol: 1 for ICMP of either family, 6 for TCP, 17 for UDP; any if
    /// `None`.
    pub protocol: Option<u8>,
    /// Whether the packet begins a connection, or belongs to one. Only [`Driver::explain`] asks.
    pub connection: CtState,
    /// Whether a packet is sent in the guest's name. Otherwise the trace waits for one.
    pub send: bool,
    /// The number of packets to follow; the answers count.
    pub packets: usize,
    /// How long to wait at most.
    pub limit: Duration,
}

impl TraceRequest {
    /// Two packets of a guest, to anywhere, within half a minute.
    pub fn new(guest: impl Into<String>) -> Self {
        let limit = Duration::from_secs(30);
        let (guest, connection) = (guest.into(), CtState::New);
        Self { guest, to: None, port: None, protocol: None, connection, send: false, packets: 2, limit }
    }
}

/// What became of a packet at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TraceStep {
    /// The number of the packet, from 1.
    pub packet: usize,
    /// The packet as it is here, when it comes to a base chain: `192.168.122.7:40000 > 1.1.1.1:443
    /// tcp`.
    pub header: Option<String>,
    /// What has changed in it since the place before: it was translated.
    pub translated: Option<String>,
    /// The hook of the base chain that it is in.
    pub hook: Option<&'static str>,
    /// The family and the name of the table, as in `ip filter`. `None` when the packet has passed
    /// the hook.
    pub table: Option<String>,
    /// The chain.
    pub chain: Option<String>,
    /// The rule, with its handle; `None` at the end of a chain.
    pub rule: Option<String>,
    /// The counts of the rule, this packet among them, if it has a counter of its own.
    pub counts: Option<Counts>,
    /// What is done with it: `accept`, `drop`, `continue`, `jump CHAIN`, `passed`.
    pub verdict: String,
    /// The link that it came in by.
    pub incoming: Option<String>,
    /// The link that it leaves by.
    pub outgoing: Option<String>,
}

/// The packets of a guest, as they can be told apart.
struct Guest {
    mac: Option<MacAddr>,
    address: Option<IpAddr>,
    bridge: Option<InterfaceName>,
}

impl Driver {
    /// Follows packets of a guest and the answers to them through the rules of everybody on this
    /// host, and tells each step. `armed` is called when the trace waits for packets. The trace
    /// ends with the call; the kernel removes what arms it, even when the process is killed.
    /// Returns the number of packets.
    ///
    /// # Errors
    /// [`Error::NoGuest`]; [`Error::NotSent`] when a packet cannot be sent in the guest's name;
    /// [`Error::Host`] when the kernel refuses the trace: it needs `CAP_NET_ADMIN`, and Linux 5.12.
    pub fn trace(
        &self,
        request: &TraceRequest,
        armed: impl FnOnce(),
        mut tell: impl FnMut(&TraceStep),
    ) -> Result<usize, Error> {
        let host = self.host()?;
        let (inventory, _) = self.survey(&host, None)?;
        let guest = self.guest_of(request, &inventory)?;
        if let (true, Some(from), Some(to)) = (request.send, guest.address, request.to)
            && from.is_ipv4() != to.is_ipv4()
        {
            return Err(Error::NotSent("the guest has no known address of that family".to_owned()));
        }
        let flow = TraceFlow {
            // A packet that is sent in its name has another MAC address.
            mac: guest.mac.filter(|_| !request.send),
            address: guest.address,
            to: request.to,
            protocol: in_family(request.protocol, request.to),
            port: request.port,
        };
        let mut tracing = Tracing::begin(&format!("vnet-trace-{}", std::process::id()), &flow)?;
        armed();
        let scratch = if request.send { Some(self.send(&host, &guest, request)?) } else { None };
        let deadline = Instant::now() + request.limit;
        let mut way = Way {
            netlink: Netlink::open()?,
            packets: Vec::new(),
            last: BTreeMap::new(),
            hooks: BTreeMap::new(),
            shown: 0,
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = if way.packets.len() >= request.packets { left.min(QUIET) } else { left };
            let events = tracing.next_within(wait)?;
            // The kernel may have told more than fits: then there is nothing, and more to come.
            if left.is_zero() || events.is_empty() && way.packets.len() >= request.packets {
                break;
            }
            for event in events {
                if let Some(step) = way.step(event)? {
                    tell(&step);
                }
            }
        }
        drop(scratch);
        Ok(way.packets.len())
    }

    /// The network of a guest whose established connections may skip the rules, and a trace with
    /// them: it has a flowtable.
    ///
    /// # Errors
    /// [`Error::NoGuest`]; [`Error::Host`] when links and receipts cannot be read.
    pub fn untraced(&self, request: &TraceRequest) -> Result<Option<NetworkName>, Error> {
        let (inventory, _) = self.survey(&self.host()?, None)?;
        let Some(bridge) = self.guest_of(request, &inventory)?.bridge else { return Ok(None) };
        let network = inventory.networks.into_iter().find(|known| known.bridge.as_ref() == Some(&bridge));
        let Some(name) = network.map(|known| known.name) else { return Ok(None) };
        Ok(self.store.receipt(&name)?.filter(|receipt| !flowtable_of(receipt).is_empty()).map(|_| name))
    }

    fn guest_of(&self, request: &TraceRequest, inventory: &Inventory) -> Result<Guest, Error> {
        let given = request.guest.as_str();
        if let Ok(address) = given.parse::<IpAddr>() {
            let is_bridge = |name: &InterfaceName| {
                inventory.links.iter().any(|link| link.name == *name && matches!(link.kind, LinkKind::Bridge(_)))
            };
            let around =
                inventory.addresses.iter().filter(|(_, it)| it.net.contains(&address) && it.net.addr() != address);
            let bridge = around.map(|(name, _)| name).find(|name| is_bridge(name)).cloned();
            return Ok(Guest { mac: None, address: Some(address), bridge });
        }
        let port: Option<&KnownPort> = inventory.ports.iter().find(|port| is_called(port, given));
        let (mac, bridge) = match (port, given.parse::<MacAddr>()) {
            (Some(port), _) => (port.mac, port.bridge.clone()),
            (None, Ok(mac)) => (mac, None),
            (None, Err(_)) => return Err(Error::NoGuest(given.to_owned())),
        };
        let mut known = Vec::new();
        if let Some(network) = port.and_then(|port| port.network.as_ref()) {
            known = self.addresses(network, &[AddressSource::Lease, AddressSource::Arp])?;
        }
        let is_meant = |ip: IpAddr| request.to.is_none_or(|to| can_send_to(ip, to));
        let address = known.into_iter().find(|it| it.mac == Some(mac) && is_meant(it.ip)).map(|it| it.ip);
        Ok(Guest { mac: Some(mac), address, bridge })
    }

    /// Sends a packet in the name of a guest, from a port beside it.
    fn send(&self, host: &LinuxHost, guest: &Guest, request: &TraceRequest) -> Result<Scratch, Error> {
        let refused = |reason: &str| Error::NotSent(reason.to_owned());
        let to = request.to.ok_or_else(|| refused("give the address that it goes to"))?;
        let from = guest.address.ok_or_else(|| refused("the guest has no known address of that family"))?;
        let bridge = guest.bridge.as_ref().ok_or_else(|| refused("the guest is in no bridge of this host"))?;
        let known = host.link(bridge)?.ok_or_else(|| refused("its bridge is gone"))?;
        let mac = known.link.mac.ok_or_else(|| refused("its bridge has no MAC address"))?;
        let sent = Sent { macs: [MAC, mac], protocol: request.protocol, port: request.port };
        let packet = sent.frame(from, to).map_err(refused)?;
        let mut scratch = Scratch::beside(bridge, known.link.mtu).map_err(Error::NotSent)?;
        scratch.send(&packet);
        Ok(scratch)
    }
}

/// Whether two addresses are of one family and of one scope, so that one can send to the other.
fn can_send_to(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.is_unicast_link_local() == other.is_unicast_link_local(),
        _ => false,
    }
}

/// The way so far.
struct Way {
    netlink: Netlink,
    /// The packets, by their numbers in the kernel. A packet gets a new one where a bridge hands it
    /// to the host.
    packets: Vec<Vec<u32>>,
    /// Each packet as it was last seen, by its place in the list.
    last: BTreeMap<usize, TracedPacket>,
    /// The hook that each is at: only base chains tell it.
    hooks: BTreeMap<usize, &'static str>,
    /// The packets of which something was told.
    shown: usize,
}

impl Way {
    /// The place of a packet in the list.
    fn place(&mut self, event: &TraceEvent) -> usize {
        if let Some(at) = self.packets.iter().position(|ids| ids.contains(&event.id)) {
            return at;
        }
        let is_new = |at: usize| {
            let is_further = self.hooks.get(&at).is_some_and(|hook| *hook != "prerouting");
            is_further || event.packet.is_none() || self.last.get(&at) != event.packet.as_ref()
        };
        match self.packets.len().checked_sub(1) {
            Some(last) if !is_new(last) => {
                self.packets[last].push(event.id);
                last
            }
            _ => {
                self.packets.push(vec![event.id]);
                self.packets.len() - 1
            }
        }
    }

    /// The step to be told. `None` for what only arms the trace.
    fn step(&mut self, event: TraceEvent) -> Result<Option<TraceStep>, Error> {
        let at = self.place(&event);
        if let Some(hook) = event.hook {
            self.hooks.insert(at, hook);
        }
        if event.is_own && !event.is_passed {
            self.last.extend(event.packet.filter(|_| !self.last.contains_key(&at)).map(|packet| (at, packet)));
            return Ok(None);
        }
        let before = event.packet.and_then(|now| self.last.insert(at, now));
        let translated = before.zip(event.packet).and_then(|(before, now)| translation(before, now));
        let name = |index: Option<u32>| -> Result<Option<String>, Error> {
            let Some(index) = index else { return Ok(None) };
            Ok(self.netlink.link_name(index)?.map(|name| name.to_string()))
        };
        let place = |text: String| (!event.is_passed).then_some(text);
        // A packet that something is told of for the first time.
        let first = (at >= self.shown).then(|| before.or(event.packet)).flatten();
        self.shown = self.shown.max(at + 1);
        Ok(Some(TraceStep {
            packet: at + 1,
            header: first.or(event.packet).as_ref().map(words),
            translated,
            hook: self.hooks.get(&at).copied(),
            verdict: if event.is_passed {
                "passed".to_owned()
            } else {
                verdict(event.verdict.as_ref(), event.is_policy)
            },
            incoming: name(event.links[0])?,
            outgoing: name(event.links[1])?,
            table: place(event.table),
            chain: place(event.chain),
            rule: event.rule,
            counts: event.counts,
        }))
    }
}

fn end(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (address, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    }
}

fn ends(packet: &TracedPacket) -> [String; 2] {
    let ports = packet.ports;
    [end(packet.source, ports.map(|it| it.0)), end(packet.destination, ports.map(|it| it.1))]
}

fn words(packet: &TracedPacket) -> String {
    let protocol = match packet.protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        number => format!("protocol {number}"),
    };
    let [source, destination] = ends(packet);
    format!("{source} > {destination} {protocol}")
}

fn translation(before: TracedPacket, now: TracedPacket) -> Option<String> {
    let names = ["source", "destination"].into_iter().zip(ends(&before)).zip(ends(&now));
    let changed: Vec<String> = names
        .filter(|((_, before), now)| before != now)
        .map(|((name, before), now)| format!("{name} {before} became {now}"))
        .collect();
    (!changed.is_empty()).then(|| changed.join(", "))
}

fn verdict(verdict: Option<&Verdict>, is_policy: bool) -> String {
    let policy = if is_policy { " (policy)" } else { "" };
    match verdict {
        None => "return".to_owned(),
        Some(Verdict::Accept) => format!("accept{policy}"),
        Some(Verdict::Drop) => format!("drop{policy}"),
        Some(Verdict::Return) => "return".to_owned(),
        Some(Verdict::Jump(chain)) => format!("jump {chain}"),
        Some(Verdict::Goto(chain)) => format!("goto {chain}"),
        Some(Verdict::Other(-1)) => "continue".to_owned(),
        Some(Verdict::Other(2)) => "stolen".to_owned(),
        Some(Verdict::Other(code)) if code & 0xff == 3 => "queue".to_owned(),
        Some(Verdict::Other(code)) => format!("verdict {code}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn what_was_translated() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(end(ip("::1"), Some(5)), "[::1]:5");
        assert_eq!(end(ip("127.0.0.1"), None), "127.0.0.1");
        assert_eq!(verdict(Some(&Verdict::Drop), true), "drop (policy)");
        assert_eq!(verdict(Some(&Verdict::Jump("a".to_owned())), false), "jump a");
    }
}
