//! A guest that is made up for a moment: a tap in the network's bridge, which the kernel removes
//! with the process. It asks for an address, for a name, and beyond the host, as a guest does, and
//! takes nothing: no lease, and an address that nobody has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vnet_netlink::{Netlink, Tap};
use vnet_types::{InterfaceName, Ipv4Net, Link, MacAddr, TapOptions};

use super::ask::{answers, root, version};
use super::frame::{self, EVERYBODY, End, Heard};

/// dnsmasq pings an address for three seconds before it offers it.
const OFFER: Duration = Duration::from_millis(4500);
/// It does so for one guest after the other. So the second discover may wait longer.
const LATE_OFFER: Duration = Duration::from_millis(6500);
/// Spanning tree opens a port after twice its delay, which is 2 seconds at least.
const OPENS: Duration = Duration::from_millis(5000);
const ANSWER: Duration = Duration::from_millis(400);
/// dnsmasq advertises at once; other programs wait half a second.
const ADVERTISED: Duration = Duration::from_millis(900);
const ATTEMPTS: usize = 2;
/// Nobody needs to know more of those who have the same address.
const MOST_CLAIMS: usize = 8;
/// The guest's own MAC address: locally administered, and of no hypervisor.
pub(crate) const MAC: MacAddr = MacAddr([0x02, 0x76, 0x6e, 0x65, 0x74, 0x01]);
/// That of the tap: higher than others, so that no bridge takes it for itself.
const TAP_MAC: MacAddr = MacAddr([0xfe, 0xff, 0x6e, 0x65, 0x74, 0x01]);
const TRANSACTION: u32 = 0x766e_6574;

/// What the made-up guest shall try.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) bridge: InterfaceName,
    pub(super) mtu: Option<u32>,
    /// The host's address in the network.
    pub(super) gateway: Option<Ipv4Net>,
    /// The MAC address that the host answers with.
    pub(super) host: Option<MacAddr>,
    /// Addresses that somebody has.
    pub(super) taken: Vec<IpAddr>,
    /// Addresses that guests have leased.
    pub(super) leased: Vec<Ipv4Addr>,
    /// Whether to ask for an address.
    pub(super) dhcp: bool,
    /// The guest in whose name to ask, in place of its own.
    pub(super) examined: Option<MacAddr>,
    pub(super) dns: bool,
    /// Routers and name servers beyond the host.
    pub(super) routers: Vec<Ipv4Addr>,
    pub(super) name_servers: Vec<Ipv4Addr>,
    /// The host's address in the network of IPv6, where it is not tentative.
    pub(super) gateway6: Option<Ipv6Addr>,
    /// Whether to ask for routers of IPv6.
    pub(super) asks_router: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// The address that it used. `None` when none is free.
    pub(super) address: Option<Ipv4Addr>,
    /// Whether the host said that it has the gateway's address.
    pub(super) gateway: bool,
    /// Who has said that it has the gateway's address, or one that a guest has leased.
    pub(super) claims: BTreeMap<Ipv4Addr, BTreeSet<MacAddr>>,
    pub(super) offers: Vec<Offer>,
    /// Whether the host's dnsmasq has answered a question.
    pub(super) dns: bool,
    /// The routers and name servers that have answered.
    pub(super) outside: Vec<Ipv4Addr>,
    /// Who said that a packet does not arrive: the router, the type and the code of ICMP.
    pub(super) refused: Option<(Ipv4Addr, u8, u8)>,
    /// For how many seconds a router of IPv6 says that it is there.
    pub(super) router: Option<u16>,
    /// Whether the host said that it has the gateway's address of IPv6.
    pub(super) gateway6: bool,
}

/// An offer of a DHCP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) mac: MacAddr,
}

/// The made-up guest.
pub(crate) struct Scratch {
    netlink: Netlink,
    tap: InterfaceName,
    bridge: InterfaceName,
    file: File,
    me: End,
    gateway: Option<Ipv4Net>,
    findings: Findings,
    waits_for_offer: bool,
}

/// Plugs the guest in, and lets it try everything.
pub(super) fn tried(task: &Task) -> Result<Findings, String> {
    let mut scratch = Scratch::plug(task)?;
    scratch.run(task);
    Ok(std::mem::take(&mut scratch.findings))
}

impl Scratch {
    /// A guest that only sends what it is told to. The error says why there is none.
    pub(crate) fn beside(bridge: &InterfaceName, mtu: Option<u32>) -> Result<Self, String> {
        Self::plug(&Task {
            bridge: bridge.clone(),
            mtu,
            gateway: None,
            host: None,
            taken: Vec::new(),
            leased: Vec::new(),
            dhcp: false,
            examined: None,
            dns: false,
            routers: Vec::new(),
            name_servers: Vec::new(),
            gateway6: None,
            asks_router: false,
        })
    }

