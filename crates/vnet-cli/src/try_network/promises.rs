//! What a definition promises, and the guests that it takes to see whether it is so. Pure.
//!
//! The promises are those of libvirt's documentation of `<network>`, and its firewall's where that says nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, MacAddr, PortRange};
use vnet_xml::Network;
use vnet_xml::network::{Dhcp, DhcpHost, Forward, ForwardMode, Forwarder, Ip, Route};

use vnet_lab::dns::{Kind, Question, Record};

/// The most reservations that get a guest of their own.
pub(crate) const MOST_RESERVATIONS: usize = 8;
/// Where guests live that a network gives no address.
const OWN: Ipv6Addr = Ipv6Addr::new(0xfd76, 0x6e65, 0x7400, 0, 0, 0, 0, 0);

/// A guest to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// Its hostname.
    pub(crate) name: String,
    pub(crate) mac: MacAddr,
    /// The DHCPv6 identity that a reservation is for; one made of the MAC address where `None`.
    pub(crate) duid: Option<String>,
    /// How it gets its addresses, at most one of each subnet.
    pub(crate) addresses: Vec<Addressing>,
    /// Addresses beyond it, that the host has a static route to.
    pub(crate) behind: Vec<IpAddr>,
}

/// How a guest gets an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// By DHCP, one of these ranges.
    Leased(Family, Vec<AddressRange>),
    /// By DHCP, this one and no other.
    Reserved(IpAddr),
    /// By itself, out of the prefix that is advertised.
    Advertised(IpNet),
    /// It is configured: the network has no DHCP for it.
    Configured(IpNet),
}

/// A promise; guests are meant by their position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// A guest gets its address: the guest, and which of its addresses.
    Address { guest: usize, address: usize },
    /// A guest's gateway echoes.
    Gateway { guest: usize, ip: IpAddr },
    /// The name server knows an answer.
    Answer { question: Question, record: Record },
    /// The name server knows an address by one of these names.
    Reverse { ip: IpAddr, names: Vec<String> },
    /// The name server knows the first guest by the name that it gave to DHCP.
    OwnName { family: Family },
    /// A question goes to one of these servers; to the host's own where there are none.
    Forwarded { servers: Vec<IpAddr>, domain: Option<String> },
    /// The first two guests reach each other.
    BetweenGuests(Family),
    /// The first guest reaches the outside.
    Out(Family, Source),
    /// The first guest does not reach the outside.
    NoWayOut(Family),
    /// The outside reaches the first guest.
    In(Family),
    /// The outside cannot open a connection to the first guest.
    NoWayIn(Family),
    /// The host reaches an address beyond a guest.
    Route { behind: IpAddr, destination: IpNet, gateway: IpAddr },
}

/// Under which address the outside sees a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its own.
    Own,
    /// One of these, or of the host's where `None`, with one of these ports.
    Translated { addresses: Option<AddressRange>, ports: PortRange },
}

/// The guests that a definition takes: two of the ordinary kind, one for each reservation, one for each gateway.
pub(crate) fn guests(network: &Network) -> Vec<Guest> {
    let mut guests: Vec<Guest> = Vec::new();
    let ordinary = ["guest1", "guest2"];
    for (at, name) in ordinary.into_iter().enumerate() {
        guests.push(Guest {
            addresses: network.ips.iter().filter_map(|ip| ordinary_address(network, ip, at)).collect(),
            ..guest(network, name.to_owned(), at)
        });
        if network.ips.is_empty() {
            let own = Ipv6Addr::from_bits(OWN.to_bits() + 1 + at as u128);
            let own = IpNet::new(own.into(), 64).expect("a prefix of IPv6");
            guests[at].addresses.push(Addressing::Configured(own));
        }
    }
    for host in reservations(network).take(MOST_RESERVATIONS) {
        let at = guests.len();
        let unnamed = guest(network, format!("kept{}", at - 1), at);
        guests.push(Guest {
            name: host.name.clone().unwrap_or(unnamed.name),
            mac: host.mac.as_ref().map_or(unnamed.mac, vnet_xml::Spelled::get),
            duid: host.id.clone(),
            addresses: vec![Addressing::Reserved(host.ip)],
            behind: Vec::new(),
        });
    }
    for route in &network.routes {
        let Some((behind, net)) = behind(network, route).zip(subnet_of(network, route.gateway)) else { continue };
        let address = IpNet::new(route.gateway, net.prefix_len()).expect("a prefix of the same family");
        let address = Addressing::Configured(address);
        match guests.iter_mut().find(|guest| guest.addresses.contains(&address)) {
            Some(gateway) => gateway.behind.push(behind),
            None => {
                let at = guests.len();
                let gateway = guest(network, format!("gateway{at}"), at);
                guests.push(Guest { addresses: vec![address], behind: vec![behind], ..gateway });
            }
        }
    }
    guests
}

