//! Rules: what comes in unasked is refused, and isolated guests do not reach each other.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vnet_types::{Family, IpNet, PortSet};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, WayOut};

use crate::lower::{Context, port_of};
use crate::matching::{OvnMatch, Predicate, Side, Transport, Way};
use crate::priority::Priority;
use crate::{NorthboundTable, OvnGuest, egress};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Lets the connection pass, with its answers.
    Allow,
    Drop,
    /// Tells the sender.
    Reject,
}

pub(crate) fn acls(context: &mut Context<'_>) {
    isolation(context);
    if context.subnets.is_empty() {
        return;
    }
    egress::limits(context);
    let filters = matches!(context.network.forward_mode(), ForwardMode::Nat | ForwardMode::Route);
    if context.outside.is_none() || !filters {
        return;
    }
    let from_router = OvnMatch::port(Way::In, context.name("gateway"));
    for family in context.network.families().collect::<Vec<_>>() {
        let of_family = || OvnMatch::is(Predicate::of(family));
        let all = from_guests(context).and(of_family());
        add(context, &format!("out {family}"), Way::In, Priority::Asked, all, Verdict::Allow);
        let all = from_router.clone().and(of_family());
        if !matches!(context.network.way_out(family), Some(WayOut::Translated { .. })) {
            add(context, &format!("in {family}"), Way::Out, Priority::Asked, all, Verdict::Allow);
            continue;
        }
        add(context, &format!("unasked {family}"), Way::Out, Priority::Unasked, all, Verdict::Drop);
        let inside = inside(context).into_iter().filter(|net| net.prefix_len() > 0);
        if let Some(inside) = OvnMatch::within(Side::Source, family, inside) {
            let all = from_router.clone().and(inside);
            add(context, &format!("inside {family}"), Way::Out, Priority::Asked, all, Verdict::Allow);
        }
    }
}

pub(crate) fn from_guests(context: &Context<'_>) -> OvnMatch {
    OvnMatch::group(Way::In, context.name("guests"))
}

/// The subnets of guests, and those behind them.
pub(crate) fn inside(context: &Context<'_>) -> Vec<IpNet> {
    let own = context.subnets.iter().map(|(_, net)| net.trunc());
    own.chain(context.network.routes.iter().filter_map(|route| route.destination())).collect()
}

/// Lets the connections of forwards in, to the ports of each guest.
pub(crate) fn forwarded(context: &mut Context<'_>, transport: Transport, guests: &BTreeMap<IpAddr, PortSet>) {
    for (guest, ports) in guests {
        let Some(to) = to_ports(transport, *guest, ports) else { continue };
        let all = OvnMatch::port(Way::In, context.name("gateway")).and(to);
        let role = format!("forward {guest} {}", transport.word());
        add(context, &role, Way::Out, Priority::Forwarded, all, Verdict::Allow);
    }
}

/// What is sent to ports of an address.
pub(crate) fn to_ports(transport: Transport, address: IpAddr, ports: &PortSet) -> Option<OvnMatch> {
    let to = OvnMatch::within(Side::Destination, Family::of(address), [IpNet::from(address)])?;
    let ports = OvnMatch::any(ports.ranges().map(|ports| OvnMatch::transport_to(transport, ports)));
    Some(to.and(ports))
}

/// Whether a guest cannot reach other isolated guests.
pub(crate) fn is_isolated(network: &Network, guest: &OvnGuest) -> bool {
    guest.isolated || network.port_isolated == Some(true)
}

fn isolation(context: &mut Context<'_>) {
    let guests = context.guests.iter().filter(|guest| is_isolated(context.network, guest));
    let isolated: Vec<String> = guests.map(port_of).collect();
    if isolated.is_empty() {
        return;
    }
    let name = context.name("isolated");
    let ports = isolated.iter().map(|role| crate::identity::row_of(context.uuid, role));
    let group = context.row(NorthboundTable::PortGroup).text("name", &name).rows("ports", ports);
    context.add("isolated", group);
    // A host knows of a group of ports what is on it, so that senders are known by MAC addresses,
    // which `port_security` keeps them to.
    let macs = context.name("isolated_macs");
    let senders = context.guests.iter().filter(|guest| is_isolated(context.network, guest)).map(|it| it.mac);
    let set = context.row(NorthboundTable::AddressSet).text("name", &macs).texts("addresses", senders);
    context.add("isolated macs", set);
    let to_isolated = OvnMatch::group(Way::Out, &name);
    let all = OvnMatch::ethernet_from(&macs).and(to_isolated.clone());
    add(context, "isolate", Way::Out, Priority::Isolated, all, Verdict::Drop);
    // The router would lead from one to the other.
    for family in context.network.families().collect::<Vec<_>>() {
        let from_router = OvnMatch::port(Way::In, context.name("gateway"));
        let all = OvnMatch::all([from_router, to_isolated.clone(), OvnMatch::address_of(Side::Source, family, &name)]);
        add(context, &format!("isolate {family}"), Way::Out, Priority::Isolated, all, Verdict::Drop);
    }
}

/// Adds a rule for what leaves guests, [`Way::In`] of the switch, or for what reaches them.
pub(crate) fn add(
    context: &mut Context<'_>,
    role: &str,
    way: Way,
    priority: Priority,
    all: OvnMatch,
    verdict: Verdict,
) {
    let direction = match way {
        Way::In => "from-lport",
        Way::Out => "to-lport",
    };
    let action = match verdict {
        Verdict::Allow => "allow-related",
        Verdict::Drop => "drop",
        Verdict::Reject => "reject",
    };
    let row = context.row(NorthboundTable::Acl).text("direction", direction).number("priority", priority.number());
    context.add_to("switch", "acls", &format!("acl {role}"), row.text("match", all).text("action", action));
}
