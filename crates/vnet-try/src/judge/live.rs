//! Observes promises of a network that runs on a real host, where nobody is outside to be asked:
//! what the rules do with a packet is told by the kernel. What cannot be seen so stays open.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use vnet_driver::{Driver, TraceRequest, TraceStep};
use vnet_lab::probe::{Outcome, PORT, Transport};
use vnet_lab::{Namespace, ping};
use vnet_types::Family;

use super::see::without_address;
use super::{Party, Seen, side_by_side};
use crate::error::{Failed, Result};
use crate::guest::Addressing;
use crate::promise::Promise;
use crate::promises::egress;
use crate::report::Verdict;

/// How long an answer may take. A question is asked once in this time.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long the kernel may take to tell of the last packet.
const AFTER: Duration = Duration::from_millis(600);
/// How many packets are followed at the same time: the kernel tells much of each.
const AT_A_TIME: usize = 4;
/// The port that packets with a source of others go to, and no other packet.
const SPOOFED: u16 = 7779;
const BOTH: [Transport; 2] = [Transport::Tcp, Transport::Udp];

/// What became of packets that the first guest has sent.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    outcomes: Vec<(SocketAddr, Transport, Outcome)>,
    /// Who sent an echo back.
    echoed: BTreeSet<IpAddr>,
    steps: Vec<TraceStep>,
    /// Why the kernel told nothing.
    untold: Option<String>,
}

/// Where the way of a packet has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// A rule of somebody dropped or refused it.
    Refused(String),
    /// It left this host by a device.
    Left(String),
    /// It arrived at this host.
    Arrived,
    /// It came in, and went nowhere.
    Lost,
    /// Nothing was told of it.
    Untold,
}