/// Every promise of a definition, in the order of its elements.
pub(crate) fn promises(network: &Network, guests: &[Guest]) -> Vec<Promise> {
    let mut promises = Vec::new();
    for (guest, it) in guests.iter().enumerate() {
        let promised = it.addresses.iter().enumerate().filter(|(_, how)| !matches!(how, Addressing::Configured(_)));
        promises.extend(promised.map(|(address, _)| Promise::Address { guest, address }));
    }
    promises.extend(network.ips.iter().map(|ip| Promise::Gateway { guest: 0, ip: ip.address }));
    if has_names(network) {
        promises.extend(names(network));
    }
    let families = families(network);
    if network.ips.is_empty() {
        promises.push(Promise::BetweenGuests(Family::Ipv6));
    }
    for family in families {
        promises.push(Promise::BetweenGuests(family));
        promises.extend(match way_out(network, family) {
            None => [Promise::NoWayOut(family), Promise::NoWayIn(family)],
            Some(Source::Own) => [Promise::Out(family, Source::Own), Promise::In(family)],
            Some(translated) => [Promise::Out(family, translated), Promise::NoWayIn(family)],
        });
    }
    promises.extend(network.routes.iter().filter_map(|route| {
        let (behind, destination) = (behind(network, route)?, route.net()?);
        Some(Promise::Route { behind, destination, gateway: route.gateway })
    }));
    promises
}

/// May guests of one network connect to guests of another, on the same host, in this family?
///
/// libvirt asks the network that is entered first; what it lets in has passed.
pub(crate) fn may_cross(from: &Network, to: &Network, family: Family) -> bool {
    let passes = |from: &Network, to: &Network, is_reply: bool| match gate(to, family) {
        Gate::None => !matches!(gate(from, family), Gate::Closed),
        Gate::Open => true,
        Gate::Replies => is_reply,
        Gate::Closed => false,
    };
    passes(from, to, false) && passes(to, from, true)
}

/// The families that a network has addresses of.
pub(crate) fn families(network: &Network) -> Vec<Family> {
    let has = |family: &Family| network.ips.iter().any(|ip| Family::of(ip.address) == *family);
    [Family::Ipv4, Family::Ipv6].into_iter().filter(has).collect()
}

/// Could a guest of ours that is configured have an address that DHCP hands out?
pub(crate) fn may_collide(network: &Network, guests: &[Guest]) -> bool {
    let ranges: Vec<_> = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(ranges).collect();
    let configured = guests.iter().flat_map(|guest| &guest.addresses).filter_map(|how| match how {
        Addressing::Configured(net) => Some(net.addr()),
        _ => None,
    });
    configured.into_iter().any(|address| ranges.iter().any(|range| range.contains(address)))
}

/// How many of its reservations and routes are left out of the trial.
pub(crate) fn left_out(network: &Network) -> (usize, usize) {
    let routes = network.routes.iter().filter(|route| behind(network, route).is_none()).count();
    (reservations(network).count().saturating_sub(MOST_RESERVATIONS), routes)
}

/// The device that traffic beyond the host is limited to.
pub(crate) fn device(network: &Network) -> Option<&InterfaceName> {
    network.forward.as_ref()?.dev()
}

/// How the firewall answers who would enter a network.
enum Gate {
    /// It has no rules.
    None,
    Open,
    Replies,
    Closed,
}

fn gate(network: &Network, family: Family) -> Gate {
    match way_out(network, family) {
        _ if network.forward_mode() == ForwardMode::Open => Gate::None,
        // Other networks are not behind the device.
        _ if device(network).is_some() => Gate::Closed,
        None => Gate::Closed,
        Some(Source::Own) => Gate::Open,
        Some(Source::Translated { .. }) => Gate::Replies,
    }
}

fn way_out(network: &Network, family: Family) -> Option<Source> {
    let nat = network.forward.as_ref().and_then(|Forward { nat, .. }| nat.as_ref());
    let translates = family == Family::Ipv4 || nat.is_some_and(|nat| nat.ipv6 == Some(true));
    match network.forward_mode() {
        ForwardMode::None => None,
        ForwardMode::Nat if translates => Some(Source::Translated {
            addresses: nat.and_then(|nat| nat.addresses).filter(|_| family == Family::Ipv4),
            ports: nat.and_then(|nat| nat.ports).unwrap_or_else(|| PortRange::new(1024, u16::MAX).expect("in order")),
        }),
        _ => Some(Source::Own),
    }
}

