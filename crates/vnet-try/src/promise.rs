//! Promises: each a kind for programs, and a sentence for people.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use vnet_lab::dns::{Question, Record};
use vnet_passt::Protocol;
use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use crate::guest::{Addressing, Guest};
use crate::promises::led::Lead;
use crate::promises::limits::{Direction, Limit};
use crate::report::Subject;

/// Something that a definition promises. Guests are given by their index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A guest gets its address: the guest, and the index of the address.
    Address { guest: usize, address: usize },
    /// The first guest is told this router, or none. If the routes come from a host device, that
    /// device.
    Router { router: Option<IpAddr>, of: Option<InterfaceName> },
    /// A guest's gateway answers an echo request.
    Gateway { guest: usize, ip: IpAddr },
    /// The first guest is told an MTU; 0 for none.
    Mtu(u32),
    /// Who sends larger packets than these from outside is told so.
    TooLarge(u32),
    /// A guest is told its name.
    Hostname(String),
    /// A guest is told its full name.
    Fqdn(String),
    /// The name server gives an answer.
    Answer { question: Question, record: Record },
    /// The name server has one of these names for an address.
    Reverse { ip: IpAddr, names: Vec<String> },
    /// The name server knows the first guest by the name that it sent to DHCP.
    OwnName { family: Family },
    /// A question is forwarded to one of these servers, or to the host's own if the list is empty.
    Forwarded { servers: Vec<IpAddr>, domain: Option<String> },
    /// The first two guests reach each other.
    BetweenGuests(Family),
    /// The same, on two hosts.
    AcrossHosts(Family),
    /// The first two guests do not reach each other: their ports are isolated.
    Apart(Family),
    /// The first guest reaches the outside.
    Out(Family, Source),
    /// The first guest does not reach the outside.
    NoWayOut(Family),
    /// The first guest reaches an address beyond its network by these protocols only.
    Reach { to: IpAddr, tcp: bool, udp: bool },
    /// The outside reaches the first guest.
    In(Family),
    /// The outside cannot open a connection to the first guest.
    NoWayIn(Family),
    /// The host, or a guest, reaches an address behind a guest.
    Route { from: Side, behind: IpAddr, destination: IpNet, gateway: IpAddr },
    /// A port of the host leads to a port of the guest, or nowhere, at each of these places.
    Port { protocol: Protocol, port: u16, at: Vec<Place>, to: Option<u16> },
    /// A port of the host leads to a guest of the network, from each of these sides.
    Led { lead: Lead, from: Vec<Side> },
    /// Guests reach an address of another network that runs on this host by these protocols only.
    OtherNetwork { name: String, to: IpAddr, tcp: bool, udp: bool },
    /// Nothing gets out with this source, which no guest of the network can have.
    Spoofed { source: IpAddr },
    /// No more than this of a guest's traffic passes. It is measured with this side; `None` where
    /// nobody could send or take more.
    Limit { guest: usize, limit: Limit, with: Option<Side> },
    /// The gateway moves to another host, and guests get out as before.
    Moves(Family),
    /// passt writes a log.
    Log(PathBuf),
}

/// When a promise is observed: some observations disturb others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// With the routes that guests were told.
    AsTold,
    /// By guests that add their own routes.
    OwnWay,
    /// One after the other, when nothing else is sent.
    Alone,
}

impl Phase {
    pub(crate) const ALL: [Self; 3] = [Self::AsTold, Self::OwnWay, Self::Alone];
}

/// Who connects to a port of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Outside,
    Host,
    /// A guest, by its number.
    Guest(usize),
}

/// The address at which the outside sees a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its own.
    Own,
    /// One of these addresses, or of the host's if `None`, with one of these ports.
    Translated { addresses: Option<AddressRange>, ports: PortRange },
    /// The host's address, through a new connection of the host.
    Host,
}

/// Where a port is asked: an address of the host, from the host itself or from the outside.
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

