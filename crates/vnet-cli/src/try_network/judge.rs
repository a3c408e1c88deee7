//! Guests do what a definition promises them, and it is seen what comes of it.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use vnet_types::{Family, InterfaceName, IpNet, Ipv4Net, contiguous_prefix};
use vnet_xml::Network;

use super::promises::{self, Addressing, Guest, Promise, Source};
use super::report::{Judgement, Verdict};
use super::words::Subject;
use super::world::{self, Station, World};
use vnet_lab::dns::{Question, Record};
use vnet_lab::probe::{self, Outcome, PORT, Transport};
use vnet_lab::{dhcp4, dhcp6, ping};

/// How long something that should happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long something that should not happen is given. What the firewall rejects is refused at once.
pub(crate) const SUSPICION: Duration = Duration::from_millis(600);
/// A DHCP server that looks whether an address is in use takes this long for each guest.
const PING_CHECK: Duration = Duration::from_secs(4);
/// How many promises are judged at a time.
pub(crate) const AT_A_TIME: usize = 24;

/// A network with its guests attached.
pub(crate) struct Inhabited<'a> {
    pub(crate) network: &'a Network,
    pub(crate) guests: Vec<Guest>,
    stations: Vec<Station>,
    /// Does the host ask a name server that is ours?
    pub(crate) has_names: bool,
    /// What each guest has got, in the order of its [`Addressing`]s.
    addresses: Vec<Vec<Option<IpAddr>>>,
}

/// What was seen of a promise.
pub(crate) struct Seen(pub(crate) Verdict, pub(crate) String);