fn guest(network: &Network, name: String, at: usize) -> Guest {
    let taken = |mac: &MacAddr| {
        network.mac == Some(*mac)
            || reservations(network).any(|host| host.mac.as_ref().is_some_and(|it| it.get() == *mac))
    };
    // Not QEMU's own range: nobody reserves an address for these by chance.
    let mac = (0..=u8::MAX)
        .map(|series| MacAddr([0x52, 0x54, 0x00, 0x76, series, u8::try_from(at).unwrap_or(u8::MAX)]))
        .find(|mac| !taken(mac))
        .unwrap_or(MacAddr([0x52, 0x54, 0x01, 0x76, 0x6e, 0x74]));
    Guest { name, mac, duid: None, addresses: Vec::new(), behind: Vec::new() }
}

/// How the nth ordinary guest gets an address in a subnet. `None` where the subnet has no room for it.
fn ordinary_address(network: &Network, ip: &Ip, nth: usize) -> Option<Addressing> {
    let net = ip.net()?;
    let ranges: Vec<_> = ip.dhcp.iter().flat_map(ranges).collect();
    if !ranges.is_empty() {
        return Some(Addressing::Leased(Family::of(ip.address), ranges));
    }
    let has_dhcp6 = network.ips.iter().any(|ip| ip.address.is_ipv6() && has_dhcp(ip));
    let advertised = ip.address.is_ipv6() && !has_dhcp6 && net.prefix_len() == 64 && has_dnsmasq(network);
    if advertised {
        return Some(Addressing::Advertised(net.trunc()));
    }
    let taken = |address: &IpAddr| {
        network.ips.iter().any(|ip| ip.address == *address)
            || reservations(network).any(|host| host.ip == *address)
            || network.routes.iter().any(|route| route.gateway == *address)
    };
    let free = match net {
        IpNet::V4(v4) => v4.hosts().rev().map(IpAddr::V4).filter(|it| !taken(it)).nth(nth),
        IpNet::V6(v6) => v6.hosts().rev().skip(1).map(IpAddr::V6).filter(|it| !taken(it)).nth(nth),
    };
    Some(Addressing::Configured(IpNet::new(free?, net.prefix_len()).expect("a prefix of the same family")))
}

fn has_dhcp(ip: &Ip) -> bool {
    ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty())
}

fn has_names(network: &Network) -> bool {
    !network.ips.is_empty() && network.dns.as_ref().is_none_or(|dns| dns.enable != Some(false))
}

fn has_dnsmasq(network: &Network) -> bool {
    has_names(network) || network.ips.iter().any(|ip| has_dhcp(ip) || ip.tftp_root.is_some())
}

fn ranges(dhcp: &Dhcp) -> impl Iterator<Item = AddressRange> + '_ {
    dhcp.ranges.iter().filter_map(|range| AddressRange::new(range.start, range.end).ok())
}

fn reservations(network: &Network) -> impl Iterator<Item = &DhcpHost> {
    network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts)
}

fn subnet_of(network: &Network, address: IpAddr) -> Option<IpNet> {
    network.ips.iter().filter_map(Ip::net).find(|net| net.contains(&address))
}

/// An address that the host reaches by a route and by no other one. `None` where it has a better one to all of them:
/// the default route of the imagined host is its own.
fn behind(network: &Network, route: &Route) -> Option<IpAddr> {
    let net = route.net().filter(|net| net.prefix_len() > 0)?;
    let metric = |route: &Route| route.effective_metric();
    let others = || network.routes.iter().filter_map(|other| Some((other.net()?, metric(other))));
    let subnets = network.ips.iter().filter_map(Ip::net).map(|subnet| (subnet.trunc(), 0));
    let better: Vec<IpNet> = others()
        .chain(subnets)
        .filter(|(other, their_metric)| {
            let (ours, theirs) = ((net.prefix_len(), metric(route)), (other.prefix_len(), *their_metric));
            net.contains(other) && (theirs.0 > ours.0 || theirs.0 == ours.0 && theirs.1 < ours.1)
        })
        .map(|(other, _)| other)
        .collect();
    let ends = [net.hosts().nth(1), net.hosts().next(), net.hosts().next_back()];
    let after = better.iter().map(|other| match other.broadcast() {
        IpAddr::V4(last) => IpAddr::from(Ipv4Addr::from_bits(last.to_bits().wrapping_add(1))),
        IpAddr::V6(last) => IpAddr::from(Ipv6Addr::from_bits(last.to_bits().wrapping_add(1))),
    });
    let is_ours = |address: &IpAddr| net.contains(address) && !better.iter().any(|other| other.contains(address));
    ends.into_iter().flatten().chain(after).find(is_ours)
}

