//! `<vnet:egress>`: what guests may reach beyond their network.
//!
//! What the rules are about goes to the router. It takes frames to its own MAC address, and those
//! to Ethernet's groups: an IP packet to anywhere that is sent in such a frame is routed, too.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, Family, IpNet, PortRange, PortSet};

use crate::acl::{Verdict, add, from_guests, to_ports};
use crate::dns;
use crate::lower::Context;
use crate::matching::{OvnMatch, Predicate, Side, Transport, Way};
use crate::priority::Priority;

const DHCP: u16 = 67;
const DNS: u16 = 53;

pub(crate) fn limits(context: &mut Context<'_>) {
    let Some(egress) = &context.network.extensions.egress else { return };
    needed(context);
    exceptions(context, egress);
    let families = [Family::Ipv4, Family::Ipv6];
    for family in families {
        let behind = context.network.routes.iter().filter_map(|route| route.destination());
        if let Some(behind) = OvnMatch::within(Side::Destination, family, behind.filter(|net| net.prefix_len() > 0)) {
            let all = to_router(context).and(behind);
            add(context, &format!("behind guests {family}"), Way::In, Priority::Served, all, Verdict::Allow);
        }
    }
    match egress.preset {
        EgressPreset::Any => {}
        EgressPreset::InternetOnly => {
            for family in families {
                let servers = context.subnets.iter().flat_map(|(ip, _)| dns::name_servers(context.network, ip.address));
                let servers: Vec<IpNet> = servers.map(IpNet::from).collect();
                if let Some(servers) = OvnMatch::within(Side::Destination, family, servers) {
                    let names = [Transport::Tcp, Transport::Udp].map(|it| OvnMatch::transport_to(it, single(DNS)));
                    let all = OvnMatch::all([to_router(context), servers, OvnMatch::any(names)]);
                    add(context, &format!("names {family}"), Way::In, Priority::Served, all, Verdict::Allow);
                }
                let beyond = OvnMatch::within(Side::Destination, family, Egress::beyond_internet(family));
                let all = OvnMatch::all([Some(to_router(context)), beyond].into_iter().flatten());
                add(context, &format!("no internet {family}"), Way::In, Priority::Refused, all, Verdict::Reject);
            }
        }
        EgressPreset::HostOnly | EgressPreset::None => {
            for family in families {
                let own = context.subnets.iter().map(|(ip, _)| IpNet::from(ip.address));
                let gateway = OvnMatch::within(Side::Destination, family, own);
                if let Some(gateway) = gateway.filter(|_| egress.preset == EgressPreset::HostOnly) {
                    let all = to_router(context).and(gateway);
                    add(context, &format!("gateway {family}"), Way::In, Priority::Served, all, Verdict::Allow);
                }
                let all = to_router(context).and(OvnMatch::is(Predicate::of(family)));
                add(context, &format!("nothing {family}"), Way::In, Priority::Refused, all, Verdict::Reject);
            }
        }
    }
}

/// Guests reach each other by forwards, too. The balancer leads the first packet of a connection on
/// after these rules, and the others before them, so both ends of a forward are named.
pub(crate) fn forwarded(context: &mut Context<'_>, transport: Transport, ends: &BTreeMap<IpAddr, PortSet>) {
    if context.network.extensions.egress.is_none() {
        return;
    }
    for (end, ports) in ends {
        let Some(to) = to_ports(transport, *end, ports) else { continue };
        let (role, all) = (format!("reach forward {end} {}", transport.word()), to_router(context).and(to));
        add(context, &role, Way::In, Priority::Led, all, Verdict::Allow);
    }
}

/// What a guest sends and the router takes.
fn to_router(context: &Context<'_>) -> OvnMatch {
    let to_it = OvnMatch::ethernet_to(context.router_mac);
    from_guests(context).and(OvnMatch::any([to_it, OvnMatch::is(Predicate::EthernetMulticast)]))
}

fn single(port: u16) -> PortRange {
    PortRange::new(port, port).expect("in order")
}

/// DHCP, neighbour discovery, and what stays among the guests: the router takes no broadcasts and
/// passes on no packets to groups.
fn needed(context: &mut Context<'_>) {
    let mut all: Vec<OvnMatch> =
        [Predicate::EthernetBroadcast, Predicate::Ipv4Multicast, Predicate::Ipv6Multicast].map(OvnMatch::is).into();
    let own = |family| {
        let own = context.subnets.iter().map(|(ip, _)| IpNet::from(ip.address));
        OvnMatch::within(Side::Destination, family, own)
    };
    all.extend(own(Family::Ipv4).map(|to| to.and(OvnMatch::transport_to(Transport::Udp, single(DHCP)))));
    let link_local: IpNet = "fe80::/10".parse().expect("a subnet");
    let on_link = OvnMatch::within(Side::Destination, Family::Ipv6, [link_local]);
    let routers = OvnMatch::any([own(Family::Ipv6), on_link].into_iter().flatten());
    let discovery = OvnMatch::any([Predicate::Neighbour, Predicate::RouterSolicitation].map(OvnMatch::is));
    all.push(routers.and(discovery));
    let all = from_guests(context).and(OvnMatch::any(all));
    add(context, "needed", Way::In, Priority::Needed, all, Verdict::Allow);
}

/// The first one that matches decides, so it has the highest priority.
fn exceptions(context: &mut Context<'_>, egress: &Egress) {
    for (place, (allows, exception)) in egress.exceptions().into_iter().rev().enumerate() {
        let all = to_router(context).and(excepted(exception));
        let priority = Priority::Exception(u16::try_from(place).unwrap_or(u16::MAX));
        let verdict = if allows { Verdict::Allow } else { Verdict::Reject };
        add(context, &format!("exception {exception}"), Way::In, priority, all, verdict);
    }
}

/// What an exception is about. One that names nothing is refused before.
fn excepted(exception: &EgressException) -> OvnMatch {
    let family = exception.net.map(|net: IpNet| Family::of(net.addr()));
    let of = |families: &[Family], predicate: fn(Family) -> Predicate| {
        let families = families.iter().filter(|it| family.is_none_or(|family| family == **it));
        OvnMatch::any(families.map(|family| OvnMatch::is(predicate(*family))))
    };
    let both = [Family::Ipv4, Family::Ipv6];
    let transport = |transport| match exception.ports {
        Some(ports) => OvnMatch::transport_to(transport, ports),
        None => OvnMatch::is(if transport == Transport::Tcp { Predicate::Tcp } else { Predicate::Udp }),
    };
    let protocol = match (exception.protocol, exception.ports) {
        (None, None) => of(&both, Predicate::of),
        (None, Some(_)) => OvnMatch::any([Transport::Tcp, Transport::Udp].map(transport)),
        (Some(EgressProtocol::Tcp), _) => transport(Transport::Tcp),
        (Some(EgressProtocol::Udp), _) => transport(Transport::Udp),
        (Some(EgressProtocol::Icmp), _) => of(&both, |family| match family {
            Family::Ipv4 => Predicate::Icmpv4,
            Family::Ipv6 => Predicate::Icmpv6,
        }),
    };
    let net = exception.net.and_then(|net| OvnMatch::within(Side::Destination, Family::of(net.addr()), [net]));
    match net {
        Some(net) => net.and(protocol),
        None => protocol,
    }
}
