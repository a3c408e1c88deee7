//! Observes each kind of promise.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use vnet_lab::dns::{Question, Record};
use vnet_lab::probe::{Outcome, PORT, Transport, arrives};
use vnet_lab::{Namespace, path_mtu, ping};
use vnet_passt::Protocol;
use vnet_types::{Family, contiguous_prefix};
use vnet_xml::Network;

use super::settle::is_duid;
use super::words::{both, ports, said, unreached};
use super::{PATIENCE, Party, SUSPICION, Seen, beside, side_by_side};
use crate::error::Result;
use crate::guest::Addressing;
use crate::promise::{Place, Promise, Source, router_of};
use crate::promises::egress;
use crate::report::Verdict;

impl Party<'_> {
    pub(super) fn see(&self, promise: &Promise) -> Result<Seen> {
        Ok(match promise {
            Promise::Address { guest, address } => self.see_address(*guest, *address),
            Promise::Router { router, .. } => match &self.told[0].lease {
                None => without_address(&self.guests[0].name),
                Some(lease) => Seen(Verdict::when(lease.router.map(IpAddr::from) == *router), router_of(lease.router)),
            },
            Promise::Gateway { guest, ip } => self.with_address(*guest, Family::of(*ip), |_| {
                let namespace = &self.stations[*guest].namespace;
                let echoes = namespace.run(|| ping(*ip, Instant::now() + PATIENCE))?;
                Ok(Seen(Verdict::when(echoes), if echoes { "echo" } else { "no echo" }.to_owned()))
            })?,
            Promise::Mtu(mtu) => {
                let given = self.told[0].lease.as_ref().and_then(|lease| lease.mtu).map(u32::from);
                Seen(Verdict::when(given == Some(*mtu).filter(|mtu| *mtu > 0)), said(given.as_ref(), "none"))
            }
            Promise::Hostname(name) => self.see_name(0, name),
            Promise::Fqdn(name) => self.see_name(1, name),
            Promise::Answer { question, record } => self.see_answer(question, |records| records.contains(record))?,
            Promise::Reverse { ip, names } => self.see_answer(&Question::pointer(*ip), |records| {
                records.iter().any(|record| matches!(record, Record::Name(name) if names.contains(name)))
            })?,
            Promise::OwnName { family } => self.with_address(0, *family, |own| {
                let question = Question::address(&self.guests[0].name, own);
                self.see_answer(&question, |records| records.contains(&Record::Address(own)))
            })?,
            Promise::Forwarded { servers, domain } => self.see_forwarded(servers, domain.as_deref())?,
            Promise::BetweenGuests(family) | Promise::AcrossHosts(family) => self.between(*family, |own, other| {
                let outcome = self.probe(1, other, Transport::Tcp, PATIENCE)?;
                Ok(Seen(Verdict::when(is_seen_as(outcome, own)), outcome.to_string()))
            })?,
            Promise::Apart(family) => self.between(*family, |_, other| {
                ask_both(|transport| self.probe(1, other, transport, SUSPICION)).map(unreached)
            })?,
            Promise::Out(family, source) => self.with_each(*family, |guest, _| {
                self.stations[guest].wait_for_way(*family, Instant::now() + PATIENCE)?;
                let outside = self.uplink.outside(*family);
                let (tcp, udp) = ask_both(|transport| self.probe(guest, outside, transport, PATIENCE))?;
                let (own, host) = (self.addresses(guest), self.uplink.host(*family));
                let holds = [tcp, udp].into_iter().all(|outcome| is_from(outcome, source, &own, host));
                Ok(Seen(Verdict::when(holds), both(tcp, udp)))
            })?,
            Promise::NoWayOut(family) => self.with_each(*family, |guest, _| {
                let outside = self.uplink.outside(*family);
                let ask = || ask_both(|transport| self.probe(guest, outside, transport, SUSPICION)).map(unreached);
                self.unless_arrived(&self.stations[guest].namespace, &self.world.outside, outside, ask)
            })?,
            Promise::Reach { to, tcp, udp } => self.with_address(0, Family::of(*to), |_| {
                if *tcp || *udp {
                    self.stations[0].wait_for_way(Family::of(*to), Instant::now() + PATIENCE)?;
                }
                let ask = |transport: Transport, may: bool| {
                    let deadline = Instant::now() + if may { PATIENCE } else { SUSPICION };
                    let server = SocketAddr::new(*to, egress::PORT);
                    self.stations[0].namespace.run(|| transport.ask(server, deadline))
                };
                let asked = [ask(Transport::Tcp, *tcp)?, ask(Transport::Udp, *udp)?];
                let reached = asked.map(|outcome| matches!(outcome, Outcome::SeenAs(..)));
                Ok(Seen(Verdict::when(reached == [*tcp, *udp]), both(asked[0], asked[1])))
            })?,
            Promise::In(family) => self.with_each(*family, |guest, own| {
                self.stations[guest].wait_for_way(*family, Instant::now() + PATIENCE)?;
                let outcome = self.enter(own, PORT, Transport::Tcp, PATIENCE)?;
                let is_itself = matches!(outcome, Outcome::SeenAs(peer, _) if self.world.is_outside(peer.ip()));
                Ok(Seen(Verdict::when(is_itself), outcome.to_string()))
            })?,
            Promise::NoWayIn(family) => self.with_each(*family, |guest, own| {
                let ask = || ask_both(|transport| self.enter(own, PORT, transport, SUSPICION)).map(unreached);
                self.unless_arrived(&self.world.outside, &self.stations[guest].namespace, own, ask)
            })?,
            Promise::TooLarge(mtu) => {
                let to = SocketAddr::new(self.uplink.host(Family::Ipv4), PORT);
                let told = self.world.outside.run(|| path_mtu(to, *mtu, Instant::now() + PATIENCE))?;
                let seen = said(told.map(|told| format!("told: at most {told}")).as_ref(), "nothing was told");
                Seen(Verdict::when(told == Some(*mtu)), seen)
            }
            Promise::Route { from, behind, .. } => {
                let server = SocketAddr::new(*behind, PORT);
                let outcome = self.namespace_of(*from).run(|| Transport::Tcp.ask(server, Instant::now() + PATIENCE))?;
                let answers = matches!(outcome, Outcome::SeenAs(..));
                let seen = if answers { format!("{behind} answers") } else { format!("{behind}: {outcome}") };
                Seen(Verdict::when(answers), seen)
            }
            Promise::Port { protocol, port, at, to } => {
                let ask = |place: &Place| Ok((*place, self.ask_port(*protocol, *place, *port, to.is_some())?));
                let outcomes = side_by_side(at, ask)?;
                let holds = outcomes.iter().all(|(_, outcome)| leads_to(*outcome) == *to);
                Seen(Verdict::when(holds), ports(&outcomes))
            }
            Promise::Led { lead, from } => self.see_led(lead, from)?,
            Promise::OtherNetwork { .. } | Promise::Spoofed { .. } => {
                Seen(Verdict::Open, "only seen on a host where the network runs".to_owned())
            }
            Promise::Limit { guest, limit, with } => self.see_limit(*guest, limit, *with)?,
            Promise::Moves(family) => self.see_move(*family)?,
            Promise::Log(file) => {
                let length = fs::metadata(file).map(|about| about.len()).unwrap_or_default();
                Seen(Verdict::when(length > 0), format!("{length} bytes"))
            }
        })
    }

    fn see_address(&self, guest: usize, address: usize) -> Seen {
        let told = &self.told[guest];
        let Some(got) = told.addresses[address] else { return Seen(Verdict::Broken, "no address".to_owned()) };
        let given = told.lease.as_ref().and_then(|lease| lease.netmask).and_then(contiguous_prefix);
        match &self.guests[guest].addresses[address] {
            Addressing::Leased(_, ranges) => {
                Seen(Verdict::when(ranges.iter().any(|range| range.contains(got))), got.to_string())
            }
            Addressing::Reserved(kept) => {
                let id = self.guests[guest].duid.as_deref().filter(|id| got.is_ipv6() && !is_duid(id));
                let why = id.map(|id| format!(": no client is known by `{id}`, which is not a DUID"));
                Seen(Verdict::when(*kept == got), format!("{got}{}", why.unwrap_or_default()))
            }
            Addressing::Told(ip, prefix) if ip.is_ipv4() => {
                let holds = got == *ip && prefix.is_none_or(|prefix| given == Some(prefix));
                let widened = given.zip(*prefix).is_some_and(|(given, declared)| given < declared);
                let why = if widened { ": this passt makes room for the gateway" } else { "" };
                let given = given.map(|prefix| format!("/{prefix}")).unwrap_or_default();
                Seen(Verdict::when(holds), format!("{got}{given}{why}"))
            }
            Addressing::Told(ip, _) => Seen(Verdict::when(got == *ip), got.to_string()),
            Addressing::Advertised(net) | Addressing::Configured(net) => {
                Seen(Verdict::when(net.contains(&got)), got.to_string())
            }
        }
    }

    pub(super) fn probe(&self, guest: usize, to: IpAddr, transport: Transport, patience: Duration) -> Result<Outcome> {
        let server = SocketAddr::new(to, PORT);
        Ok(self.stations[guest].namespace.run(|| transport.ask(server, Instant::now() + patience))?)
    }

    /// Connects to an address from outside.
    fn enter(&self, at: IpAddr, port: u16, transport: Transport, patience: Duration) -> Result<Outcome> {
        let server = SocketAddr::new(at, port);
        Ok(self.world.outside.run(|| transport.ask(server, Instant::now() + patience))?)
    }

    /// What is seen by asking, unless a datagram arrives there. OVN may translate an answer, or
    /// lead it to nobody, so that who asks hears nothing of what arrived. A host refuses, and that
    /// is heard.
    fn unless_arrived(
        &self,
        from: &Namespace,
        to: &Namespace,
        address: IpAddr,
        ask: impl FnOnce() -> Result<Seen> + Send,
    ) -> Result<Seen> {
        if !self.network.is_some_and(Network::is_on_ovn) {
            return ask();
        }
        let (seen, arrived) = beside(ask, || arrives(from, to, address, Instant::now() + SUSPICION));
        Ok(if arrived? { Seen(Verdict::Broken, "a datagram arrives".to_owned()) } else { seen? })
    }

    fn ask_port(&self, protocol: Protocol, place: Place, port: u16, is_open: bool) -> Result<Outcome> {
        let transport = match protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        };
        let patience = if is_open { PATIENCE } else { SUSPICION };
        match place {
            Place::Outside(ip) => self.enter(ip, port, transport, patience),
            Place::Host(ip) => {
                let server = SocketAddr::new(ip, port);
                Ok(self.world.host.run(|| transport.ask(server, Instant::now() + patience))?)
            }
        }
    }

    /// The addresses of a guest.
    pub(crate) fn addresses(&self, guest: usize) -> Vec<IpAddr> {
        self.told.get(guest).into_iter().flat_map(|told| &told.addresses).flatten().copied().collect()
    }

    /// The first address of a guest in a family.
    pub(super) fn address(&self, guest: usize, family: Family) -> Option<IpAddr> {
        let told = self.told.get(guest)?;
        told.addresses.iter().flatten().copied().find(|address| Family::of(*address) == family)
    }

    pub(super) fn with_address(
        &self,
        guest: usize,
        family: Family,
        see: impl FnOnce(IpAddr) -> Result<Seen>,
    ) -> Result<Seen> {
        match self.address(guest, family) {
            Some(address) => see(address),
            None => Ok(without_address(&self.guests[guest].name)),
        }
    }

    /// What the second guest sees of the first, given its own address and that of the first.
    fn between(&self, family: Family, see: impl FnOnce(IpAddr, IpAddr) -> Result<Seen>) -> Result<Seen> {
        self.with_address(1, family, |own| self.with_address(0, family, |other| see(own, other)))
    }
}

