//! Puts networks on OVN for a trial, with an outside that is imagined.

use vnet_types::{Family, IpNet};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, OvnAddress, OvnEngine, OvnGateway, OvnOutside};

use crate::world::{free_ipv4, free_ipv6, nth_ipv4, nth_ipv6, taken_by_network};

/// The number of the first gateway among the addresses of the outside. The first address is that of
/// the next router.
const FIRST: u32 = 10;

/// Lets OVN make networks that ask for no engine. Those with `<forward>` get an imagined outside:
/// the physical network `physical`, an address of the gateway in it, the next router, and two hosts
/// that can be the gateway. Addresses are those of documentation (RFC 5737, RFC 3849), or others
/// that no definition names.
///
/// Networks that ask for OVN stay as they are.
pub fn put_on_ovn(networks: &mut [Network]) {
    let taken: Vec<IpNet> = networks.iter().flat_map(taken_by_network).collect();
    let (v4, v6) = (free_ipv4(&taken).next(), free_ipv6(&taken).next());
    for (network, nth) in networks.iter_mut().filter(|it| !it.is_on_ovn()).zip(FIRST..) {
        let address = |family| match family {
            Family::Ipv4 => Some(address(nth_ipv4(v4?, nth), nth_ipv4(v4?, 1))),
            Family::Ipv6 => Some(address(nth_ipv6(v6?, nth), nth_ipv6(v6?, 1))),
        };
        let mut engine = OvnEngine::new("unix:/var/run/ovn/ovnnb_db.sock");
        if matches!(network.forward_mode(), ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) {
            let mut outside = OvnOutside::new("physical");
            outside.addresses = network.families().filter_map(address).collect();
            outside.gateways = vec![OvnGateway::new("host1", Some(2)), OvnGateway::new("host2", Some(1))];
            engine.outside = Some(outside);
        }
        network.extensions.ovn = Some(engine);
    }
}

fn address(own: IpNet, next: IpNet) -> OvnAddress {
    OvnAddress::new(own, Some(next.addr()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnet_validate::refused_by_ovn;

    fn network(name: &str, inside: &str) -> Network {
        format!("<network><name>{name}</name>{inside}</network>").parse().unwrap()
    }

    #[test]
    fn networks_share_an_outside_that_none_of_them_names() {
        let mut networks = [
            network("a", "<forward mode='nat'/><ip address='198.51.100.1' prefix='24'/>"),
            network(
                "b",
                "<forward mode='route'/><ip address='10.7.7.1' prefix='24'/><ip address='fd00::1' prefix='64'/>",
            ),
            network("c", "<ip address='10.7.8.1' prefix='24'/>"),
        ];
        put_on_ovn(&mut networks);
        let outside = |network: &Network| {
            let engine = network.extensions.ovn.as_ref().unwrap();
            engine.outside.iter().flat_map(|it| &it.addresses).map(|it| it.address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(outside(&networks[0]), ["203.0.113.10"]);
        assert_eq!(outside(&networks[1]), ["203.0.113.11", "2001:db8:766e::b"]);
        assert_eq!(outside(&networks[2]), [""; 0]);
        for network in &networks {
            assert_eq!(refused_by_ovn(network), [], "{}", network.name);
        }
        let before = networks.clone();
        put_on_ovn(&mut networks);
        assert_eq!(networks, before);
    }
}
