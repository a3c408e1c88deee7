//! What guests may reach beyond their network, where the definition limits it. Pure.

use std::net::IpAddr;

use vnet_types::{Egress, EgressPreset, EgressProtocol, Family};
use vnet_xml::Network;

use crate::promise::Promise;
use crate::world::taken_by_network;

/// The port at which the host and the outside answer at each of these addresses.
pub(crate) const PORT: u16 = 7778;
/// Addresses that the outside has when some network limits its guests: two of the internet, then
/// private ones, shared ones of providers, those that clouds serve metadata at, and the like.
pub(crate) const EXAMPLES: [&str; 14] = [
    "9.9.9.9",
    "10.200.77.7",
    "172.22.77.7",
    "192.168.211.7",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "198.18.211.7",
    "192.0.0.192",
    "2620:fe::9",
    "fd77:7a7a::7",
    "fd00:ec2::254",
    "2002:a00:7::7",
    "64:ff9b::a00:7",
];

/// Each example of a family in which guests have a way out, and each address of the host in the
/// network.
pub(super) fn promises(network: &Network, egress: &Egress) -> Vec<Promise> {
    let reach = |to: IpAddr, is_host: bool| {
        let [tcp, udp] =
            [EgressProtocol::Tcp, EgressProtocol::Udp].map(|it| egress.allows(to, it, Some(PORT), is_host));
        Promise::Reach { to, tcp, udp }
    };
    let taken = taken_by_network(network);
    let examples = EXAMPLES.iter().map(|it| it.parse::<IpAddr>().expect("an address"));
    let examples = examples.filter(|it| {
        let family = Family::of(*it);
        let has_way = network.has_family(family) && network.way_out(family).is_some();
        has_way && !taken.iter().any(|net| net.prefix_len() > 0 && net.contains(it))
    });
    let host = network.ips.iter().map(|ip| reach(ip.address, true));
    examples.map(|to| reach(to, false)).chain(host).collect()
}

/// Whether guests may ask the name server of the network.
pub(super) fn lets_ask_names(network: &Network) -> bool {
    let Some(egress) = &network.extensions.egress else { return true };
    network.ips.iter().all(|ip| egress.allows(ip.address, EgressProtocol::Udp, Some(53), true))
}

/// Whether guests of a network may connect to a guest of another network by a protocol, as far as
/// they are limited.
pub(crate) fn lets_cross(from: &Network, to: IpAddr, protocol: EgressProtocol, port: u16) -> bool {
    let Some(egress) = &from.extensions.egress else { return true };
    egress.excepted(to, protocol, Some(port)).unwrap_or(egress.preset == EgressPreset::Any)
}