impl Party<'_> {
    /// The same party, after its first guest has sent a packet of each kind that a promise is
    /// about.
    pub(crate) fn after_probes(mut self, driver: &Driver, promises: &[Promise]) -> Result<Self> {
        let mut ways = Ways::default();
        for family in [Family::Ipv4, Family::Ipv6] {
            let Some(own) = self.address(0, family) else { continue };
            let targets = promises.iter().filter_map(|promise| self.target(promise));
            let targets: BTreeSet<SocketAddr> = targets.filter(|to| Family::of(to.ip()) == family).collect();
            let probes: Vec<_> = targets.into_iter().flat_map(|to| BOTH.map(|transport| (to, transport))).collect();
            if !probes.is_empty() {
                ways.add(driver, &self.stations[0].namespace, own, &probes)?;
            }
        }
        for promise in promises {
            if let Promise::Spoofed { source } = promise {
                let station = &self.stations[0];
                station.own(*source)?;
                station.wait_usable(*source, Instant::now() + PATIENCE)?;
                ways.spoof(driver, &station.namespace, *source, self.nowhere(*source))?;
            }
        }
        self.ways = Some(ways);
        Ok(self)
    }

    /// Where a packet goes that has the source of others.
    fn nowhere(&self, source: IpAddr) -> SocketAddr {
        SocketAddr::new(self.uplink.outside(Family::of(source)), SPOOFED)
    }

    /// Where the packets go that show whether a promise is kept.
    fn target(&self, promise: &Promise) -> Option<SocketAddr> {
        match promise {
            Promise::Reach { to, .. } | Promise::OtherNetwork { to, .. } => Some(SocketAddr::new(*to, egress::PORT)),
            Promise::NoWayOut(family) | Promise::Out(family, _) => {
                Some(SocketAddr::new(self.uplink.outside(*family), PORT))
            }
            _ => None,
        }
    }

    pub(super) fn see_on_host(&self, promise: &Promise, ways: &Ways) -> Result<Seen> {
        let open = |why: &str| Ok(Seen(Verdict::Open, why.to_owned()));
        match promise {
            Promise::Address { guest, .. } | Promise::Gateway { guest, .. } if *guest >= self.stations.len() => {
                open("not asked in the name of another guest")
            }
            Promise::Address { guest, address } => match (self.see(promise)?, &self.guests[*guest].addresses[*address])
            {
                (Seen(Verdict::Kept, seen), Addressing::Leased(..)) => {
                    Ok(Seen(Verdict::Kept, format!("{seen} was offered")))
                }
                (seen, _) => Ok(seen),
            },
            Promise::Router { .. }
            | Promise::Gateway { .. }
            | Promise::Mtu(_)
            | Promise::Hostname(_)
            | Promise::Fqdn(_)
            | Promise::Answer { .. }
            | Promise::Reverse { .. }
            | Promise::BetweenGuests(_)
            | Promise::AcrossHosts(_)
            | Promise::Apart(_) => self.see(promise),
            Promise::Reach { to, tcp, udp } | Promise::OtherNetwork { to, tcp, udp, .. } => {
                let to = SocketAddr::new(*to, egress::PORT);
                Ok(self.between_ways(to, [*tcp, *udp], ways))
            }
            Promise::NoWayOut(family) => {
                Ok(self.between_ways(SocketAddr::new(self.uplink.outside(*family), PORT), [false; 2], ways))
            }
            Promise::Out(family, _) => {
                let to = SocketAddr::new(self.uplink.outside(*family), PORT);
                // Who could tell the address that it sees is nobody.
                Ok(match self.between_ways(to, [true; 2], ways) {
                    Seen(Verdict::Kept, seen) => Seen(Verdict::Open, seen),
                    seen => seen,
                })
            }
            Promise::Spoofed { source } => Ok(match &ways.untold {
                Some(why) => Seen(Verdict::Open, format!("no packet could be followed: {why}")),
                None => ways.spoofed(self.nowhere(*source)),
            }),
            Promise::OwnName { .. } => open("the made-up guest takes no lease"),
            Promise::Forwarded { .. } => open("who was asked cannot be seen from here"),
            Promise::In(_) | Promise::NoWayIn(_) | Promise::TooLarge(_) => {
                open("nobody outside can be told to connect")
            }
            Promise::Route { .. } | Promise::Led { .. } => open("the guest it leads to was not asked"),
            Promise::Limit { .. } => open("measuring would take bandwidth from guests"),
            Promise::Port { .. } | Promise::Log(_) | Promise::Moves(_) => open("not asked"),
        }
    }

    /// What was seen by TCP and by UDP, each of which may be promised.
    fn between_ways(&self, to: SocketAddr, promised: [bool; 2], ways: &Ways) -> Seen {
        if self.address(0, Family::of(to.ip())).is_none() {
            return without_address(&self.guests[0].name);
        }
        if let Some(why) = &ways.untold {
            return Seen(Verdict::Open, format!("no packet could be followed: {why}"));
        }
        let seen: Vec<(Verdict, String)> =
            BOTH.into_iter().zip(promised).map(|(transport, may)| ways.seen(to, transport, may)).collect();
        let verdict = [Verdict::Broken, Verdict::Open].into_iter().find(|it| seen.iter().any(|(other, _)| other == it));
        let words = match seen[0].1 == seen[1].1 {
            true => seen[0].1.clone(),
            false => format!("{} {}, {} {}", Transport::Tcp, seen[0].1, Transport::Udp, seen[1].1),
        };
        Seen(verdict.unwrap_or(Verdict::Kept), words)
    }
}

impl Ways {
    /// Sends from an address, some packets at a time, while the kernel tells of those that come
    /// from there.
    fn add(
        &mut self,
        driver: &Driver,
        namespace: &Namespace,
        own: IpAddr,
        probes: &[(SocketAddr, Transport)],
    ) -> Result<()> {
        let ask_all = || {
            let targets: BTreeSet<IpAddr> = probes.iter().map(|(to, _)| to.ip()).collect();
            let echoes = side_by_side(targets, |to| {
                // Who refuses sends no echo.
                let echoes = namespace.run(|| ping(to, Instant::now() + PATIENCE)).unwrap_or(false);
                Ok(Some(to).filter(|_| echoes))
            })?;
            let mut outcomes = Vec::new();
            for some in probes.chunks(AT_A_TIME) {
                outcomes.extend(side_by_side(some, |(to, transport)| {
                    let outcome = namespace.run(|| transport.ask(*to, Instant::now() + PATIENCE))?;
                    Ok((*to, *transport, outcome))
                })?);
            }
            Ok::<_, Failed>((echoes, outcomes))
        };
        let rounds = u32::try_from(probes.len().div_ceil(AT_A_TIME)).unwrap_or(u32::MAX);
        let (echoes, outcomes) = self.follow(driver, own, PATIENCE * (rounds + 1) + AFTER, ask_all)?;
        self.echoed.extend(echoes.into_iter().flatten());
        self.outcomes.extend(outcomes);
        Ok(())
    }

