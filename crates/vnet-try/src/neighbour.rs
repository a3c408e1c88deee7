//! The neighbour of a network that is tried alone, to check that the two are separated.

use vnet_types::{Family, IpNet};
use vnet_xml::Network;
use vnet_xml::network::{Bridge, Dns, Forward, ForwardMode, Ip, Nat};

use crate::world::taken_by_network;

const IPV4: [&str; 4] = ["10.77.77.1/24", "172.30.77.1/24", "192.168.177.1/24", "100.126.77.1/24"];
const IPV6: [&str; 3] = ["fd77:6e62::1/64", "fdfe:6e62::1/64", "fcfe:6e62::1/64"];

/// A network with NAT and a subnet of its own in each family that the other one has.
pub(crate) fn neighbour(beside: &Network) -> Network {
    let taken = taken_by_network(beside);
    let free = |candidates: &[&str]| {
        let mut nets = candidates.iter().filter_map(|net| net.parse::<IpNet>().ok());
        nets.find(|net| !taken.iter().any(|it| it.contains(net) || net.contains(it)))
    };
    let name = if beside.name == "neighbour" { "other-neighbour" } else { "neighbour" };
    let mut network = Network::new(name);
    let has_ipv6 = beside.has_family(Family::Ipv6);
    let v4 = free(&IPV4).filter(|_| beside.has_family(Family::Ipv4) || !has_ipv6);
    let v6 = free(&IPV6).filter(|_| has_ipv6);
    network.ips = v4.into_iter().chain(v6).map(Ip::new).collect();
    let (mut forward, mut nat) = (Forward::new(ForwardMode::Nat), Nat::default());
    nat.ipv6 = Some(true);
    forward.nat = Some(nat);
    network.forward = Some(forward);
    let (mut bridge, mut dns) = (Bridge::default(), Dns::default());
    bridge.stp = Some(false);
    dns.enable = Some(false);
    (network.bridge, network.dns) = (Some(bridge), Some(dns));
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_has_subnets_of_its_own() {
        let mut network = Network::new("neighbour");
        let subnets =
            |network: &Network| neighbour(network).ips.iter().map(|ip| ip.address.to_string()).collect::<Vec<_>>();
        assert_eq!(subnets(&network), ["10.77.77.1"], "it has to have one");
        network.ips.push(Ip::new("10.77.0.1/16".parse().unwrap()));
        assert_eq!(subnets(&network), ["172.30.77.1"]);
        network.ips.push(Ip::new("fd00::1/64".parse().unwrap()));
        assert_eq!(subnets(&network), ["172.30.77.1", "fd77:6e62::1"]);
        network.ips.remove(0);
        assert_eq!(subnets(&network), ["fd77:6e62::1"]);
        assert_ne!(neighbour(&network).name, network.name);
    }
}
