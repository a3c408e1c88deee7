//! Ports of the gateway that lead to guests, as load balancers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use vnet_types::{Family, PortRange, PortSet};
use vnet_xml::interface::Protocol;
use vnet_xml::network::OvnOutside;

use crate::lower::Context;
use crate::matching::Transport;
use crate::{NorthboundTable, acl, egress};

pub(crate) fn balancers(context: &mut Context<'_>) {
    let Some(outside) = context.outside else { return };
    for (protocol, transport) in [(Protocol::Tcp, Transport::Tcp), (Protocol::Udp, Transport::Udp)] {
        let (leads, word) = (leads(context, outside, protocol), transport.word());
        if leads.is_empty() {
            continue;
        }
        let row = context.row(NorthboundTable::LoadBalancer).text("name", context.name(word)).texts("protocol", [word]);
        let row = row.map("vips", leads.iter().map(|(from, to)| (from.to_string(), to)));
        // A guest that reaches itself through the gateway must see another address than its own.
        let gateways: Vec<String> = context.subnets.iter().map(|(ip, _)| ip.address.to_string()).collect();
        let row = row.map("options", [("hairpin_snat_ip".to_owned(), gateways.join(" "))]);
        let balancer = context.add_to("router", "load_balancer", &format!("forward {word}"), row);
        context.refer("switch", "load_balancer", balancer);
        let guests = ports_of(leads.values());
        acl::forwarded(context, transport, &guests);
        egress::forwarded(context, transport, &ports_of(leads.keys().chain(leads.values())));
    }
}

/// The ports of each address.
fn ports_of<'a>(all: impl Iterator<Item = &'a SocketAddr>) -> BTreeMap<IpAddr, PortSet> {
    let mut ports: BTreeMap<IpAddr, Vec<PortRange>> = BTreeMap::new();
    for it in all {
        ports.entry(it.ip()).or_default().extend(PortRange::new(it.port(), it.port()).ok());
    }
    ports.into_iter().map(|(address, ports)| (address, PortSet::from_iter(ports))).collect()
}

fn leads(context: &Context<'_>, outside: &OvnOutside, protocol: Protocol) -> BTreeMap<SocketAddr, SocketAddr> {
    let mut leads = BTreeMap::new();
    let forwards = &context.network.extensions.port_forwards;
    for it in forwards.iter().filter(|it| it.forward.protocol == protocol) {
        for guest in context.network.addresses_of(&it.guest) {
            let own = outside.addresses.iter().map(|it| it.address);
            let all: Vec<IpAddr> = it.forward.address.map_or_else(|| own.collect(), |it| vec![it]);
            for from in all.into_iter().filter(|it| Family::of(*it) == Family::of(guest)) {
                for (ports, first) in it.forward.leads() {
                    let pairs = (ports.start()..=ports.end()).zip(first..);
                    leads.extend(pairs.map(|(port, to)| (SocketAddr::new(from, port), SocketAddr::new(guest, to))));
                }
            }
        }
    }
    leads
}
