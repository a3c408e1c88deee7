//! Lets guests use what a definition promises, and judges the results.

mod led;
mod live;
mod measure;
mod names;
mod see;
mod settle;
mod words;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vnet_lab::probe;
use vnet_lab::probe::{Outcome, PORT, Transport};
use vnet_types::{EgressProtocol, Family, IpNet};
use vnet_xml::Network;

use crate::cluster::host_of;
use crate::error::Result;
use crate::guest::{Guest, may_collide};
use crate::options;
use crate::promise::{Phase, Promise};
use crate::promises::crosses;
use crate::promises::egress::lets_cross;
use crate::promises::led::leads;
use crate::report::{Judgement, Subject, Verdict};
use crate::world::{Station, Uplink, World};
use live::Ways;
use settle::{Takes, Told, settle};

/// The time limit for something that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait for something that should not happen. The firewall's rejections arrive at once.
pub(crate) const SUSPICION: Duration = Duration::from_millis(600);
/// How long a DHCP server takes for each guest to check whether an address is in use.
const PING_CHECK: Duration = Duration::from_secs(4);
/// How many promises are judged at the same time.
const AT_A_TIME: usize = 24;

/// Attached guests with what they were told: the guests of a network, or one behind passt.
pub(crate) struct Party<'a> {
    pub(crate) world: &'a World,
    /// `None` behind passt.
    pub(crate) network: Option<&'a Network>,
    pub(crate) guests: Vec<Guest>,
    uplink: &'a Uplink,
    stations: Vec<Station>,
    /// The subnets of guests, with the network's own address in each.
    subnets: Vec<IpNet>,
    told: Vec<Told>,
    /// How packets go through the rules of a real host; `None` on the imagined one.
    ways: Option<Ways>,
}

/// The observation of a promise.
struct Seen(Verdict, String);

impl<'a> Party<'a> {
    /// Lets the guests of a network get their addresses.
    pub(crate) fn of_network(
        world: &'a World,
        network: &'a Network,
        guests: Vec<Guest>,
        stations: Vec<Station>,
    ) -> Result<Self> {
        let patience = match may_collide(network, &guests) {
            true => PATIENCE + PING_CHECK * u32::try_from(guests.len()).unwrap_or(u32::MAX),
            false => PATIENCE,
        };
        let subnets = subnets(network);
        let uplink = world.uplink(network);
        for lead in leads(network, &guests) {
            if let Some(address) = lead.address {
                world.add_address(world.uplink_by(lead.device.as_ref().or(network.outgoing_device())), address)?;
            }
        }
        serve_leads(network, &guests, &stations)?;
        stations.iter().try_for_each(|station| probe::serve(&station.namespace, PORT))?;
        Self { world, network: Some(network), guests, uplink, stations, subnets, told: Vec::new(), ways: None }
            .settled(Takes::Lease, patience)
    }

    /// Lets some guests of a network that runs on this host get their addresses, the first of the
    /// list. They take no lease, and serve only each other.
    pub(crate) fn of_running(
        world: &'a World,
        network: &'a Network,
        guests: Vec<Guest>,
        stations: Vec<Station>,
    ) -> Result<Self> {
        let patience = PATIENCE + PING_CHECK * u32::try_from(stations.len()).unwrap_or(u32::MAX);
        let (subnets, uplink) = (subnets(network), world.uplink(network));
        stations.iter().try_for_each(|station| probe::serve(&station.namespace, PORT))?;
        Self { world, network: Some(network), guests, uplink, stations, subnets, told: Vec::new(), ways: None }
            .settled(Takes::Offer, patience)
    }

