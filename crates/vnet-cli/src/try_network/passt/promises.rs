//! What a guest's interface on passt promises (<https://libvirt.org/formatdomain.html#userspace-connection-using-passt>).

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use vnet_passt::{ForwardedRange, GuestAddress, Passt, PortForward, Protocol, Target};
use vnet_types::{Family, InterfaceName, IpNet};
use vnet_xml::Interface;
use vnet_xml::interface::Source;

use super::super::words::{Subject, word};
use super::super::world::World;

/// The most ports of a forward that are tried.
const MOST_PORTS: usize = 12;
/// From here on the kernel gives ports to those who ask for any, and passt leaves them out where all are meant.
const EPHEMERAL: u16 = 32768;

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The guest gets this address by DHCP or DHCPv6, with this prefix where one is declared.
    Lease(GuestAddress),
    /// It makes itself an address in the prefix that is advertised.
    Autoconfiguration(IpNet),
    /// It is told an MTU; none where 0.
    Mtu(u32),
    /// It is told its name.
    Hostname(String),
    /// It is told its full name.
    Fqdn(String),
    /// It is told a name server, which answers: the host's.
    Dns(IpAddr),
    /// It reaches the outside.
    Out(Family),
    /// A port of the host leads to a port of the guest, or nowhere, wherever it is asked.
    Port { protocol: Protocol, port: u16, at: Vec<Place>, to: Option<u16> },
    /// passt writes a log.
    Log(PathBuf),
}

/// Where a port is asked: an address of the host, by itself or from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Host(IpAddr),
    Outside(IpAddr),
}

impl Place {
    pub(crate) fn ip(self) -> IpAddr {
        match self {
            Self::Host(ip) | Self::Outside(ip) => ip,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(ip) => write!(f, "{ip}"),
            Self::Outside(ip) => write!(f, "{ip} from outside"),
        }
    }
}

/// Every promise of a guest, in the order of its elements.
pub(crate) fn promises(passt: &Passt, world: &World) -> Vec<Promise> {
    let uplink = world.uplink_by(passt.interface.as_ref());
    let declared = |family| passt.addresses.iter().copied().find(|it| Family::of(it.ip) == family);
    let families = [Family::Ipv4, Family::Ipv6];
    let address = |family| declared(family).unwrap_or(GuestAddress { ip: uplink.host(family), prefix: None });
    let mut promises: Vec<Promise> = families.map(|family| Promise::Lease(address(family))).into();
    let prefix = IpNet::new(address(Family::Ipv6).ip, 64).expect("a prefix of IPv6").trunc();
    promises.push(Promise::Autoconfiguration(prefix));
    promises.extend(passt.mtu.map(Promise::Mtu));
    promises.extend(passt.hostname.clone().map(Promise::Hostname));
    promises.extend(passt.fqdn.clone().map(Promise::Fqdn));
    promises.push(Promise::Dns(world.name_server()));
    promises.extend(families.map(Promise::Out));
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let ports: BTreeSet<u16> = passt
            .forwards
            .iter()
            .filter(|forward| forward.protocol == protocol)
            .flat_map(|forward| samples(forward).into_iter().take(MOST_PORTS))
            .chain(idle(passt, protocol))
            .collect();
        promises.extend(ports.into_iter().flat_map(|port| of_port(passt, world, protocol, port)));
    }
    promises.extend(passt.log_file.clone().map(Promise::Log));
    promises
}

/// What was left out, and where the imagined host differs from a real one.
pub(crate) fn notes(interface: &Interface, has_names: bool) -> Vec<String> {
    let is_shared = matches!(interface.source, Source::Vhostuser(_));
    let log = interface.backend.as_ref().and_then(|backend| backend.log_file.as_ref());
    let has_more = |forward: &vnet_xml::interface::PortForward| forward.ranges.len() * 3 > MOST_PORTS;
    let notes = [
        (is_shared, "the guest was connected by a stream: no memory is shared here".to_owned()),
        (
            log.is_some(),
            format!("whether {} can be written was not tried: the log was another file", log.map_or("", |it| it)),
        ),
        (interface.port_forwards.iter().any(has_more), "not every range of ports was tried".to_owned()),
        (!has_names, "the host's name server was not tried: there is no /etc/resolv.conf".to_owned()),
    ];
    notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
}

/// The ports of the guest that somebody has to be at, for what is forwarded and for what is not to be.
pub(crate) fn guest_ports(passt: &Passt, promises: &[Promise]) -> BTreeSet<u16> {
    let asked = promises.iter().filter_map(|promise| match promise {
        Promise::Port { port, to, .. } => Some((*port, *to)),
        _ => None,
    });
    let ranges = || passt.forwards.iter().flat_map(|forward| &forward.ports.ranges);
    // Where a port would lead that is excluded.
    let targets = |port: u16| {
        let within = ranges().filter(move |range| (range.start()..=range.last()).contains(&port));
        within.filter_map(move |range| match range.target() {
            Target::From(first) => Some(first + (port - range.start())),
            Target::Same | Target::Excluded => None,
        })
    };
    asked.flat_map(|(port, to)| [port].into_iter().chain(to).chain(targets(port))).collect()
}

/// Ports at the ends of the ranges, and beside them.
fn samples(forward: &PortForward) -> Vec<u16> {
    let ends = |range: &ForwardedRange| [Some(range.start()), Some(range.last()), range.last().checked_add(1)];
    let mut ports: Vec<u16> = forward.ports.ranges.iter().flat_map(ends).flatten().collect();
    if forward.ports.takes_what_is_free() {
        let open = forward.ports.open();
        let mut open = open.ports().filter(|port| (1024..EPHEMERAL).contains(port));
        let ends = [open.next(), open.next_back()];
        ports.splice(0..0, ends.into_iter().flatten());
        ports.retain(|port| *port < EPHEMERAL);
    }
    ports
}