    fn plug(task: &Task) -> Result<Self, String> {
        let words = |error: vnet_netlink::Error| error.to_string();
        let netlink = Netlink::open().map_err(words)?;
        let bridge = netlink.link(&task.bridge).map_err(words)?.ok_or("the bridge is gone")?;
        let name = "vnetdoctor%d".parse().map_err(|_| "no name for a tap")?;
        let tap = Tap::create(&name, &TapOptions::default(), NonZeroU16::MIN).map_err(words)?;
        let name = tap.name().clone();
        let known = netlink.link(&name).map_err(words)?.ok_or("the tap is gone")?;
        // The tap itself says nothing. Without IPv6 it has nothing to be silent about.
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        let wanted = Link { mac: Some(TAP_MAC), mtu: task.mtu.or(known.link.mtu), ..known.link.clone() };
        netlink.set_link(known.index, &known.link, &wanted).map_err(words)?;
        netlink.set_controller(known.index, Some(bridge.index)).map_err(words)?;
        netlink.set_up(known.index, true).map_err(words)?;
        if !netlink.wait_until_forwarding(&name, Instant::now() + OPENS).map_err(words)? {
            return Err(format!("{} does not let a new port forward within {} s", task.bridge, OPENS.as_secs()));
        }
        let [queue] = <[_; 1]>::try_from(tap.into_queues()).map_err(|_| "the tap has no file")?;
        let me = End { mac: MAC, ip: Ipv4Addr::UNSPECIFIED };
        let (bridge, file) = (task.bridge.clone(), File::from(queue));
        let watched = task.leased.iter().copied().chain(task.gateway.map(|gateway| gateway.addr()));
        let claims = watched.map(|ip| (ip, BTreeSet::new())).collect();
        let findings = Findings { claims, ..Findings::default() };
        Ok(Self { netlink, tap: name, bridge, file, me, gateway: task.gateway, findings, waits_for_offer: false })
    }

    fn run(&mut self, task: &Task) {
        let asked = Instant::now();
        let nobody = End { mac: EVERYBODY, ip: Ipv4Addr::BROADCAST };
        // One at a time: dnsmasq pings the addresses of two guests one after the other.
        let discover = frame::discover(task.examined.unwrap_or(MAC), TRANSACTION);
        let discover = frame::udp(self.me, nobody, (68, 67), &discover);
        if task.dhcp {
            self.send(&discover);
            self.waits_for_offer = true;
        }
        if let Some(gateway) = task.gateway {
            self.try_as_guest(task, gateway);
        }
        self.try_ipv6(task);
        self.look_for_guests(task);
        self.wait_for_offer(asked + OFFER);
        if self.waits_for_offer {
            self.send(&discover);
            self.wait_for_offer(Instant::now() + LATE_OFFER);
        }
    }

    fn wait_for_offer(&mut self, until: Instant) {
        while self.waits_for_offer && Instant::now() < until {
            self.hear(until, |_, heard| matches!(heard, Heard::Udp { ports: (67, 68), .. }).then_some(()));
        }
    }

    /// Asks who has the addresses that guests have leased, and hears all who say so.
    fn look_for_guests(&mut self, task: &Task) {
        for _ in 0..ATTEMPTS {
            let is_silent = |ip: &&Ipv4Addr| self.findings.claims.get(ip).is_none_or(BTreeSet::is_empty);
            let silent: Vec<Ipv4Addr> = task.leased.iter().filter(is_silent).copied().collect();
            if silent.is_empty() {
                return;
            }
            silent.into_iter().for_each(|ip| self.send(&frame::ask(self.me, ip)));
            self.hear(Instant::now() + ANSWER, |_, _| None::<()>);
        }
    }

    fn try_ipv6(&mut self, task: &Task) {
        if let Some(gateway) = task.gateway6 {
            let is_it = |_, heard: &Heard<'_>| matches!(heard, Heard::Neighbour(ip) if *ip == gateway).then_some(());
            self.findings.gateway6 = self.exchange(|me| frame::solicit(me.mac, gateway), is_it).is_some();
        }
        if task.asks_router && self.findings.router.is_none() {
            for _ in 0..ATTEMPTS {
                self.send(&frame::solicit_routers(MAC));
                let heard =
                    self.hear(Instant::now() + ADVERTISED, |_, heard| matches!(heard, Heard::Router(_)).then_some(()));
                if heard.is_some() {
                    break;
                }
            }
        }
    }

