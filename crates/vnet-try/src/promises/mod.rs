//! The promises of a definition. Pure, except for the addresses of the imagined host.
//!
//! The promises come from libvirt's documentation, or from its firewall where the documentation is
//! silent.

pub(crate) mod egress;
pub(crate) mod led;
pub(crate) mod limits;
mod names;
mod ovn;
pub(crate) mod passt;
mod ports;
mod ways;

use vnet_types::{EgressPreset, Family};
use vnet_xml::Network;
use vnet_xml::network::WayOut;

use crate::guest::{Addressing, Guest};
use crate::options::{self, Router};
use crate::promise::{Promise, Side, Source};
use crate::routes::behind;

pub(crate) use ports::guest_ports;
pub(crate) use ways::{crosses, may_cross};

/// Every promise of a network, in the order of its elements.
pub(crate) fn of_network(network: &Network, guests: &[Guest]) -> Vec<Promise> {
    let mut promises = Vec::new();
    for (guest, it) in guests.iter().enumerate() {
        let promised = it.addresses.iter().enumerate().filter(|(_, how)| !matches!(how, Addressing::Configured(_)));
        promises.extend(promised.map(|(address, _)| Promise::Address { guest, address }));
    }
    if guests.iter().take(1).flat_map(|guest| &guest.addresses).any(is_leased4) {
        promises.extend(options::router(network).map(|router| match router {
            Router::Nobody => Promise::Router { router: None, of: None },
            Router::Other(ip) => Promise::Router { router: Some(ip.into()), of: None },
        }));
    }
    let egress = network.extensions.egress.as_ref();
    match egress {
        Some(egress) => promises.extend(egress::promises(network, egress)),
        None => promises.extend(network.ips.iter().map(|ip| Promise::Gateway { guest: 0, ip: ip.address })),
    }
    if names::has_names(network) && egress::lets_ask_names(network) {
        promises.extend(names::names(network));
    }
    let are_two = guests.get(1).is_some_and(|guest| guest.name == "guest2");
    let between = |family| match network.port_isolated == Some(true) {
        true => Promise::Apart(family),
        false => Promise::BetweenGuests(family),
    };
    if network.ips.is_empty() {
        promises.push(between(Family::Ipv6));
    }
    for family in network.families() {
        promises.extend(are_two.then(|| between(family)));
        let ways = match network.way_out(family) {
            None => [Promise::NoWayOut(family), Promise::NoWayIn(family)],
            Some(WayOut::Routed) => [Promise::Out(family, Source::Own), Promise::In(family)],
            Some(WayOut::Translated { addresses, ports }) => {
                [Promise::Out(family, Source::Translated { addresses, ports }), Promise::NoWayIn(family)]
            }
        };
        // Where guests are limited, it is promised for each address whether they reach it.
        let is_limited = |it: &Promise| egress.is_some() && matches!(it, Promise::Out(..));
        promises.extend(ways.into_iter().filter(|it| !is_limited(it)));
    }
    promises.extend(led::promises(network, guests));
    promises.extend(network.routes.iter().filter_map(|route| {
        let (behind, destination) = (behind(network, route)?, route.net()?);
        Some(Promise::Route { from: Side::Host, behind, destination, gateway: route.gateway })
    }));
    // What is measured goes to an address that limited guests may not reach.
    let is_free = egress.is_none_or(|egress| egress.preset == EgressPreset::Any && egress.deny.is_empty());
    promises.extend(limits::promises(network, guests).into_iter().filter(|_| is_free));
    if network.is_on_ovn() { ovn::promises(network, guests, promises) } else { promises }
}

fn is_leased4(how: &Addressing) -> bool {
    matches!(how, Addressing::Leased(Family::Ipv4, _))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::guests;
    use crate::report::Subject;
    use std::net::IpAddr;
    use vnet_types::InterfaceName;
    use vnet_xml::network::{Dhcp, DhcpHost, Forward, ForwardMode, Ip, Nat, Route};

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
        of_network(network, &guests).iter().map(|promise| promise.subject(&guests)).collect()
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
        let promises = |network: &Network| of_network(network, &guests(network));
        let routed = [Promise::Out(Family::Ipv6, Source::Own), Promise::In(Family::Ipv6)];
        assert!(promises(&network).ends_with(&routed));
        let mut nat = Nat::default();
        nat.ipv6 = Some(true);
        network.forward.as_mut().unwrap().nat = Some(nat);
        let translated = Source::Translated { addresses: None, ports: Nat::DEFAULT_PORTS };
        let translated = [Promise::Out(Family::Ipv6, translated), Promise::NoWayIn(Family::Ipv6)];
        assert!(promises(&network).ends_with(&translated));
    }

    #[test]
    fn networks_are_crossed_where_libvirt_lets_one() {
        use ForwardMode::{Nat, Open, Route};
        let modes = [None, Some(Nat), Some(Route), Some(Open)];
        // Whether the row's network may reach the column's.
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
    fn prefixes_are_advertised_without_names_too() {
        let mut network = network(None, None);
        network.ips = vec![Ip::new("fd00::1/64".parse().unwrap())];
        network.dnsmasq_options.push("port=0".to_owned());
        assert_eq!(guests(&network)[0].addresses, [Addressing::Advertised("fd00::/64".parse().unwrap())]);
        assert!(!subjects(&network).contains(&Subject::DnsForwarding));
    }
}
