//! What is promised otherwise where OVN makes a network: its gateway is no host and moves, and
//! guests are on several hosts. Pure.

use std::net::IpAddr;

use vnet_types::{AddressRange, EgressProtocol, Family};
use vnet_xml::Network;
use vnet_xml::network::OvnOutside;

use super::egress::lets_cross;
use super::limits::{Limit, limit_of};
use crate::cluster::host_of;
use crate::guest::{Addressing, Guest};
use crate::promise::{Promise, Side, Source};

/// The largest packet that the tunnels between hosts carry.
const MTU: u32 = 1442;

/// The promises of a network as OVN keeps them, in the same order, and those that it makes alone.
pub(super) fn promises(network: &Network, guests: &[Guest], of_host: Vec<Promise>) -> Vec<Promise> {
    let mut promises: Vec<Promise> = of_host.into_iter().filter_map(|it| on_ovn(network, guests, it)).collect();
    let mtu = network.mtu.unwrap_or(MTU);
    let leased = |how: &Addressing| matches!(how, Addressing::Leased(Family::Ipv4, _));
    if guests.first().is_some_and(|guest| guest.addresses.iter().any(leased)) {
        let own = network.ips.iter().find(|ip| ip.address.is_ipv4() && ip.dhcp.is_some()).map(|ip| ip.address);
        let router = own.filter(|_| outside(network).is_some());
        promises.extend([Promise::Router { router, of: None }, Promise::Mtu(mtu)]);
    }
    if external(network, Family::Ipv4).is_some() {
        promises.push(Promise::TooLarge(mtu));
    }
    // Guests that are limited may not reach those outside who would be asked meanwhile.
    let is_free = network.extensions.egress.is_none();
    let has_several = |outside: &&OvnOutside| is_free && outside.gateways.len() > 1;
    let ways = outside(network).filter(has_several).into_iter().flat_map(|_| network.families());
    promises.extend(ways.into_iter().find(|family| network.way_out(*family).is_some()).map(Promise::Moves));
    promises
}

/// A promise of a network on a host, as OVN keeps it; `None` if it does not.
fn on_ovn(network: &Network, guests: &[Guest], promise: Promise) -> Option<Promise> {
    Some(match promise {
        // Nobody is at the gateway. It echoes.
        Promise::Reach { to, .. } if network.ips.iter().any(|ip| ip.address == to) => {
            let egress = network.extensions.egress.as_ref()?;
            let may = egress.allows(to, EgressProtocol::Icmp, None, true);
            may.then_some(Promise::Gateway { guest: 0, ip: to })?
        }
        // The name server of each host asks them.
        Promise::Forwarded { .. } if !network.ovn_name_servers().is_empty() => promise,
        Promise::Forwarded { servers, domain } => {
            let servers: Vec<IpAddr> = servers.into_iter().filter(|server| is_asked(network, *server)).collect();
            (!servers.is_empty()).then_some(Promise::Forwarded { servers, domain })?
        }
        Promise::Out(family, Source::Translated { addresses: None, ports }) => {
            let own = external(network, family).and_then(|own| AddressRange::new(own, own).ok());
            Promise::Out(family, Source::Translated { addresses: own, ports })
        }
        Promise::Route { behind, destination, gateway, .. } => {
            let to = guests.iter().position(|guest| guest.behind.contains(&behind));
            let from = Side::Guest(elsewhere(guests, to, Family::of(behind))?);
            Promise::Route { from, behind, destination, gateway }
        }
        Promise::Led { lead, from } => {
            let sibling = elsewhere(guests, Some(lead.guest), Family::of(lead.to.ip())).map(Side::Guest);
            let from = from.into_iter().filter(|side| *side != Side::Host);
            let mut from: Vec<Side> = from.collect();
            from.extend(sibling.filter(|it| !from.contains(it)));
            Promise::Led { lead, from }
        }
        Promise::BetweenGuests(family) => Promise::AcrossHosts(family),
        Promise::Limit { guest, limit, .. } => {
            Promise::Limit { guest, limit, with: measures(network, guests, guest, &limit) }
        }
        other => other,
    })
}

/// A guest on another host than this one's, with an address of a family.
fn elsewhere(guests: &[Guest], than: Option<usize>, family: Family) -> Option<usize> {
    let has = |at: &usize| guests[*at].addresses.iter().any(|how| how.family() == family);
    let others = || (0..guests.len()).filter(|at| Some(*at) != than && has(at));
    others().find(|at| than.is_none_or(|than| host_of(*at) != host_of(than))).or_else(|| others().next())
}