    fn try_as_guest(&mut self, task: &Task, gateway: Ipv4Net) {
        // Rules decide about the first packet of a connection, and the kernel remembers the last
        // trial.
        let fresh = fresh();
        let host = self.exchange(
            |me| frame::ask(me, gateway.addr()),
            |_, heard| match heard {
                Heard::Here(end) if end.ip == gateway.addr() && task.host.is_none_or(|mac| mac == end.mac) => {
                    Some(*end)
                }
                _ => None,
            },
        );
        self.findings.gateway = host.is_some();
        let (Some(host), Some(address)) = (host, self.free(task, gateway)) else { return };
        self.me.ip = address;
        self.findings.address = Some(address);
        if task.dns {
            let question = version();
            let heard = self.exchange(
                |me| frame::udp(me, host, (fresh, 53), &question),
                |_, heard| match heard {
                    Heard::Udp { ports: (53, to), payload, .. } if *to == fresh && answers(payload, &question) => {
                        Some(())
                    }
                    _ => None,
                },
            );
            self.findings.dns = heard.is_some();
        }
        for (to, id) in task.routers.iter().zip(fresh..) {
            let beyond = End { ip: *to, ..host };
            let heard = self.exchange(
                |me| frame::echo(me, beyond, id),
                |_, heard| matches!(heard, Heard::Echo { from, id: of } if *from == *to && *of == id).then_some(()),
            );
            self.findings.outside.extend(heard.map(|()| *to));
        }
        for (to, port) in task.name_servers.iter().zip(fresh + 100..) {
            let (beyond, question) = (End { ip: *to, ..host }, root());
            let heard = self.exchange(
                |me| frame::udp(me, beyond, (port, 53), &question),
                |_, heard| match heard {
                    Heard::Udp { ports: (53, to), payload, .. } if *to == port && answers(payload, &question) => {
                        Some(())
                    }
                    _ => None,
                },
            );
            self.findings.outside.extend(heard.map(|()| *to));
        }
    }

    /// An address of the subnet that nobody has, from the highest on.
    fn free(&mut self, task: &Task, gateway: Ipv4Net) -> Option<Ipv4Addr> {
        let (first, last) = (gateway.network().to_bits(), gateway.broadcast().to_bits());
        let all = (first.saturating_add(1)..last).rev().map(Ipv4Addr::from_bits);
        let candidates = all.filter(|ip| *ip != gateway.addr() && !task.taken.contains(&IpAddr::V4(*ip)));
        for candidate in candidates.take(4) {
            self.send(&frame::ask(self.me, candidate));
            let somebody = self.hear(Instant::now() + ANSWER, |_, heard| match heard {
                Heard::Here(end) if end.ip == candidate => Some(()),
                _ => None,
            });
            if somebody.is_none() {
                return Some(candidate);
            }
        }
        None
    }

    /// Sends a frame, some times, until the answer is there.
    fn exchange<T>(
        &mut self,
        frame: impl Fn(End) -> Vec<u8>,
        mut read: impl FnMut(End, &Heard<'_>) -> Option<T>,
    ) -> Option<T> {
        for _ in 0..ATTEMPTS {
            self.send(&frame(self.me));
            let heard = self.hear(Instant::now() + ANSWER, &mut read);
            if heard.is_some() {
                return heard;
            }
        }
        None
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        // A frame that is lost is as one that is not answered.
        let _ = self.file.write(frame);
    }

    /// Hears frames until one is what is waited for. Meanwhile it answers who asks for it, and
    /// keeps offers.
    fn hear<T>(&mut self, until: Instant, mut read: impl FnMut(End, &Heard<'_>) -> Option<T>) -> Option<T> {
        let mut buffer = [0; 2048];
        loop {
            let left = until.checked_duration_since(Instant::now())?;
            let left = Timespec { tv_sec: i64::try_from(left.as_secs()).ok()?, tv_nsec: left.subsec_nanos().into() };
            if poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&left)).ok()? == 0 {
                return None;
            }
            let length = self.file.read(&mut buffer).ok()?;
            let Some(heard) = frame::read(&buffer[..length]) else { continue };
            if let Heard::Asked { by: end, .. } | Heard::Here(end) = &heard
                && let Some(claims) = self.findings.claims.get_mut(&end.ip)
                && claims.len() < MOST_CLAIMS
            {
                claims.insert(end.mac);
            }
            match &heard {
                Heard::Asked { by, ip } if *ip == self.me.ip && !self.me.ip.is_unspecified() => {
                    self.send(&frame::tell(self.me, *by));
                }
                Heard::Udp { from, ports: (67, 68), payload, .. } => self.offered(*from, payload),
                Heard::Router(seconds) => self.findings.router = Some(*seconds),
                Heard::Refused { from, kind, code } => self.findings.refused = Some((*from, *kind, *code)),
                _ => {}
            }
            if let Some(found) = read(self.me, &heard) {
                return Some(found);
            }
        }
    }

    fn offered(&mut self, from: End, message: &[u8]) {
        let Some((address, server)) = frame::offer(message, TRANSACTION) else { return };
        self.findings.offers.push(Offer { address, server: server.unwrap_or(from.ip), mac: from.mac });
        // Another server may be faster, and is heard too.
        if self.gateway.is_none_or(|gateway| server == Some(gateway.addr())) {
            self.waits_for_offer = false;
        }
    }
}

/// A source port that no trial has used a short time ago.
fn fresh() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ticks = now.as_millis() / 10 + u128::from(std::process::id()) * 7;
    20_000 + u16::try_from(ticks % 40_000).unwrap_or(0)
}

/// The host forgets the guest. The kernel removes the tap.
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.netlink.forget_neighbour(&self.bridge, self.me.ip.into());
        if let Ok(Some(known)) = self.netlink.link(&self.tap) {
            let _ = self.netlink.delete_link(known.index);
        }
    }
}