/// Asks by TCP and by UDP at the same time.
fn ask_both(ask: impl Fn(Transport) -> Result<Outcome> + Sync) -> Result<(Outcome, Outcome)> {
    let (tcp, udp) = beside(|| ask(Transport::Tcp), || ask(Transport::Udp));
    Ok((tcp?, udp?))
}

fn is_seen_as(outcome: Outcome, address: IpAddr) -> bool {
    matches!(outcome, Outcome::SeenAs(peer, _) if peer.ip() == address)
}

fn is_from(outcome: Outcome, source: &Source, own: &[IpAddr], host: IpAddr) -> bool {
    let Outcome::SeenAs(peer, _) = outcome else { return false };
    match source {
        Source::Own => own.contains(&peer.ip()),
        Source::Host => peer.ip() == host,
        Source::Translated { addresses, ports } => {
            let is_ours = addresses.map_or(peer.ip() == host, |addresses| addresses.contains(peer.ip()));
            is_ours && (ports.start()..=ports.end()).contains(&peer.port())
        }
    }
}

fn leads_to(outcome: Outcome) -> Option<u16> {
    match outcome {
        Outcome::SeenAs(_, port) => Some(port),
        Outcome::Refused | Outcome::Silence => None,
    }
}

pub(super) fn without_address(guest: &str) -> Seen {
    Seen(Verdict::Unjudged, format!("{guest} has no address"))
}