impl<'a> Inhabited<'a> {
    /// Attaches the guests of a network and lets them get their addresses.
    pub(crate) fn new(
        world: &World,
        network: &'a Network,
        bridge: &InterfaceName,
        guests: Vec<Guest>,
    ) -> anyhow::Result<Self> {
        let macs: Vec<_> = guests.iter().map(|guest| guest.mac).collect();
        let stations = world.plug(bridge, &macs)?;
        stations.iter().try_for_each(|station| probe::serve(&station.namespace, PORT))?;
        let patience = match promises::may_collide(network, &guests) {
            true => PATIENCE + PING_CHECK * u32::try_from(guests.len())?,
            false => PATIENCE,
        };
        let settled = thread::scope(|scope| {
            let settling: Vec<_> = guests
                .iter()
                .zip(&stations)
                .map(|(guest, station)| scope.spawn(move || settle(network, guest, station, Instant::now() + patience)))
                .collect();
            settling.into_iter().map(|it| it.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
        });
        Ok(Self { network, has_names: true, addresses: settled?, guests, stations })
    }

    /// Judges every promise of the definition.
    pub(crate) fn judge(&self, world: &World) -> anyhow::Result<Vec<Judgement>> {
        let mut promises = promises::promises(self.network, &self.guests);
        promises.retain(|promise| self.has_names || !asks_the_host(promise));
        let mut judgements = Vec::new();
        for some in promises.chunks(AT_A_TIME) {
            let judged = thread::scope(|scope| {
                let judging: Vec<_> = some.iter().map(|promise| scope.spawn(|| self.see(world, promise))).collect();
                judging.into_iter().map(|it| it.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
            })?;
            judgements.extend(some.iter().zip(judged).map(|(promise, Seen(verdict, seen))| Judgement {
                subject: promise.subject(&self.guests),
                promise: promise.text(&self.guests),
                verdict,
                seen,
            }));
        }
        Ok(judgements)
    }

    /// What was left out, and where the imagined host differs from a real one.
    pub(crate) fn notes(&self) -> Vec<String> {
        let network = self.network;
        let (reservations, routes) = promises::left_out(network);
        let has =
            |is: fn(&vnet_xml::network::Dhcp) -> bool| network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).any(is);
        let with_stp = network.bridge.as_ref().is_none_or(|bridge| bridge.stp != Some(false));
        let pinged = promises::may_collide(network, &self.guests);
        let notes = [
            (with_stp, "STP paused while guests were plugged in: a port takes 4 s to forward".to_owned()),
            (
                has(|dhcp| !dhcp.ranges.is_empty()) && !pinged,
                "dnsmasq offers addresses at once: it would ping each for 3 s".to_owned(),
            ),
            (reservations > 0, format!("{reservations} more reservations were not tried")),
            (routes > 0, format!("{routes} routes were not tried: the host prefers another one to the same place")),
            (has(|dhcp| dhcp.bootp.is_some()), "booting over the network was not tried".to_owned()),
            (!self.has_names, "the host's name server was not tried: there is no /etc/resolv.conf".to_owned()),
        ];
        notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
    }

    /// Judges whether guests of this network reach those of another one, as they may or may not.
    pub(crate) fn judge_crossing(&self, to: &Self) -> anyhow::Result<Option<Judgement>> {
        let families = promises::families(self.network);
        let theirs = promises::families(to.network);
        let common = families.into_iter().filter(|family| theirs.contains(family)).find_map(|family| {
            self.address(0, family)?;
            Some((family, to.address(0, family)?))
        });
        let Some((family, address)) = common else { return Ok(None) };
        let allowed = promises::may_cross(self.network, to.network, family);
        let outcome = self.probe(0, address, Transport::Tcp, if allowed { PATIENCE } else { SUSPICION })?;
        Ok(Some(Judgement {
            subject: Subject::OtherNetwork,
            promise: match allowed {
                true => format!("guests of {} reach those of {}", self.network.name, to.network.name),
                false => format!("guests of {} have no way to those of {}", self.network.name, to.network.name),
            },
            verdict: Verdict::when(matches!(outcome, Outcome::SeenAs(..)) == allowed),
            seen: outcome.to_string(),
        }))
    }

    fn see(&self, world: &World, promise: &Promise) -> anyhow::Result<Seen> {
        match promise {
            Promise::Address { guest, address } => {
                let (how, got) = (&self.guests[*guest].addresses[*address], self.addresses[*guest][*address]);
                Ok(match got {
                    Some(got) => Seen(Verdict::when(is_as_promised(how, got)), got.to_string()),
                    None => Seen(Verdict::Broken, "no address".to_owned()),
                })
            }
            Promise::Gateway { guest, ip } => self.with_address(*guest, Family::of(*ip), |_| {
                let namespace = &self.stations[*guest].namespace;
                let echoes = namespace.run(|| ping(*ip, Instant::now() + PATIENCE))?;
                Ok(Seen(Verdict::when(echoes), if echoes { "echo" } else { "no echo" }.to_owned()))
            }),
            Promise::Answer { question, record } => self.see_answer(question, |records| records.contains(record)),
            Promise::Reverse { ip, names } => self.see_answer(&Question::pointer(*ip), |records| {
                records.iter().any(|record| matches!(record, Record::Name(name) if names.contains(name)))
            }),
            Promise::OwnName { family } => self.with_address(0, *family, |own| {
                let question = Question::address(&self.guests[0].name, own);
                self.see_answer(&question, |records| records.contains(&Record::Address(own)))
            }),
            Promise::Forwarded { servers, domain } => {
                let own = [world.name_server()];
                let servers = if servers.is_empty() { &own[..] } else { servers };
                let domain = domain.as_deref().unwrap_or("example");
                let question = Question::address(format!("vnet-try.{domain}"), servers[0]);
                self.see_answer(&question, |records| {
                    let is_asked = |record: &Record| matches!(record, Record::Address(it) if servers.contains(it));
                    records.iter().any(is_asked)
                })
            }
            Promise::BetweenGuests(family) => self.with_address(1, *family, |own| {
                self.with_address(0, *family, |other| {
                    let outcome = self.probe(1, other, Transport::Tcp, PATIENCE)?;
                    Ok(Seen(Verdict::when(is_seen_as(outcome, own)), outcome.to_string()))
                })
            }),
            Promise::Out(family, source) => self.with_address(0, *family, |own| {
                let uplink = world.uplink(self.network);
                let ask = |transport| self.probe(0, uplink.outside(*family), transport, PATIENCE);
                let (tcp, udp) = (ask(Transport::Tcp)?, ask(Transport::Udp)?);
                let host = uplink.host(*family);
                let holds = [tcp, udp].into_iter().all(|outcome| is_from(outcome, source, own, host));
                Ok(Seen(Verdict::when(holds), both(tcp, udp)))
            }),
            Promise::NoWayOut(family) => self.with_address(0, *family, |_| {
                let outside = world.uplink(self.network).outside(*family);
                let ask = |transport| self.probe(0, outside, transport, SUSPICION);
                Ok(unreached(ask(Transport::Tcp)?, ask(Transport::Udp)?))
            }),
            Promise::In(family) => self.with_address(0, *family, |own| {
                let outcome = enter(world, own, Transport::Tcp, PATIENCE)?;
                let outside = world.uplink(self.network).outside(*family);
                Ok(Seen(Verdict::when(is_seen_as(outcome, outside)), outcome.to_string()))
            }),
            Promise::NoWayIn(family) => self.with_address(0, *family, |own| {
                let ask = |transport| enter(world, own, transport, SUSPICION);
                Ok(unreached(ask(Transport::Tcp)?, ask(Transport::Udp)?))
            }),
            Promise::Route { behind, .. } => {
                let server = SocketAddr::new(*behind, PORT);
                let outcome = world.host.run(|| Transport::Tcp.ask(server, Instant::now() + PATIENCE))?;
                let seen = match outcome {
                    Outcome::SeenAs(..) => format!("{behind} answers"),
                    other => format!("{behind}: {other}"),
                };
                Ok(Seen(Verdict::when(matches!(outcome, Outcome::SeenAs(..))), seen))
            }
        }
    }

    /// Asks the network's name server from the first guest.
    fn see_answer(&self, question: &Question, holds: impl Fn(&[Record]) -> bool) -> anyhow::Result<Seen> {
        let reachable = |ip: &&vnet_xml::network::Ip| self.address(0, Family::of(ip.address)).is_some();
        let Some(ip) = self.network.ips.iter().find(reachable) else { return Ok(without_address(&self.guests[0])) };
        let namespace = &self.stations[0].namespace;
        let records = namespace.run(|| {
            question.ask(ip.address, Instant::now() + PATIENCE).with_context(|| format!("{question} cannot be asked"))
        })?;
        let seen = match &records {
            None => "no answer".to_owned(),
            Some(records) if records.is_empty() => "no such name".to_owned(),
            Some(records) => records.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        Ok(Seen(Verdict::when(holds(&records.unwrap_or_default())), seen))
    }

    fn probe(&self, guest: usize, to: IpAddr, transport: Transport, patience: Duration) -> anyhow::Result<Outcome> {
        let server = SocketAddr::new(to, PORT);
        self.stations[guest].namespace.run(|| Ok::<_, anyhow::Error>(transport.ask(server, Instant::now() + patience)?))
    }

    /// The first address of a guest in a family.
    fn address(&self, guest: usize, family: Family) -> Option<IpAddr> {
        self.addresses[guest].iter().flatten().copied().find(|address| Family::of(*address) == family)
    }

    fn with_address(
        &self,
        guest: usize,
        family: Family,
        see: impl FnOnce(IpAddr) -> anyhow::Result<Seen>,
    ) -> anyhow::Result<Seen> {
        match self.address(guest, family) {
            Some(address) => see(address),
            None => Ok(without_address(&self.guests[guest])),
        }
    }
}

/// A guest gets its addresses, and a way to everywhere: by what it is told, else through the bridge. So it is the
/// network that keeps it from somewhere, and not that it does not know the way.
fn settle(
    network: &Network,
    guest: &Guest,
    station: &Station,
    deadline: Instant,
) -> anyhow::Result<Vec<Option<IpAddr>>> {
    guest.behind.iter().try_for_each(|address| world::own(station, *address))?;
    let mut addresses = Vec::new();
    for how in &guest.addresses {
        addresses.push(match how {
            Addressing::Configured(net) => {
                station.add_address(*net)?;
                Some(net.addr())
            }
            Addressing::Advertised(net) => station.advertised(*net, deadline)?,
            Addressing::Leased(Family::Ipv4, _) | Addressing::Reserved(IpAddr::V4(_)) => {
                lease4(guest, station, deadline)?
            }
            Addressing::Leased(Family::Ipv6, _) | Addressing::Reserved(IpAddr::V6(_)) => {
                lease6(network, guest, station, deadline)?
            }
        });
    }
    addresses.iter().flatten().try_for_each(|address| station.wait_usable(*address, deadline))?;
    for ip in &network.ips {
        if addresses.iter().flatten().any(|address| ip.net().is_some_and(|net| net.contains(address))) {
            station.default_route(ip.address)?;
        }
    }
    Ok(addresses)
}

fn lease4(guest: &Guest, station: &Station, deadline: Instant) -> anyhow::Result<Option<IpAddr>> {
    let client = dhcp4::Client { mac: guest.mac, hostname: guest.name.clone() };
    let lease = station.namespace.run(|| client.lease(&station.device, deadline).context("DHCP cannot be asked"))?;
    let Some(lease) = lease else { return Ok(None) };
    let prefix = lease.netmask.and_then(contiguous_prefix).unwrap_or(32);
    station.add_address(Ipv4Net::new(lease.address, prefix)?.into())?;
    if let Some(router) = lease.router {
        station.default_route(router.into())?;
    }
    Ok(Some(lease.address.into()))
}

fn lease6(network: &Network, guest: &Guest, station: &Station, deadline: Instant) -> anyhow::Result<Option<IpAddr>> {
    let client = dhcp6::Client::new(guest.mac, guest.name.clone());
    let client = match &guest.duid {
        Some(id) => client.with_duid(id).with_context(|| format!("`{id}` is no DUID"))?,
        None => client,
    };
    let lease = station.namespace.run(|| client.lease(station.index, deadline).context("DHCPv6 cannot be asked"))?;
    let Some(address) = lease.map(IpAddr::V6) else { return Ok(None) };
    // DHCPv6 has no word of the subnet: the router advertises it, at a time of its own. The definition has it now.
    let subnet = network.ips.iter().filter_map(vnet_xml::network::Ip::net).find(|net| net.contains(&address));
    let prefix = subnet.map_or(128, |subnet| subnet.prefix_len());
    station.add_address(IpNet::new(address, prefix)?)?;
    Ok(Some(address))
}

fn asks_the_host(promise: &Promise) -> bool {
    matches!(promise, Promise::Forwarded { servers, .. } if servers.is_empty())
}

fn is_as_promised(how: &Addressing, got: IpAddr) -> bool {
    match how {
        Addressing::Leased(_, ranges) => ranges.iter().any(|range| range.contains(got)),
        Addressing::Reserved(kept) => *kept == got,
        Addressing::Advertised(net) | Addressing::Configured(net) => net.contains(&got),
    }
}

/// Someone outside asks a guest.
fn enter(world: &World, guest: IpAddr, transport: Transport, patience: Duration) -> anyhow::Result<Outcome> {
    let server = SocketAddr::new(guest, PORT);
    world.outside.run(|| Ok::<_, anyhow::Error>(transport.ask(server, Instant::now() + patience)?))
}

fn is_seen_as(outcome: Outcome, address: IpAddr) -> bool {
    matches!(outcome, Outcome::SeenAs(peer, _) if peer.ip() == address)
}

fn is_from(outcome: Outcome, source: &Source, own: IpAddr, host: IpAddr) -> bool {
    let Outcome::SeenAs(peer, _) = outcome else { return false };
    match source {
        Source::Own => peer.ip() == own,
        Source::Translated { addresses, ports } => {
            let is_ours = addresses.map_or(peer.ip() == host, |addresses| addresses.contains(peer.ip()));
            is_ours && (ports.start()..=ports.end()).contains(&peer.port())
        }
    }
}

fn unreached(tcp: Outcome, udp: Outcome) -> Seen {
    let reached = [tcp, udp].iter().any(|outcome| matches!(outcome, Outcome::SeenAs(..)));
    Seen(Verdict::when(!reached), both(tcp, udp))
}

pub(crate) fn both(tcp: Outcome, udp: Outcome) -> String {
    if tcp == udp { tcp.to_string() } else { format!("{} {tcp}, {} {udp}", Transport::Tcp, Transport::Udp) }
}

fn without_address(guest: &Guest) -> Seen {
    Seen(Verdict::Unjudged, format!("{} has no address", guest.name))
}