impl Promise {
    /// Its kind.
    pub(crate) fn subject(&self, guests: &[Guest]) -> Subject {
        match self {
            Self::Address { guest, address } => match guests[*guest].addresses[*address] {
                Addressing::Leased(..) | Addressing::Told(..) => Subject::Lease,
                Addressing::Reserved(_) => Subject::Reservation,
                Addressing::Advertised(_) | Addressing::Configured(_) => Subject::Autoconfiguration,
            },
            Self::Router { .. } => Subject::Router,
            Self::Gateway { .. } | Self::Moves(_) => Subject::Gateway,
            Self::Mtu(_) | Self::TooLarge(_) => Subject::Mtu,
            Self::Hostname(_) | Self::Fqdn(_) => Subject::Hostname,
            Self::Answer { .. } | Self::Reverse { .. } => Subject::Dns,
            Self::OwnName { .. } => Subject::OwnName,
            Self::Forwarded { .. } => Subject::DnsForwarding,
            Self::BetweenGuests(_) | Self::AcrossHosts(_) | Self::Apart(_) => Subject::GuestToGuest,
            Self::Out(..) => Subject::Out,
            Self::Reach { tcp: false, udp: false, .. } => Subject::NoWayOut,
            Self::Reach { .. } => Subject::Out,
            Self::NoWayOut(_) | Self::Spoofed { .. } => Subject::NoWayOut,
            Self::OtherNetwork { .. } => Subject::OtherNetwork,
            Self::In(_) => Subject::In,
            Self::NoWayIn(_) => Subject::NoWayIn,
            Self::Route { .. } => Subject::Route,
            Self::Port { to: Some(_), .. } | Self::Led { .. } => Subject::Forward,
            Self::Port { to: None, .. } => Subject::NoForward,
            Self::Limit { .. } => Subject::Bandwidth,
            Self::Log(_) => Subject::Log,
        }
    }

    /// When it is observed. That something is not reached can only be observed by a guest that adds
    /// its own routes, instead of using those it was told.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Self::NoWayOut(_) | Self::NoWayIn(_) | Self::Apart(_) | Self::Spoofed { .. } => Phase::OwnWay,
            Self::Reach { tcp: false, udp: false, .. } => Phase::OwnWay,
            Self::OtherNetwork { tcp: false, udp: false, .. } => Phase::OwnWay,
            Self::Limit { .. } | Self::Moves(_) => Phase::Alone,
            _ => Phase::AsTold,
        }
    }

    /// The promise in words.
    pub(crate) fn text(&self, guests: &[Guest]) -> String {
        match self {
            Self::Address { guest, address } => address_text(&guests[*guest], &guests[*guest].addresses[*address]),
            Self::Router { router: None, .. } => format!("{} is told no router", guests[0].name),
            Self::Router { router: Some(ip), of: None } => format!("{} is told the router {ip}", guests[0].name),
            Self::Router { of: Some(device), .. } => format!("{} gets its routes from {device}", guests[0].name),
            Self::Gateway { ip, .. } => format!("the gateway {ip} echoes"),
            Self::Mtu(0) => "the guest is told no MTU".to_owned(),
            Self::Mtu(mtu) => format!("the guest is told the MTU {mtu}"),
            Self::TooLarge(mtu) => format!("who sends more than {mtu} bytes from outside is told so"),
            Self::Hostname(name) => format!("the guest is told its name, {name}"),
            Self::Fqdn(name) => format!("the guest is told its full name, {name}"),
            Self::Answer { question, record } => format!("DNS: {question} is {record}"),
            Self::Reverse { ip, names } => format!("DNS: {ip} is called {}", names.join(" or ")),
            Self::OwnName { family } => format!("DNS: {} is known by its {} address", guests[0].name, word(family)),
            Self::Forwarded { servers, domain } => {
                let what = match (domain, servers.is_empty()) {
                    (Some(domain), _) => format!("names in {domain}"),
                    (None, true) if guests.len() == 1 && is_behind_passt(&guests[0]) => "names".to_owned(),
                    (None, _) => "other names".to_owned(),
                };
                let servers = servers.iter().map(ToString::to_string).collect::<Vec<_>>();
                match servers.is_empty() {
                    true => format!("DNS: {what} are asked of the host's server"),
                    false => format!("DNS: {what} are asked of {}", servers.join(" or ")),
                }
            }
            Self::BetweenGuests(family) => format!("guests reach each other over {}", word(family)),
            Self::AcrossHosts(family) => format!("guests of two hosts reach each other over {}", word(family)),
            Self::Apart(family) => format!("guests do not reach each other over {}: ports are isolated", word(family)),
            Self::Out(family, Source::Own) => format!("guests get out over {}, as themselves", word(family)),
            Self::Out(family, Source::Host) => format!("the guest gets out over {}, as the host", word(family)),
            Self::Out(family, Source::Translated { addresses, ports }) => {
                let addresses = addresses.map_or("the host".to_owned(), |it| match it.start() == it.end() {
                    true => it.start().to_string(),
                    false => it.to_string(),
                });
                format!("guests get out over {}, as {addresses} with ports {ports}", word(family))
            }
            Self::Reach { to, tcp: true, udp: true } => format!("guests reach {to}"),
            Self::Reach { to, tcp: true, udp: false } => format!("guests reach {to} by TCP only"),
            Self::Reach { to, tcp: false, udp: true } => format!("guests reach {to} by UDP only"),
            Self::Reach { to, tcp: false, udp: false } => format!("guests do not reach {to}"),
            Self::OtherNetwork { name, to, tcp, udp } => {
                let by = match (tcp, udp) {
                    (true, true) => "",
                    (true, false) => " by TCP only",
                    (false, true) => " by UDP only",
                    (false, false) => return format!("guests do not reach those of {name}, as at {to}"),
                };
                format!("guests reach those of {name}, as at {to}{by}")
            }
            Self::Spoofed { source } => format!("nothing gets out with the source {source} of others"),
            Self::NoWayOut(family) => format!("no way out over {}", word(family)),
            Self::In(family) => format!("the outside reaches guests over {}", word(family)),
            Self::NoWayIn(family) => format!("nothing new comes in over {}", word(family)),
            Self::Route { from, destination, gateway, .. } => {
                let from = match from {
                    Side::Guest(guest) => guests[*guest].name.as_str(),
                    Side::Host | Side::Outside => "the host",
                };
                format!("{from} reaches {destination} through {gateway}")
            }
            Self::Port { protocol, port, to: Some(to), .. } => {
                format!("{protocol} port {port} leads to the guest's port {to}")
            }
            Self::Port { protocol, port, to: None, at } => {
                let at: Vec<_> = at.iter().map(|place| place.ip().to_string()).collect();
                format!("{protocol} port {port} is closed at {}", at.join(", "))
            }
            Self::Led { lead, .. } => lead_text(lead, &guests[lead.guest].name),
            Self::Limit { guest, limit, .. } => {
                let verb = match limit.direction {
                    Direction::In => "receives",
                    Direction::Out => "sends",
                };
                format!("{} {verb} at most {limit}", guests[*guest].title())
            }
            Self::Moves(family) => format!("the gateway moves to another host, with the way out over {}", word(family)),
            Self::Log(_) => "passt writes its log".to_owned(),
        }
    }
}

