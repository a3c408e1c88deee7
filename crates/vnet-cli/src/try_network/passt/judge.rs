//! A guest behind passt asks for what it is promised, and others ask for its ports.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use vnet_passt::run::Cable;
use vnet_passt::{GuestAddress, Passt, Protocol};
use vnet_types::{Address, IpNet, Ipv4Net, MacAddr, Route, RouteProtocol, contiguous_prefix};

use super::super::judge::{AT_A_TIME, PATIENCE, SUSPICION, Seen, both};
use super::super::report::{Judgement, Verdict};
use super::super::world::{Station, World};
use super::promises::{self, Place, Promise};
use vnet_lab::dns::{Question, Record};
use vnet_lab::probe::{self, Outcome, PORT, Transport};
use vnet_lab::{dhcp4, dhcp6};

/// A guest that is connected to its passt.
pub(super) struct Behind<'a> {
    pub(super) world: &'a World,
    pub(super) passt: Passt,
    pub(super) mac: MacAddr,
    pub(super) station: Station,
    /// It is pulled when this is dropped.
    pub(super) _cable: Cable,
}

/// What the guest was told.
struct Told {
    lease: Option<dhcp4::Lease>,
    /// The address that the guest made itself, by an advertised prefix.
    own: Option<IpAddr>,
    lease6: Option<IpAddr>,
}

impl Behind<'_> {
    /// Judges these promises.
    pub(super) fn judge(&self, promises: &[Promise]) -> anyhow::Result<Vec<Judgement>> {
        let prefix = promises.iter().find_map(|promise| match promise {
            Promise::Autoconfiguration(net) => Some(*net),
            _ => None,
        });
        let told = self.settle(prefix)?;
        for port in promises::guest_ports(&self.passt, promises) {
            probe::serve(&self.station.namespace, port)?;
        }
        let mut judgements = Vec::new();
        for some in promises.chunks(AT_A_TIME) {
            let seen = thread::scope(|scope| {
                let seeing: Vec<_> = some.iter().map(|promise| scope.spawn(|| self.see(promise, &told))).collect();
                seeing.into_iter().map(|it| it.join().expect("no panic")).collect::<anyhow::Result<Vec<_>>>()
            })?;
            judgements.extend(some.iter().zip(seen).map(|(promise, Seen(verdict, seen))| Judgement {
                subject: promise.subject(),
                promise: promise.to_string(),
                verdict,
                seen,
            }));
        }
        Ok(judgements)
    }

    /// Asks for addresses, and takes what is offered.
    fn settle(&self, prefix: Option<IpNet>) -> anyhow::Result<Told> {
        let Station { namespace, device, index } = &self.station;
        let client = dhcp4::Client { mac: self.mac, hostname: "guest".to_owned() };
        let lease =
            namespace.run(|| client.lease(device, Instant::now() + PATIENCE).context("DHCP cannot be asked"))?;
        if let Some(lease) = &lease {
            let prefix = lease.netmask.and_then(contiguous_prefix).unwrap_or(32);
            self.station.add_address(Ipv4Net::new(lease.address, prefix)?.into())?;
            if let Some(router) = lease.router {
                // A router beyond the subnet is on the link, as passt tells by a route of its own (RFC 3442).
                let (destination, link) = (IpNet::from(IpAddr::V4(router)), device.clone());
                let on_link = Route { destination, gateway: None, link, metric: 0, protocol: RouteProtocol::Boot };
                namespace.netlink().add_route(&on_link)?;
                self.station.default_route(router.into())?;
            }
        }
        // Before it has one of that prefix by DHCPv6.
        let own = prefix.map(|net| self.station.advertised(net, Instant::now() + PATIENCE)).transpose()?.flatten();
        let client = dhcp6::Client::new(self.mac, "guest".to_owned());
        let lease6 =
            namespace.run(|| client.lease(*index, Instant::now() + PATIENCE).context("DHCPv6 cannot be asked"))?;
        let lease6 = lease6.map(IpAddr::V6);
        if let Some(ip) = lease6 {
            let address = Address { net: IpNet::new(ip, 64)?, broadcast: None };
            match namespace.netlink().add_address(device, &address) {
                Err(error) if !error.is_exists() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Told { lease, own, lease6 })
    }

    fn see(&self, promise: &Promise, told: &Told) -> anyhow::Result<Seen> {
        let deadline = Instant::now() + PATIENCE;
        Ok(match promise {
            Promise::Lease(GuestAddress { ip: IpAddr::V4(ip), prefix }) => match &told.lease {
                None => Seen(Verdict::Broken, "no lease".to_owned()),
                Some(lease) => {
                    let given = lease.netmask.and_then(contiguous_prefix);
                    let holds = lease.address == *ip && prefix.is_none_or(|prefix| given == Some(prefix));
                    let widened = given.zip(*prefix).is_some_and(|(given, declared)| given < declared);
                    let why = if widened { ": this passt makes room for the gateway" } else { "" };
                    let given = given.map(|prefix| format!("/{prefix}")).unwrap_or_default();
                    Seen(Verdict::when(holds), format!("{}{given}{why}", lease.address))
                }
            },
            Promise::Lease(GuestAddress { ip, .. }) => {
                Seen(Verdict::when(told.lease6 == Some(*ip)), said(told.lease6.as_ref(), "no lease"))
            }
            Promise::Autoconfiguration(_) => {
                Seen(Verdict::when(told.own.is_some()), said(told.own.as_ref(), "no address"))
            }
            Promise::Mtu(mtu) => {
                let given = told.lease.as_ref().and_then(|lease| lease.mtu).map(u32::from);
                Seen(Verdict::when(given == Some(*mtu).filter(|mtu| *mtu > 0)), said(given.as_ref(), "none"))
            }
            Promise::Hostname(name) => see_name(told, 0, name),
            Promise::Fqdn(name) => see_name(told, 1, name),
            Promise::Dns(server) => self.see_answer(told, *server)?,
            Promise::Out(family) => {
                let uplink = self.world.uplink_by(self.passt.interface.as_ref());
                let to = SocketAddr::new(uplink.outside(*family), PORT);
                let ask = |transport: Transport| self.station.namespace.run(|| transport.ask(to, deadline));
                let (tcp, udp) = (ask(Transport::Tcp)?, ask(Transport::Udp)?);
                let is_host = |it: Outcome| matches!(it, Outcome::SeenAs(peer, _) if peer.ip() == uplink.host(*family));
                Seen(Verdict::when(is_host(tcp) && is_host(udp)), both(tcp, udp))
            }
            Promise::Port { protocol, port, at, to } => {
                let outcomes = at.iter().map(|place| Ok((*place, self.ask(*protocol, *place, *port, to.is_some())?)));
                let outcomes = outcomes.collect::<anyhow::Result<Vec<_>>>()?;
                let holds = outcomes.iter().all(|(_, outcome)| leads_to(*outcome) == *to);
                Seen(Verdict::when(holds), ports(&outcomes))
            }
            Promise::Log(file) => {
                let length = fs::metadata(file).map(|about| about.len()).unwrap_or_default();
                Seen(Verdict::when(length > 0), format!("{length} bytes"))
            }
        })
    }

    fn ask(&self, protocol: Protocol, place: Place, port: u16, is_open: bool) -> anyhow::Result<Outcome> {
        let transport = match protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
        };
        let deadline = Instant::now() + if is_open { PATIENCE } else { SUSPICION };
        let (Place::Host(ip) | Place::Outside(ip)) = place;
        let ask = || Ok(transport.ask(SocketAddr::new(ip, port), deadline)?);
        match place {
            Place::Host(_) => self.world.host.run(ask),
            Place::Outside(_) => self.world.outside.run(ask),
        }
    }

    /// The guest asks the server that it was told for a name.
    fn see_answer(&self, told: &Told, expected: IpAddr) -> anyhow::Result<Seen> {
        let Some(server) = told.lease.as_ref().and_then(|lease| lease.server) else {
            return Ok(Seen(Verdict::Broken, "no server was told".to_owned()));
        };
        let question = Question::address("vnet-try.example".to_owned(), expected);
        let deadline = Instant::now() + PATIENCE;
        let records = self
            .station
            .namespace
            .run(|| question.ask(server.into(), deadline).with_context(|| format!("{question} cannot be asked")))?;
        let holds = records.iter().flatten().any(|record| *record == Record::Address(expected));
        Ok(Seen(Verdict::when(holds), format!("{server} {}", if records.is_some() { "answers" } else { "is silent" })))
    }
}

