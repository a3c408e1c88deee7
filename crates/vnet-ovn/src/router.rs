//! The router: the gateway of each subnet, the outside, translation and routes.

use vnet_types::{Family, IpNet};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, OvnGateway, OvnOutside, Route, WayOut};

use crate::identity::mac_of;
use crate::lower::{Context, MTU};
use crate::matching::{OvnMatch, Predicate, Side, Way};
use crate::priority::{FORBIDDEN, FORGED, PERMITTED};
use crate::{NorthboundTable, acl, dns};

pub(crate) fn router(context: &mut Context<'_>) {
    if context.subnets.is_empty() {
        return;
    }
    // ovn-trace looks for a switch and for a router by the same word.
    let row = context.row(NorthboundTable::Router).text("name", format!("{}-router", context.network.name));
    context.add("router", row);
    let nets = context.subnets.iter().map(|(_, net)| *net);
    let port = context.row(NorthboundTable::RouterPort).text("name", context.name("inside"));
    let port = port.text("mac", context.router_mac).texts("networks", nets);
    let port = port.map("ipv6_ra_configs", advertisements(context));
    context.add_to("router", "ports", "inside", port);
    let row = to_router(context, "gateway", "inside");
    context.add_to("switch", "ports", "gateway", row);
    for (at, route) in routes(context.network) {
        let Some(net) = route.destination() else { continue };
        let row = context.row(NorthboundTable::StaticRoute).text("ip_prefix", net).text("nexthop", route.gateway);
        context.add_to("router", "static_routes", &format!("route {at}"), row);
    }
    from_inside(context);
    if let Some(outside) = context.outside {
        beyond(context, outside);
    }
}

/// The routes that packets take, each with its place. Of several to one destination a host takes
/// the one with the smallest metric. OVN has no metric, and would share packets out among all.
pub(crate) fn routes(network: &Network) -> impl Iterator<Item = (usize, &Route)> {
    let is_better =
        |one: &Route, other: &Route| one.net() == other.net() && one.effective_metric() < other.effective_metric();
    let all = || network.routes.iter();
    all().enumerate().filter(move |(_, route)| !all().any(|other| is_better(other, route)))
}

/// A port of a switch that leads to one of the router.
fn to_router(context: &Context<'_>, role: &str, port: &str) -> crate::NorthboundRow {
    let row = context.row(NorthboundTable::SwitchPort).text("name", context.name(role)).text("type", "router");
    row.texts("addresses", ["router"]).map("options", [("router-port".to_owned(), context.name(port))])
}