    /// Lets a guest behind passt get its addresses. The guest listens on these ports.
    pub(crate) fn behind_passt(
        world: &'a World,
        uplink: &'a Uplink,
        guest: Guest,
        station: Station,
        ports: impl IntoIterator<Item = u16>,
    ) -> Result<Self> {
        ports.into_iter().try_for_each(|port| probe::serve(&station.namespace, port))?;
        let subnets = guest.addresses.iter().filter_map(|how| match how {
            crate::guest::Addressing::Told(ip @ IpAddr::V6(_), _) => IpNet::new(*ip, 64).ok(),
            _ => None,
        });
        let subnets = subnets.collect();
        let (guests, stations) = (vec![guest], vec![station]);
        Self { world, network: None, guests, uplink, stations, subnets, told: Vec::new(), ways: None }
            .settled(Takes::Lease, PATIENCE)
    }

    fn settled(mut self, takes: Takes, patience: Duration) -> Result<Self> {
        let all = self.guests.iter().zip(&self.stations);
        let deadline = Instant::now() + patience;
        self.told = side_by_side(all, |(guest, station)| settle(&self.subnets, guest, station, takes, deadline))?;
        Ok(self)
    }

    /// The guests that show what holds for all: the first, and where OVN has them on several hosts,
    /// one of each.
    fn witnesses(&self, family: Family) -> impl Iterator<Item = usize> {
        let on_ovn = self.network.is_some_and(Network::is_on_ovn);
        let other = (1..self.guests.len()).find(|at| host_of(*at) != host_of(0) && self.address(*at, family).is_some());
        [0].into_iter().chain(other.filter(|_| on_ovn))
    }

    /// Observes the same with each of these guests, all at the same time.
    fn with_each(&self, family: Family, see: impl Fn(usize, IpAddr) -> Result<Seen> + Sync) -> Result<Seen> {
        let witnesses: Vec<usize> = self.witnesses(family).collect();
        let seen = side_by_side(&witnesses, |at| self.with_address(*at, family, |own| see(*at, own)))?;
        let bad = [Verdict::Broken, Verdict::Unjudged, Verdict::Open].into_iter();
        let verdict = bad.into_iter().find(|bad| seen.iter().any(|Seen(verdict, _)| verdict == bad));
        let words = match seen.iter().all(|Seen(_, words)| *words == seen[0].1) {
            true => seen[0].1.clone(),
            false => {
                let named = witnesses.iter().zip(&seen).map(|(at, it)| format!("{}: {}", self.guests[*at].name, it.1));
                named.collect::<Vec<_>>().join("; ")
            }
        };
        Ok(Seen(verdict.unwrap_or(Verdict::Kept), words))
    }

    /// Judges the promises of these phases; the others stay as they are.
    pub(crate) fn judge(
        &self,
        promises: &[Promise],
        phases: &[Phase],
        judgements: &mut [Option<Judgement>],
    ) -> Result<()> {
        let mut judged = promises.iter().zip(judgements).filter(|(promise, _)| phases.contains(&promise.phase()));
        let at_a_time = if phases.contains(&Phase::Alone) { 1 } else { AT_A_TIME };
        loop {
            let some: Vec<_> = judged.by_ref().take(at_a_time).collect();
            if some.is_empty() {
                return Ok(());
            }
            let seen = side_by_side(some.iter(), |(promise, _)| match &self.ways {
                None => self.see(promise),
                Some(ways) => self.see_on_host(promise, ways),
            })?;
            for ((promise, judgement), seen) in some.into_iter().zip(seen) {
                *judgement = Some(self.judgement(promise, seen));
            }
        }
    }

    fn judgement(&self, promise: &Promise, Seen(verdict, seen): Seen) -> Judgement {
        let (subject, text) = (promise.subject(&self.guests), promise.text(&self.guests));
        let doubt = self.network.and_then(|network| options::doubt(network, &self.guests, promise));
        let (verdict, seen) = match (verdict, doubt) {
            (Verdict::Broken | Verdict::Unjudged, Some(line)) => {
                (Verdict::Open, format!("{seen}; the dnsmasq option `{line}` may say otherwise"))
            }
            _ => (verdict, seen),
        };
        Judgement { subject, promise: text, verdict, seen }
    }