fn names(network: &Network) -> Vec<Promise> {
    let dns = network.dns.clone().unwrap_or_default();
    let domain = network.domain.as_ref().map(|domain| domain.name.clone());
    let mut promises = Vec::new();
    for host in &dns.hosts {
        for name in &host.hostnames {
            let question = Question::address(name, host.ip);
            promises.push(Promise::Answer { question, record: Record::Address(host.ip) });
        }
        let full = |name: &String| match &domain {
            Some(domain) if !name.contains('.') => format!("{name}.{domain}"),
            _ => name.clone(),
        };
        let names: BTreeSet<_> = host.hostnames.iter().map(full).collect();
        promises.push(Promise::Reverse { ip: host.ip, names: names.into_iter().collect() });
    }
    for srv in &dns.srvs {
        let domain = srv.domain.clone().or_else(|| domain.clone()).map_or(String::new(), |domain| format!(".{domain}"));
        let target = srv.target.clone().filter(|target| target != ".").unwrap_or_default();
        let is_there = !target.is_empty();
        let number = |number: Option<u16>, absent| if is_there { number.unwrap_or(absent) } else { 0 };
        promises.push(Promise::Answer {
            question: Question { name: format!("_{}._{}{domain}", srv.service, srv.protocol), kind: Kind::Srv },
            record: Record::Service {
                priority: number(srv.priority, 0),
                weight: number(srv.weight, 0),
                port: number(srv.port.filter(|port| *port != 0), 1),
                target,
            },
        });
    }
    for txt in &dns.txts {
        let question = Question { name: txt.name.clone(), kind: Kind::Txt };
        promises.push(Promise::Answer { question, record: Record::Text(txt.value.clone().into_bytes()) });
    }
    let leases = network.ips.iter().filter(|ip| ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty()));
    promises.extend(leases.map(|ip| Promise::OwnName { family: Family::of(ip.address) }));
    promises.extend(forwarded(network, &dns.forwarders));
    promises
}