/// A lead in words.
pub(crate) fn lead_text(lead: &Lead, guest: &str) -> String {
    let protocol = lead.transport.to_string().to_lowercase();
    let at = lead.address.map(|address| format!(" of {address}")).unwrap_or_default();
    let on = lead.device.as_ref().map(|device| format!(" at {device}")).unwrap_or_default();
    format!("{protocol} port {}{at}{on} leads to port {} of {guest} at {}", lead.port, lead.to.port(), lead.to.ip())
}

/// The IPv4 address of a router, as in a lease.
pub(crate) fn router_of(lease: Option<Ipv4Addr>) -> String {
    lease.map_or_else(|| "no router".to_owned(), |router| format!("router {router}"))
}

/// The family's name for people.
pub(crate) fn word(family: &Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

fn is_behind_passt(guest: &Guest) -> bool {
    guest.addresses.iter().any(|how| matches!(how, Addressing::Told(..)))
}

fn address_text(guest: &Guest, how: &Addressing) -> String {
    match how {
        Addressing::Leased(family, ranges) => {
            let ranges = ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let protocol = if *family == Family::Ipv4 { "DHCP" } else { "DHCPv6" };
            format!("{} gets a {protocol} lease in {ranges}", guest.title())
        }
        Addressing::Reserved(ip) => {
            let who = match &guest.duid {
                Some(duid) if ip.is_ipv6() => format!("DUID {duid}"),
                _ if ip.is_ipv6() => guest.name.clone(),
                _ => format!("{} ({})", guest.name, guest.mac),
            };
            format!("{ip} is kept for {who}")
        }
        Addressing::Told(ip @ IpAddr::V4(_), Some(prefix)) => format!("the guest gets {ip}/{prefix} by DHCP"),
        Addressing::Told(ip @ IpAddr::V4(_), None) => format!("the guest gets {ip} by DHCP"),
        Addressing::Told(ip, _) => format!("the guest gets {ip} by DHCPv6"),
        Addressing::Advertised(net) | Addressing::Configured(net) => match is_behind_passt(guest) {
            true => format!("the guest makes itself an address in {net}"),
            false => format!("{} makes itself an address in {net}", guest.title()),
        },
    }
}
