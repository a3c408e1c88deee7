//! Notes: what was not tried, and where the imagined host differs from a real one.

use vnet_xml::Network;
use vnet_xml::network::Dhcp;

use crate::guest::{Guest, MOST_GROUPS, MOST_RESERVATIONS, may_collide, reservations};
use crate::options;
use crate::routes::behind;

/// The notes of a network.
pub(crate) fn of_network(network: &Network, guests: &[Guest], has_names: bool) -> Vec<String> {
    let (reservations, routes) = left_out(network);
    let on_host = !network.is_on_ovn();
    let has = |is: fn(&Dhcp) -> bool| network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).any(is);
    let with_stp = network.bridge.as_ref().is_none_or(|bridge| bridge.stp != Some(false));
    let groups = network.port_groups.iter().filter(|group| !group.default);
    let many = groups.count().saturating_sub(MOST_GROUPS);
    let floors = network.port_groups.iter().filter_map(|group| group.bandwidth.as_ref()?.inbound.as_ref()?.floor);
    let notes = [
        (with_stp && on_host, "STP paused while guests were plugged in: a port takes 4 s to forward".to_owned()),
        (
            on_host && has(|dhcp| !dhcp.ranges.is_empty()) && !may_collide(network, guests),
            "dnsmasq offers addresses at once: it would ping each for 3 s".to_owned(),
        ),
        (
            !guests.iter().any(|guest| guest.name == "guest2"),
            "a second guest was not tried: the ranges have one free address".to_owned(),
        ),
        (reservations > 0, format!("{reservations} more reservations were not tried")),
        (many > 0, format!("{many} more portgroups were not tried")),
        (
            on_host && floors.count() > 0,
            "the bandwidth that `floor` reserves was not tried: no other guest takes it away".to_owned(),
        ),
        (routes > 0, format!("{routes} routes were not tried: the host prefers another one to the same place")),
        (has(|dhcp| dhcp.bootp.is_some()), "booting over the network was not tried".to_owned()),
        (
            options::is_without_names(network),
            "names were not tried: the dnsmasq option `port=0` turns them off".to_owned(),
        ),
        (
            (on_host || !network.ovn_name_servers().is_empty()) && !has_names,
            "the host's name server was not tried: there is no /etc/resolv.conf".to_owned(),
        ),
    ];
    let notes = notes.into_iter().chain(of_ovn(network).filter(|_| !on_host));
    notes.filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
}

/// Those of a network that OVN makes.
fn of_ovn(network: &Network) -> impl Iterator<Item = (bool, String)> {
    let outside = network.extensions.ovn.as_ref().and_then(|engine| engine.outside.as_ref());
    let asks = network.dns.iter().flat_map(|dns| &dns.forwarders).next().is_some();
    let leases = network.ips.iter().any(|ip| ip.has_dhcp());
    let notes = [
        (
            outside.is_some_and(|it| it.gateways.len() > 1 || it.gateways.iter().any(|it| it.as_group().is_some())),
            "no host was lost: of two hosts alone none takes over from the other".to_owned(),
        ),
        (
            outside.is_some_and(|it| it.vlan.is_some()),
            "the physical network was without its VLAN, and all hosts were connected to it".to_owned(),
        ),
        (
            network.answers_names() && !network.ips.is_empty() && !asks && network.ovn_name_servers().is_empty(),
            "other names were not asked: what a host's name server passes on was not tried".to_owned(),
        ),
        (leases, "leases of OVN do not end, and no list has them".to_owned()),
    ];
    notes.into_iter()
}

/// The number of reservations and routes that are not tried.
fn left_out(network: &Network) -> (usize, usize) {
    let routes = network.routes.iter().filter(|route| behind(network, route).is_none()).count();
    (reservations(network).count().saturating_sub(MOST_RESERVATIONS), routes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnet_xml::network::{Ip, Route};

    #[test]
    fn a_route_with_a_better_one_is_left_out() {
        let mut network = Network::new("n");
        network.ips.push(Ip::new("192.168.122.1/24".parse().unwrap()));
        for metric in [1, 7] {
            let mut route = Route::new("10.0.0.0/8".parse().unwrap(), "192.168.122.2".parse().unwrap());
            route.metric = Some(metric);
            network.routes.push(route);
        }
        network.routes.push(Route::new("0.0.0.0/0".parse().unwrap(), "192.168.122.2".parse().unwrap()));
        assert_eq!(left_out(&network), (0, 2));
    }
}