/// Who a guest's limit is measured with, as there is no host in the network: the outside, or a
/// guest that may send or take more.
fn measures(network: &Network, guests: &[Guest], guest: usize, limit: &Limit) -> Option<Side> {
    let mut families = guests[guest].addresses.iter().map(Addressing::family);
    if families.clone().any(|family| network.way_out(family).is_some()) {
        return Some(Side::Outside);
    }
    let other = elsewhere(guests, Some(guest), families.next()?)?;
    let of_other = limit_of(network, &guests[other], limit.direction.reversed());
    let is_free = of_other.is_none_or(|it| !limit.allows(it.most()));
    Some(Side::Guest(other)).filter(|_| is_free && network.port_isolated != Some(true))
}

/// Whether guests are told a server of names, and reach it themselves.
fn is_asked(network: &Network, server: IpAddr) -> bool {
    network.way_out(Family::of(server)).is_some() && lets_cross(network, server, EgressProtocol::Udp, 53)
}

/// The gateway's address outside.
fn external(network: &Network, family: Family) -> Option<IpAddr> {
    outside(network)?.addresses.iter().map(|it| it.address).find(|it| Family::of(*it) == family)
}

/// What the gateway leads to. An isolated network has none, whatever its definition says.
fn outside(network: &Network) -> Option<&OvnOutside> {
    let ways = network.families().any(|family| network.way_out(family).is_some());
    network.extensions.ovn.as_ref().filter(|_| ways)?.outside.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::put_on_ovn;
    use crate::guest::guests;
    use crate::promises::of_network;
    use crate::report::Subject;

    fn texts(inside: &str, subject: Subject) -> Vec<String> {
        let text = format!("<network><name>n</name>{inside}</network>");
        let mut network: [Network; 1] = [text.parse().unwrap()];
        put_on_ovn(&mut network);
        let guests = guests(&network[0]);
        let promises = of_network(&network[0], &guests);
        promises.iter().filter(|it| it.subject(&guests) == subject).map(|it| it.text(&guests)).collect()
    }

    #[test]
    fn the_gateway_is_no_host() {
        let inside = "<forward mode='nat'/><ip address='10.7.7.1' prefix='24'><dhcp>\
            <range start='10.7.7.2' end='10.7.7.9'/></dhcp></ip>\
            <route address='10.9.0.0' prefix='16' gateway='10.7.7.99'/>";
        assert_eq!(texts(inside, Subject::Route), ["guest2 reaches 10.9.0.0/16 through 10.7.7.99"]);
        // The name server of each host passes questions on. Without it, guests would ask
        // themselves.
        assert_eq!(texts(inside, Subject::DnsForwarding), ["DNS: other names are asked of the host's server"]);
        let forwarder = format!("{inside}<dns><forwarder addr='9.9.9.9'/></dns>");
        assert_eq!(texts(&forwarder, Subject::DnsForwarding), ["DNS: other names are asked of 9.9.9.9"]);
        let out = "guests get out over IPv4, as 198.51.100.10 with ports 1024-65535";
        assert_eq!(texts(inside, Subject::Out), [out]);
        assert_eq!(texts(inside, Subject::Router), ["guest1 is told the router 10.7.7.1"]);
        let isolated = inside.replace("<forward mode='nat'/>", "");
        assert_eq!(texts(&isolated, Subject::Router), ["guest1 is told no router"]);
    }

    /// Who each limit of the first guest is measured with.
    fn ends(inside: &str) -> Vec<Option<Side>> {
        let text = format!("<network><name>n</name>{inside}<ip address='10.7.7.1' prefix='24'/></network>");
        let mut network: [Network; 1] = [text.parse().unwrap()];
        put_on_ovn(&mut network);
        let promises = of_network(&network[0], &guests(&network[0])).into_iter();
        let of_first = promises.filter_map(|it| match it {
            Promise::Limit { guest: 0, with, .. } => Some(with),
            _ => None,
        });
        of_first.collect()
    }

    #[test]
    fn limits_are_measured_with_who_may_send_and_take_more() {
        let group = "<portgroup name='all' default='yes'><bandwidth><inbound average='900' burst='40'/>\
            <outbound average='300' burst='20'/></bandwidth></portgroup>";
        assert_eq!(ends(&format!("<forward mode='nat'/>{group}")), [Some(Side::Outside); 2]);
        assert_eq!(ends(group), [None, Some(Side::Guest(1))], "no guest sends as much as the first may receive");
        assert_eq!(ends(&format!("<port isolated='yes'/>{group}")), [None; 2]);
    }
}