    /// Whether no guest has a route to add: each was told a default route for its families.
    pub(crate) fn have_ways(&self) -> Result<bool> {
        for station in &self.stations {
            for own in &self.subnets {
                if station.can_reach(*own)? && !station.has_way(Family::of(own.addr()))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Adds default routes to guests that were told none. A failure then shows that the network
    /// blocks the guest, and not that the guest lacks a route.
    pub(crate) fn find_ways(&self) -> Result<()> {
        self.stations.iter().try_for_each(|station| {
            self.subnets.iter().try_for_each(|own| match station.can_reach(*own)? {
                true => station.default_route(own.addr()),
                false => Ok(()),
            })
        })
    }

    /// Whether guests of this network may reach those of another one: the family, the source and
    /// the destination addresses. `None` where that is not decided here.
    pub(crate) fn crossing(&self, to: &Self) -> Option<Crossing<'a>> {
        let (from_network, to_network) = (self.network?, to.network?);
        let common = from_network.families().filter(|family| to_network.has_family(*family));
        let (family, address) = common.into_iter().find_map(|family| {
            self.address(0, family)?;
            Some((family, to.address(0, family)?))
        })?;
        let allowed =
            crosses(from_network, to_network, family)? && lets_cross(from_network, address, EgressProtocol::Tcp, PORT);
        Some(Crossing { from: &from_network.name, to: &to_network.name, family, address, allowed })
    }

    /// Judges whether they reach them.
    pub(crate) fn judge_crossing(&self, crossing: &Crossing<'_>) -> Result<Judgement> {
        let Crossing { from, to, family, address, allowed } = *crossing;
        let patience = if allowed { PATIENCE } else { SUSPICION };
        if allowed {
            self.stations[0].wait_for_way(family, Instant::now() + PATIENCE)?;
        }
        let outcome = self.probe(0, address, Transport::Tcp, patience)?;
        let verdict = Verdict::when(matches!(outcome, Outcome::SeenAs(..)) == allowed);
        let doubt = self.network.and_then(|it| options::doubt(it, &self.guests, &Promise::In(family)));
        let (verdict, seen) = match (verdict, doubt) {
            (Verdict::Broken, Some(line)) => {
                (Verdict::Open, format!("{outcome}; the dnsmasq option `{line}` may say otherwise"))
            }
            _ => (verdict, outcome.to_string()),
        };
        Ok(Judgement {
            subject: Subject::OtherNetwork,
            promise: match allowed {
                true => format!("guests of {from} reach those of {to}"),
                false => format!("guests of {from} have no way to those of {to}"),
            },
            verdict,
            seen,
        })
    }
}

/// The subnets of a network, with its own address in each.
fn subnets(network: &Network) -> Vec<IpNet> {
    network.ips.iter().filter_map(vnet_xml::network::Ip::net).collect()
}

/// Guests listen at the ports that are led to them.
fn serve_leads(network: &Network, guests: &[Guest], stations: &[Station]) -> Result<()> {
    let mut ports: Vec<(usize, u16)> = leads(network, guests)
        .iter()
        .map(|lead| (lead.guest, lead.to.port()))
        .filter(|(_, port)| *port != PORT)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    Ok(ports.into_iter().try_for_each(|(guest, port)| probe::serve(&stations[guest].namespace, port))?)
}

/// A connection from a guest of one network to a guest of another.
pub(crate) struct Crossing<'a> {
    from: &'a str,
    to: &'a str,
    family: Family,
    address: IpAddr,
    allowed: bool,
}

impl Crossing<'_> {
    /// When it is observed, as a promise is.
    pub(crate) fn phase(&self) -> Phase {
        if self.allowed { Phase::AsTold } else { Phase::OwnWay }
    }
}

/// Runs a closure for each item, all at the same time.
pub(crate) fn side_by_side<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    each: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    std::thread::scope(|scope| {
        let each = &each;
        let running: Vec<_> = items.into_iter().map(|item| scope.spawn(move || each(item))).collect();
        let ended = running.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect()
    })
}

/// Runs two closures at the same time.
pub(crate) fn beside<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
    })
}