/// A port that nobody forwards, where there is one.
fn idle(passt: &Passt, protocol: Protocol) -> Option<u16> {
    let is_idle = |port: &u16| {
        let mut forwards = passt.forwards.iter().filter(|forward| forward.protocol == protocol);
        forwards.all(|forward| target(forward, *port).is_none())
    };
    (7777..EPHEMERAL).find(is_idle)
}

/// What a port promises, at each place where it can be asked.
fn of_port(passt: &Passt, world: &World, protocol: Protocol, port: u16) -> Vec<Promise> {
    let mut by_target: Vec<(Option<u16>, Vec<Place>)> = Vec::new();
    let named = |place: Place| passt.forwards.iter().any(|forward| forward.ports.address == Some(place.ip()));
    for (place, device) in places(passt, world) {
        let forwards = passt.forwards.iter().filter(|forward| forward.protocol == protocol);
        let mut leads = forwards.filter(|forward| {
            let ip = forward.ports.address.filter(|ip| !ip.is_unspecified());
            let family = forward.ports.address.is_none_or(|ip| ip.is_ipv4() == place.ip().is_ipv4());
            let own = forward.ports.device.as_ref();
            family && ip.is_none_or(|ip| ip == place.ip()) && own.is_none_or(|own| *own == device)
        });
        let lead = leads.find_map(|forward| Some((forward, target(forward, port)?)));
        // By UDP, a passt of 2023 answers from the host's first address where it is not bound to another.
        if protocol == Protocol::Udp && lead.is_some_and(|(forward, _)| forward.ports.address.is_none()) && named(place)
        {
            continue;
        }
        let to = lead.map(|(_, to)| to);
        match by_target.iter_mut().find(|(known, _)| *known == to) {
            Some((_, at)) => at.push(place),
            None => by_target.push((to, vec![place])),
        }
    }
    by_target.into_iter().map(|(to, at)| Promise::Port { protocol, port, at, to }).collect()
}

/// The addresses at which ports are asked, each with its device: loopback, those of the uplinks, those that are named.
fn places(passt: &Passt, world: &World) -> Vec<(Place, InterfaceName)> {
    let lo = || "lo".parse::<InterfaceName>().expect("a name");
    let mut places = vec![(Place::Host(Ipv4Addr::LOCALHOST.into()), lo())];
    let devices = passt.forwards.iter().map(|forward| forward.ports.device.as_ref());
    for device in std::iter::once(None).chain(devices.filter(Option::is_some)) {
        let uplink = world.uplink_by(device);
        let families = [Family::Ipv4, Family::Ipv6];
        places.extend(families.map(|family| (Place::Outside(uplink.host(family)), uplink.name.clone())));
    }
    for ports in passt.forwards.iter().map(|forward| &forward.ports) {
        if let Some(ip) = ports.address.filter(|ip| !ip.is_unspecified()) {
            places.push(match ip.is_loopback() {
                true => (Place::Host(ip), lo()),
                false => (Place::Outside(ip), world.uplink_by(ports.device.as_ref()).name.clone()),
            });
        }
    }
    places.sort();
    places.dedup();
    places
}

/// Where a port leads.
fn target(forward: &PortForward, port: u16) -> Option<u16> {
    forward.ports.leads_to(port).filter(|_| port < EPHEMERAL || !forward.ports.takes_what_is_free())
}

impl Promise {
    /// Its kind.
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Lease(_) => Subject::Lease,
            Self::Autoconfiguration(_) => Subject::Autoconfiguration,
            Self::Mtu(_) => Subject::Mtu,
            Self::Hostname(_) | Self::Fqdn(_) => Subject::Hostname,
            Self::Dns(_) => Subject::DnsForwarding,
            Self::Out(_) => Subject::Out,
            Self::Port { to: Some(_), .. } => Subject::Forward,
            Self::Port { to: None, .. } => Subject::NoForward,
            Self::Log(_) => Subject::Log,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lease(GuestAddress { ip, prefix }) => {
                write!(f, "the guest gets {ip}")?;
                prefix.filter(|_| ip.is_ipv4()).map_or(Ok(()), |prefix| write!(f, "/{prefix}"))?;
                write!(f, " by {}", if ip.is_ipv4() { "DHCP" } else { "DHCPv6" })
            }
            Self::Autoconfiguration(net) => write!(f, "the guest makes itself an address in {net}"),
            Self::Mtu(0) => f.write_str("the guest is told no MTU"),
            Self::Mtu(mtu) => write!(f, "the guest is told the MTU {mtu}"),
            Self::Hostname(name) => write!(f, "the guest is told its name, {name}"),
            Self::Fqdn(name) => write!(f, "the guest is told its full name, {name}"),
            Self::Dns(_) => f.write_str("DNS: names are asked of the host's server"),
            Self::Out(family) => write!(f, "the guest gets out over {}, as the host", word(family)),
            Self::Port { protocol, port, to: Some(to), .. } => {
                write!(f, "{protocol} port {port} leads to the guest's port {to}")
            }
            Self::Port { protocol, port, to: None, at } => {
                write!(f, "{protocol} port {port} is closed")?;
                at.iter().enumerate().try_for_each(|(index, place)| {
                    f.write_str(if index == 0 { " at " } else { ", " })?;
                    write!(f, "{}", place.ip())
                })
            }
            Self::Log(_) => f.write_str("passt writes its log"),
        }
    }
}
