//! DNS: the names that OVN answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vnet_types::{EgressPreset, Family};
use vnet_xml::Network;

use crate::NorthboundTable;
use crate::lower::Context;

/// The servers that guests of a subnet are told: the name server of their host, or else those that
/// all names are forwarded to, or the gateway. OVN answers the names that it knows whichever server
/// is asked. Guests that reach the gateway only are told that.
pub fn name_servers(network: &Network, gateway: IpAddr) -> Vec<IpAddr> {
    if !network.answers_names() {
        return Vec::new();
    }
    let own = network.ovn_name_servers().into_iter().find(|net| net.contains(&gateway));
    if let Some(own) = own {
        return vec![own.addr()];
    }
    if network.extensions.egress.as_ref().is_some_and(|it| it.preset == EgressPreset::HostOnly) {
        return vec![gateway];
    }
    let forwarders = network.dns.iter().flat_map(|dns| &dns.forwarders);
    let family = Family::of(gateway);
    let named = forwarders.filter(|it| it.domain.is_none()).filter_map(|it| it.addr);
    let named: Vec<_> = named.filter(|it| Family::of(*it) == family).collect();
    if named.is_empty() { vec![gateway] } else { named }
}

/// Whether a name can be that of a host: letters, digits, hyphens and dots.
pub(crate) fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.len() < 254 && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._".contains(&it))
}

pub(crate) fn records(context: &mut Context<'_>) {
    let network = context.network;
    if !network.answers_names() {
        return;
    }
    let mut named: Vec<(&str, IpAddr)> = Vec::new();
    for host in network.dns.iter().flat_map(|dns| &dns.hosts) {
        named.extend(host.hostnames.iter().map(|name| (name.as_str(), host.ip)));
    }
    let reserved = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).flat_map(|dhcp| &dhcp.hosts);
    named.extend(reserved.filter_map(|host| Some((host.name.as_deref()?, host.ip))));
    let domain = network.domain.as_ref().map(|domain| domain.name.as_str());
    let all = of(&named, domain);
    for guest in context.guests {
        let Some(name) = guest.name.as_deref() else { continue };
        let own: Vec<_> = guest.addresses.iter().map(|address| (name, *address)).collect();
        // Of two records of one name OVN takes any.
        let own = of(&own, domain).into_iter().filter(|(name, _)| !all.contains_key(name));
        add(context, &format!("names {}", guest.id), own.collect());
    }
    add(context, "names", all);
}

fn add(context: &mut Context<'_>, role: &str, records: BTreeMap<String, String>) {
    if !records.is_empty() {
        let row = context.row(NorthboundTable::Dns).map("records", records);
        context.add_to("switch", "dns_records", role, row);
    }
}

/// OVN compares with questions in lower case, so a record with capitals would never be found.
fn of(named: &[(&str, IpAddr)], domain: Option<&str>) -> BTreeMap<String, String> {
    let mut forward: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut reverse: BTreeMap<String, String> = BTreeMap::new();
    for (name, address) in named.iter().filter(|(name, _)| is_host_name(name)) {
        let name = name.to_ascii_lowercase();
        let full =
            domain.filter(|_| !name.contains('.')).map(|domain| format!("{name}.{}", domain.to_ascii_lowercase()));
        reverse.entry(pointer(*address)).or_insert_with(|| full.clone().unwrap_or_else(|| name.clone()));
        for name in [Some(name), full].into_iter().flatten() {
            forward.entry(name).or_default().insert(*address);
        }
    }
    let words = |all: BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    forward.into_iter().map(|(name, all)| (name, words(all))).chain(reverse).collect()
}

fn pointer(address: IpAddr) -> String {
    match address {
        IpAddr::V4(it) => {
            let [a, b, c, d] = it.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(it) => {
            let nibbles = it.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            let digits: Vec<String> = nibbles.map(|it| format!("{it:x}")).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}