/// What guests are told of IPv6. An isolated network would be told a way out that it has not.
fn advertisements(context: &Context<'_>) -> Vec<(String, String)> {
    if context.outside.is_none() || !context.network.has_family(Family::Ipv6) {
        return Vec::new();
    }
    let mode = if context.network.has_dhcp(Family::Ipv6) { "dhcpv6_stateful" } else { "slaac" };
    let mtu = context.network.mtu.unwrap_or(MTU).to_string();
    let mut all = vec![("address_mode", mode.to_owned()), ("mtu", mtu), ("send_periodic", "true".to_owned())];
    let servers = context.subnets.iter().filter(|(ip, _)| ip.address.is_ipv6());
    let server = servers.flat_map(|(ip, _)| dns::name_servers(context.network, ip.address)).next();
    all.extend(server.map(|it| ("rdnss", it.to_string())));
    all.extend(context.network.domain.as_ref().map(|domain| ("dnssl", domain.name.clone())));
    all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn beyond(context: &mut Context<'_>, outside: &OvnOutside) {
    let switch = context.row(NorthboundTable::Switch).text("name", format!("{}-outside", context.network.name));
    context.add("outside switch", switch);
    let link = context.row(NorthboundTable::SwitchPort).text("name", context.name("link")).text("type", "localnet");
    let link = link.texts("addresses", ["unknown"]);
    let mut link = link.map("options", [("network_name".to_owned(), &outside.network)]);
    if let Some(vlan) = outside.vlan {
        link = link.with("tag", crate::ColumnValue::Numbers([i64::from(vlan)].into()));
    }
    context.add_to("outside switch", "ports", "link", link);
    let nets: Vec<IpNet> = outside.addresses.iter().filter_map(|it| it.net()).collect();
    let mtu = context.network.mtu.unwrap_or(MTU);
    let port = context.row(NorthboundTable::RouterPort).text("name", context.name("outside"));
    let port = port.text("mac", mac_of(context.uuid, "outside")).texts("networks", &nets);
    let port = port.map("options", [("gateway_mtu".to_owned(), mtu)]).rows("ha_chassis_group", context.group);
    context.add_to("router", "ports", "outside", port);
    let row = to_router(context, "way", "outside");
    context.add_to("outside switch", "ports", "way", row);
    for gateway in &outside.gateways {
        let OvnGateway::Chassis { chassis, priority } = gateway else { continue };
        let name = format!("{}_{chassis}", context.name("outside"));
        let row = context.row(NorthboundTable::GatewayChassis).text("name", name);
        let row = row.text("chassis_name", chassis).number("priority", priority.unwrap_or(0));
        context.add_to("outside", "gateway_chassis", &format!("gateway {chassis}"), row);
    }
    for next in outside.addresses.iter().filter_map(|it| it.gateway) {
        let all = if next.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        let row = context.row(NorthboundTable::StaticRoute).text("ip_prefix", all).text("nexthop", next);
        let row = row.texts("output_port", [context.name("outside")]);
        context.add_to("router", "static_routes", &format!("default {next}"), row);
    }
    translation(context, outside);
    from_outside(context);
}

fn translation(context: &mut Context<'_>, outside: &OvnOutside) {
    for at in 0..context.subnets.len() {
        let (_, net) = context.subnets[at];
        let family = Family::of(net.addr());
        let Some(WayOut::Translated { addresses, .. }) = context.network.way_out(family) else { continue };
        let own = outside.addresses.iter().map(|it| it.address).find(|it| Family::of(*it) == family);
        let Some(external) = addresses.map(|it| it.start()).or(own) else { continue };
        let ports = context.network.forward.as_ref().and_then(|it| it.nat.as_ref()?.ports);
        let row = context.row(NorthboundTable::Nat).text("type", "snat").text("external_ip", external);
        let row = row.text("logical_ip", net.trunc());
        let row = row.text("external_port_range", ports.map(|it| it.to_string()).unwrap_or_default());
        context.add_to("router", "nat", &format!("nat {}", net.trunc()), row);
    }
}

/// Packets from inside: those of the network's own subnets may go anywhere. What is behind a guest,
/// by a static route, reaches what is inside and not the outside, as on a bridge: libvirt's rules
/// let the network's own subnets out and in, and nothing else. Other sources are forged.
///
/// Each policy says what passes, and the last one drops the rest: OVN makes flows of each address
/// that is not in a list of subnets, and multiplies those of two such lists.
fn from_inside(context: &mut Context<'_>) {
    for Inside { family, own, all, is_everything } in insides(context) {
        let from_own = OvnMatch::within(Side::Source, family, own.clone());
        judge(context, "inside", &format!("own {family}"), PERMITTED, from_own);
        let to_all = OvnMatch::within(Side::Destination, family, all.clone());
        // A guest that leads to everything else sends from anywhere.
        let behind = match is_everything {
            true => to_all,
            false if all.len() > own.len() => {
                Some(OvnMatch::all([OvnMatch::within(Side::Source, family, all), to_all].into_iter().flatten()))
            }
            false => None,
        };
        judge(context, "inside", &format!("behind {family}"), PERMITTED, behind);
        let rest = Some(OvnMatch::is(Predicate::of(family)));
        judge(context, "inside", &format!("foreign {family}"), FORBIDDEN, rest);
    }
}

/// Packets from outside with a source inside are forged, and nothing is for what is behind a guest,
/// but for the network's own subnets where they are within that.
fn from_outside(context: &mut Context<'_>) {
    for Inside { family, own, all, is_everything } in insides(context) {
        let is_own = |net: &IpNet| own.iter().any(|own| own.trunc() == net.trunc());
        let behind: Vec<IpNet> = all.iter().filter(|net| !is_own(net)).copied().collect();
        judge(context, "outside", &format!("forged {family}"), FORGED, OvnMatch::within(Side::Source, family, all));
        let inward = format!("inward {family}");
        if is_everything || behind.iter().any(|net| own.iter().any(|own| net.contains(own))) {
            let to_own = OvnMatch::within(Side::Destination, family, own);
            judge(context, "outside", &format!("asked {family}"), PERMITTED, to_own);
        }
        if is_everything {
            judge(context, "outside", &inward, FORBIDDEN, Some(OvnMatch::is(Predicate::of(family))));
        } else {
            judge(context, "outside", &inward, FORBIDDEN, OvnMatch::within(Side::Destination, family, behind));
        }
    }
}

/// The addresses of a family inside.
struct Inside {
    family: Family,
    /// The network's own subnets.
    own: Vec<IpNet>,
    /// These, and what is behind guests.
    all: Vec<IpNet>,
    /// Whether a guest leads to everything else.
    is_everything: bool,
}

/// Those of each family. In mode `open` nothing is forbidden.
fn insides(context: &Context<'_>) -> Vec<Inside> {
    if context.network.forward_mode() == ForwardMode::Open {
        return Vec::new();
    }
    let inside = |family| {
        let is_of = |net: &IpNet| Family::of(net.addr()) == family;
        let own = context.subnets.iter().map(|(_, net)| *net).filter(is_of).collect();
        let (all, everything): (Vec<_>, Vec<_>) =
            acl::inside(context).into_iter().filter(is_of).partition(|net| net.prefix_len() > 0);
        Inside { family, own, all, is_everything: !everything.is_empty() }
    };
    context.network.families().map(inside).collect()
}

/// What becomes of packets that come from a port of the router and are like this.
fn judge(context: &mut Context<'_>, port: &str, role: &str, priority: i64, like: Option<OvnMatch>) {
    let Some(like) = like else { return };
    let all = OvnMatch::port(Way::In, context.name(port)).and(like);
    let action = if priority == PERMITTED { "allow" } else { "drop" };
    let row = context.row(NorthboundTable::RouterPolicy).text("match", all);
    let row = row.number("priority", priority).text("action", action);
    context.add_to("router", "policies", role, row);
}
