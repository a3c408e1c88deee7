//! The host devices and the addresses that definitions name. The uplinks have the names of the
//! devices; the outside must not use the addresses.

use vnet_types::{InterfaceName, IpNet};
use vnet_xml::interface::Source;
use vnet_xml::{Interface, Network};

/// The host device whose addresses and routes a guest gets.
pub(super) fn upstream(interface: &Interface) -> Option<&InterfaceName> {
    match &interface.source {
        Source::User { dev } => dev.as_ref(),
        Source::Vhostuser(source) => source.dev.as_ref(),
        _ => None,
    }
}

/// The host devices that a guest's interface names.
pub(super) fn devices(interface: &Interface) -> impl Iterator<Item = &InterfaceName> {
    let forwarded = interface.port_forwards.iter().filter_map(|forward| forward.dev.as_ref());
    upstream(interface).into_iter().chain(forwarded)
}

/// The addresses that a guest's interface names, and the subnets that they are in.
pub(super) fn taken_by_guest(interface: &Interface) -> impl Iterator<Item = IpNet> {
    let own = interface.ips.iter().filter_map(|ip| {
        let prefix = ip.prefix.unwrap_or(if ip.address.is_ipv4() { 24 } else { 64 });
        Some(IpNet::new(ip.address, prefix).ok()?.trunc())
    });
    own.chain(interface.port_forwards.iter().filter_map(|forward| forward.address).map(IpNet::from))
}

/// The addresses that a network names, and the subnets that they are in.
pub(crate) fn taken_by_network(network: &Network) -> Vec<IpNet> {
    let subnets = network.ips.iter().filter_map(|ip| ip.net());
    let routes = network.routes.iter().filter_map(|route| route.net()).filter(|net| net.prefix_len() > 0);
    let nat = network.forward.as_ref().and_then(|forward| forward.nat.as_ref()).and_then(|nat| nat.addresses);
    let nat = nat.into_iter().flat_map(|range| [range.start(), range.end()]).map(IpNet::from);
    let dns = network.dns.iter().flat_map(|dns| &dns.forwarders).filter_map(|it| it.addr).map(IpNet::from);
    let forwards = network.extensions.port_forwards.iter().filter_map(|it| it.forward.address).map(IpNet::from);
    let outside = network.extensions.ovn.as_ref().and_then(|engine| engine.outside.as_ref());
    let outside = outside.into_iter().flat_map(|outside| &outside.addresses).filter_map(|address| address.net());
    subnets.chain(routes).chain(nat).chain(dns).chain(forwards).chain(outside).map(|net| net.trunc()).collect()
}