/// Which servers are asked: for each domain that has some of its own, and for everything else.
fn forwarded(network: &Network, forwarders: &[Forwarder]) -> Vec<Promise> {
    let own = network.domain.as_ref().filter(|own| own.local_only == Some(true)).map(|own| &own.name);
    let domains: BTreeSet<_> = forwarders.iter().filter_map(|it| it.domain.clone()).collect();
    let general = || forwarders.iter().filter(|it| it.domain.is_none()).filter_map(|it| it.addr);
    let special = domains.into_iter().filter(|domain| !domain.is_empty() && Some(domain) != own).map(|domain| {
        let of_domain = || forwarders.iter().filter(|it| it.domain.as_ref() == Some(&domain));
        let servers = of_domain().filter_map(|it| it.addr);
        let servers = if of_domain().all(|it| it.addr.is_some()) { servers.collect() } else { general().collect() };
        Promise::Forwarded { servers, domain: Some(domain) }
    });
    let rest = Promise::Forwarded { servers: general().collect(), domain: None };
    // No name of an isolated network is asked of the host's own server.
    let is_asked = |promise: &Promise| match promise {
        Promise::Forwarded { servers, .. } => !servers.is_empty() || network.forward_mode() != ForwardMode::None,
        _ => true,
    };
    special.chain([rest]).filter(is_asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::try_network::words::Subject;
    use vnet_xml::network::{Forwarder, Nat};

    fn network(forward: Option<ForwardMode>, device: Option<&str>) -> Network {
        let mut network = Network::new("n");
        network.ips.push(Ip::new("192.168.122.1/24".parse().unwrap()));
        network.forward = forward.map(|mode| {
            let mut forward = Forward::new(mode);
            forward.interfaces.extend(device.map(|device| device.parse::<InterfaceName>().unwrap().into()));
            forward
        });
        network
    }

    fn subjects(network: &Network) -> Vec<Subject> {
        let guests = guests(network);
        promises(network, &guests).iter().map(|promise| promise.subject(&guests)).collect()
    }

    #[test]
    fn each_mode_promises_its_ways() {
        use Subject::{DnsForwarding, Gateway, GuestToGuest, In, NoWayIn, NoWayOut, Out};
        let cases = [
            (None, vec![Gateway, GuestToGuest, NoWayOut, NoWayIn]),
            (Some(ForwardMode::Nat), vec![Gateway, DnsForwarding, GuestToGuest, Out, NoWayIn]),
            (Some(ForwardMode::Route), vec![Gateway, DnsForwarding, GuestToGuest, Out, In]),
            (Some(ForwardMode::Open), vec![Gateway, DnsForwarding, GuestToGuest, Out, In]),
        ];
        for (mode, expected) in cases {
            assert_eq!(subjects(&network(mode, None)), expected, "{mode:?}");
        }
    }

    #[test]
    fn ipv6_is_routed_unless_it_is_translated() {
        let mut network = network(Some(ForwardMode::Nat), None);
        network.ips = vec![Ip::new("fd00::1/64".parse().unwrap())];
        assert_eq!(way_out(&network, Family::Ipv6), Some(Source::Own));
        let mut nat = Nat::default();
        nat.ipv6 = Some(true);
        network.forward.as_mut().unwrap().nat = Some(nat);
        assert!(matches!(way_out(&network, Family::Ipv6), Some(Source::Translated { addresses: None, .. })));
    }

    #[test]
    fn networks_are_crossed_where_libvirt_lets_one() {
        use ForwardMode::{Nat, Open, Route};
        let modes = [None, Some(Nat), Some(Route), Some(Open)];
        // From the row to the column.
        let expected = [
            [false, false, false, false],
            [false, false, true, true],
            [false, false, true, true],
            [false, false, true, true],
        ];
        for (from, row) in modes.into_iter().zip(expected) {
            for (to, expected) in modes.into_iter().zip(row) {
                let crosses = may_cross(&network(from, None), &network(to, None), Family::Ipv4);
                assert_eq!(crosses, expected, "{from:?} to {to:?}");
            }
        }
        let behind_device = network(Some(Route), Some("eth0"));
        assert!(!may_cross(&network(Some(Route), None), &behind_device, Family::Ipv4));
    }

    #[test]
    fn reservations_and_gateways_get_guests_of_their_own() {
        let mut network = network(None, None);
        let mut dhcp = Dhcp::default();
        let mut host = DhcpHost::new("192.168.122.9".parse().unwrap());
        host.mac = "52:54:00:00:00:09".parse().ok();
        dhcp.hosts.push(host);
        network.ips[0].dhcp = Some(dhcp);
        let gateway: IpAddr = "192.168.122.254".parse().unwrap();
        for destination in ["10.0.0.0/8", "10.0.0.0/24"] {
            network.routes.push(Route::new(destination.parse().unwrap(), gateway));
        }
        let guests = guests(&network);
        let addresses = |guest: &Guest| guest.addresses.clone();
        let configured = |net: &str| vec![Addressing::Configured(net.parse().unwrap())];
        assert_eq!(addresses(&guests[0]), configured("192.168.122.253/24"));
        assert_eq!(addresses(&guests[1]), configured("192.168.122.252/24"));
        assert_eq!(addresses(&guests[2]), [Addressing::Reserved("192.168.122.9".parse().unwrap())]);
        assert_eq!(guests[2].mac.to_string(), "52:54:00:00:00:09");
        assert_eq!(addresses(&guests[3]), configured("192.168.122.254/24"));
        let behind: Vec<_> = guests[3].behind.iter().map(ToString::to_string).collect();
        assert_eq!(behind, ["10.255.255.254", "10.0.0.2"]);
    }

    #[test]
    fn a_route_with_a_better_one_is_left_out() {
        let mut network = network(None, None);
        for metric in [1, 7] {
            let mut route = Route::new("10.0.0.0/8".parse().unwrap(), "192.168.122.2".parse().unwrap());
            route.metric = Some(metric);
            network.routes.push(route);
        }
        network.routes.push(Route::new("0.0.0.0/0".parse().unwrap(), "192.168.122.2".parse().unwrap()));
        assert_eq!(left_out(&network), (0, 2));
    }

    #[test]
    fn forwarders_are_asked_for_their_domain() {
        let mut network = network(None, None);
        let forwarder = |domain: Option<&str>, addr: Option<&str>| {
            let mut forwarder = Forwarder::default();
            forwarder.domain = domain.map(str::to_owned);
            forwarder.addr = addr.map(|addr| addr.parse().unwrap());
            forwarder
        };
        let forwarders = [forwarder(Some("a.example"), Some("8.8.4.4")), forwarder(None, Some("8.8.8.8"))];
        network.dns = Some(vnet_xml::network::Dns::default());
        network.dns.as_mut().unwrap().forwarders = forwarders.to_vec();
        let texts: Vec<_> = names(&network).iter().map(|promise| promise.text(&[])).collect();
        let expected = ["DNS: names in a.example are asked of 8.8.4.4", "DNS: other names are asked of 8.8.8.8"];
        assert_eq!(texts, expected);
    }
}