    /// Sends a datagram with a source that the guest must not have.
    fn spoof(&mut self, driver: &Driver, namespace: &Namespace, source: IpAddr, to: SocketAddr) -> Result<()> {
        // If our own kernel refuses to send, nothing is told of a packet.
        let send = || Ok(namespace.run(|| UdpSocket::bind((source, 0)).and_then(|socket| socket.send_to(&[0], to))));
        self.follow(driver, source, PATIENCE + AFTER, send).map(drop)
    }

    /// Does something while the kernel tells of packets from an address.
    fn follow<T: Send>(
        &mut self,
        driver: &Driver,
        from: IpAddr,
        limit: Duration,
        act: impl Fn() -> Result<T> + Sync,
    ) -> Result<T> {
        let mut request = TraceRequest::new(from.to_string());
        request.packets = usize::MAX;
        request.limit = limit;
        let before = self.steps.iter().map(|step| step.packet).max().unwrap_or(0);
        let (asked, traced) = thread::scope(|scope| {
            let mut asking = None;
            let armed = || asking = Some(scope.spawn(&act));
            let traced = driver.trace(&request, armed, |step| {
                let mut step = step.clone();
                step.packet += before;
                self.steps.push(step);
            });
            let asked = match asking {
                Some(asking) => asking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                None => act(),
            };
            (asked, traced)
        });
        self.untold = self.untold.take().or(traced.err().map(|error| error.to_string()));
        asked
    }

    fn spoofed(&self, to: SocketAddr) -> Seen {
        let (verdict, seen) = match self.way(to, Transport::Udp) {
            Way::Refused(by) => (Verdict::Kept, format!("refused by {by}")),
            Way::Lost => (Verdict::Kept, "this host sent it nowhere".to_owned()),
            Way::Left(device) => (Verdict::Broken, format!("it left this host by {device}")),
            Way::Arrived => (Verdict::Broken, "it arrived at this host".to_owned()),
            Way::Untold => (Verdict::Open, "the kernel told of no packet".to_owned()),
        };
        Seen(verdict, seen)
    }

    fn seen(&self, to: SocketAddr, transport: Transport, may: bool) -> (Verdict, String) {
        let asked = self.outcomes.iter().find(|(at, by, _)| *at == to && *by == transport);
        let is_seen = asked.is_some_and(|(.., outcome)| matches!(outcome, Outcome::SeenAs(..)));
        let answered = is_seen || self.echoed.contains(&to.ip());
        match (self.way(to, transport), may) {
            (Way::Refused(by), may) => (Verdict::when(!may), format!("refused by {by}")),
            (Way::Left(device), false) => (Verdict::Broken, format!("it left this host by {device}")),
            (Way::Left(device), true) if answered => {
                (Verdict::Kept, format!("it left by {device}, and {} answers", to.ip()))
            }
            (Way::Left(device), true) => (Verdict::Open, format!("it left by {device}, and nobody answered")),
            (Way::Arrived, may) => (Verdict::when(may), "it arrived at this host".to_owned()),
            (Way::Lost, _) => (Verdict::Open, "this host has no way to it".to_owned()),
            (Way::Untold, _) => (Verdict::Open, "the kernel told of no packet".to_owned()),
        }
    }

    /// The way of the packets to an address: the one that went furthest.
    fn way(&self, to: SocketAddr, transport: Transport) -> Way {
        let end = format!("> {to} {}", transport.to_string().to_lowercase());
        let is_it = |step: &&TraceStep| step.header.as_ref().is_some_and(|header| header.ends_with(&end));
        let packets: Vec<usize> = self.steps.iter().filter(is_it).map(|step| step.packet).collect();
        let steps = || self.steps.iter().filter(|step| packets.contains(&step.packet));
        if let Some(left) = steps().find(|step| step.verdict == "passed" && step.hook == Some("postrouting")) {
            return Way::Left(left.outgoing.clone().unwrap_or_else(|| "a device".to_owned()));
        }
        if let Some(refused) = steps().find(|step| step.verdict.starts_with("drop")) {
            let place = [&refused.table, &refused.chain].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
            return Way::Refused(place);
        }
        if steps().any(|step| step.verdict == "passed" && step.hook == Some("input")) {
            return Way::Arrived;
        }
        if packets.is_empty() { Way::Untold } else { Way::Lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_of_which_nothing_is_told_is_not_judged() {
        let to: SocketAddr = ([10, 0, 0, 1], 7).into();
        let ways = Ways { outcomes: vec![(to, Transport::Udp, Outcome::Refused)], ..Ways::default() };
        for may in [false, true] {
            assert_eq!(ways.seen(to, Transport::Udp, may).0, Verdict::Open);
        }
    }
}
