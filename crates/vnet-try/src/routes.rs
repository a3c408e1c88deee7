//! Static routes: addresses that the host reaches through a guest. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::IpNet;
use vnet_xml::Network;
use vnet_xml::network::{Ip, Route};

/// The subnet that contains an address.
pub(crate) fn subnet_of(network: &Network, address: IpAddr) -> Option<IpNet> {
    network.ips.iter().filter_map(Ip::net).find(|net| net.contains(&address))
}

/// An address that the host reaches only by this route. `None` when other routes are better for all
/// addresses; the default route belongs to the imagined host itself.
pub(crate) fn behind(network: &Network, route: &Route) -> Option<IpAddr> {
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