fn see_name(told: &Told, which: usize, name: &str) -> Seen {
    let given = told.lease.as_ref().and_then(|lease| lease.names[which].as_ref());
    let full = given.map(|given| given.trim_end_matches('.'));
    Seen(Verdict::when(full == Some(name.trim_end_matches('.'))), said(given, "none"))
}

fn said(value: Option<&impl ToString>, nothing: &str) -> String {
    value.map_or_else(|| nothing.to_owned(), ToString::to_string)
}

fn leads_to(outcome: Outcome) -> Option<u16> {
    match outcome {
        Outcome::SeenAs(_, port) => Some(port),
        Outcome::Refused | Outcome::Silence => None,
    }
}

/// What came of asking, with the places of which it is so.
fn ports(outcomes: &[(Place, Outcome)]) -> String {
    let word = |outcome: Outcome| match outcome {
        Outcome::SeenAs(_, port) => format!("port {port} answers"),
        Outcome::Refused | Outcome::Silence => outcome.to_string(),
    };
    let mut words: Vec<(String, Vec<String>)> = Vec::new();
    for (place, outcome) in outcomes {
        let (word, place) = (word(*outcome), place.to_string());
        match words.iter_mut().find(|(known, _)| *known == word) {
            Some((_, places)) => places.push(place),
            None => words.push((word, vec![place])),
        }
    }
    let words: Vec<_> = words.into_iter().map(|(word, places)| format!("{word} at {}", places.join(", "))).collect();
    words.join("; ")
}
