//! Rules: what comes in unasked is refused, and isolated guests do not reach each other.
//!
//! A match that OVN cannot read is ignored and so lets everything pass. Nothing of a definition
//! stands in one but addresses and prefixes that were parsed.

use vnet_types::Family;
use vnet_xml::network::{ForwardMode, WayOut};

use crate::NorthboundTable;
use crate::lower::{Context, port_of};

const DROP: i64 = 1000;
const ALLOW: i64 = 1001;
const FORWARD: i64 = 1002;
const ISOLATE: i64 = 2000;

pub(crate) fn acls(context: &mut Context<'_>) {
    isolation(context);
    let filters = matches!(context.network.forward_mode(), ForwardMode::Nat | ForwardMode::Route);
    if context.outside.is_none() || context.subnets.is_empty() || !filters {
        return;
    }
    let from_router = format!("inport == \"{}\"", context.name("gateway"));
    let from_guests = format!("inport == @{}", context.name("guests"));
    for family in context.network.families().collect::<Vec<_>>() {
        let (word, field) = match family {
            Family::Ipv4 => ("ipv4", "ip4"),
            Family::Ipv6 => ("ipv6", "ip6"),
        };
        let is_translated = matches!(context.network.way_out(family), Some(WayOut::Translated { .. }));
        add(context, &format!("out {word}"), "from-lport", ALLOW, format!("{from_guests} && {field}"), "allow-related");
        if !is_translated {
            let all = format!("{from_router} && {field}");
            add(context, &format!("in {word}"), "to-lport", ALLOW, all, "allow-related");
            continue;
        }
        add(context, &format!("unasked {word}"), "to-lport", DROP, format!("{from_router} && {field}"), "drop");
        let own = context.subnets.iter().map(|(_, net)| net.trunc());
        let behind = context.network.routes.iter().filter_map(|route| route.destination());
        let behind = behind.filter(|net| net.prefix_len() > 0);
        let inside: Vec<_> = own.chain(behind).filter(|net| Family::of(net.addr()) == family).collect();
        for net in inside {
            let all = format!("{from_router} && {field}.src == {net}");
            add(context, &format!("inside {net}"), "to-lport", ALLOW, all, "allow-related");
        }
    }
}

/// Lets the connections of a forward in.
pub(crate) fn forwarded(context: &mut Context<'_>, guest: std::net::IpAddr, transport: &str, port: u16) {
    let field = if guest.is_ipv4() { "ip4" } else { "ip6" };
    let all =
        format!("inport == \"{}\" && {field}.dst == {guest} && {transport}.dst == {port}", context.name("gateway"));
    add(context, &format!("forward {guest} {transport} {port}"), "to-lport", FORWARD, all, "allow-related");
}

fn isolation(context: &mut Context<'_>) {
    let is_isolated = |guest: &&crate::OvnGuest| guest.isolated || context.network.port_isolated == Some(true);
    let isolated: Vec<String> = context.guests.iter().filter(is_isolated).map(port_of).collect();
    if isolated.is_empty() {
        return;
    }
    let name = context.name("isolated");
    let ports = isolated.iter().map(|role| crate::identity::row_of(context.uuid, role));
    let group = context.row(NorthboundTable::PortGroup).text("name", &name).rows("ports", ports);
    context.add("isolated", group);
    add(context, "isolate", "to-lport", ISOLATE, format!("inport == @{name} && outport == @{name}"), "drop");
}

fn add(context: &mut Context<'_>, role: &str, direction: &str, priority: i64, all: String, action: &str) {
    let row = context.row(NorthboundTable::Acl).text("direction", direction).number("priority", priority);
    context.add_to("switch", "acls", &format!("acl {role}"), row.text("match", all).text("action", action));
}
