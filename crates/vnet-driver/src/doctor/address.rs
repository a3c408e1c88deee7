//! The host's addresses in a network, who else uses them, and the way to guests.

use std::fs;
use std::net::IpAddr;

use vnet_netlink::Traveller;
use vnet_plan::Key;
use vnet_types::{InterfaceName, IpNet, KnownNetwork, Neighbour, NetworkName};
use vnet_validate::check_against;
use vnet_xml::{Definition, Severity};

use super::Scene;
use super::bridge::drifted;
use super::patient::{Keeper, Patient};
use super::symptom::Symptom;
use crate::error::Error;

/// The findings about the definition on this host (VN06xx), beside what is its own.
pub(super) fn conflicts(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "conflict";
    let Some(definition) = &patient.definition else { return Ok(Vec::new()) };
    let mut inventory = scene.inventory.clone();
    if let (Keeper::Libvirt { .. }, Ok(name)) = (&patient.keeper, patient.name.parse::<NetworkName>()) {
        let bridge = patient.bridge.clone().filter(|_| patient.runs);
        inventory.networks.push(KnownNetwork { name, uuid: definition.uuid, bridge });
    }
    let findings = check_against(&Definition::Network(Box::new(definition.clone())), &inventory);
    let read = "`ip address`, `ip route`, `ip link`";
    let symptoms: Vec<Symptom> = findings
        .iter()
        .filter(|finding| finding.code.to_string().starts_with("VN06"))
        .map(|finding| {
            let text = format!("{}: {}", finding.code, finding.message);
            let symptom = match finding.severity {
                Severity::Error => Symptom::problem(NAME, text),
                Severity::Warning => Symptom::unknown(NAME, text),
            };
            let symptom = symptom.read(format!("`{}` of the definition", finding.path)).read(read);
            match &finding.help {
                Some(help) => symptom.help(help.clone()),
                None => symptom.help(format!("`vnet explain {}` says more", finding.code)),
            }
        })
        .collect();
    Ok(match symptoms.is_empty() {
        true => vec![Symptom::ok(NAME, "nothing else on the host uses what it uses").read(read)],
        false => symptoms,
    })
}

/// Whether the host has its addresses.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "address";
    let is_address = |key: &Key| matches!(key, Key::Address(..) | Key::Route(..));
    let drift = patient.drift(is_address);
    let read = format!("`ip address show {bridge}`");
    if let Some(symptom) = drifted(NAME, patient, &drift, "addresses or routes are not as they were made") {
        return Ok(vec![symptom.read(read)]);
    }
    let there = scene.netlink.addresses_of(bridge)?;
    let wanted = addresses(patient);
    let mut symptoms: Vec<Symptom> = wanted.iter().filter_map(|net| unfinished(net.addr(), bridge)).collect();
    let is_plugged = scene.netlink.condition(bridge)?.is_some_and(|condition| condition.carrier);
    if wanted.iter().any(|net| net.addr().is_ipv6()) && is_plugged && !has_link_local(bridge) {
        let finding =
            format!("{bridge} has no address of the link (fe80::/10): nothing can tell guests of a router of IPv6");
        let symptom = Symptom::problem(NAME, finding).read(format!("`ip -6 address show {bridge} scope link`"));
        symptoms.push(symptom.command(format!("sysctl -w net.ipv6.conf.{bridge}.addr_gen_mode=0")));
    }
    symptoms.extend(written_down(scene, patient, bridge, &wanted)?);
    for net in wanted.iter().filter(|net| !there.iter().any(|it| it.net == **net)) {
        let finding = format!("{bridge} has no address {net}: guests find neither their gateway nor dnsmasq");
        let symptom = Symptom::problem(NAME, finding).read(read.clone());
        symptoms.push(symptom.command(format!("ip address add {net} dev {bridge}")));
    }
    if symptoms.is_empty() && !wanted.is_empty() {
        let all: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        symptoms.push(Symptom::ok(NAME, format!("{bridge} has {}", all.join(", "))).read(read));
    }
    Ok(symptoms)
}

/// Whether a link has an address of the link.
fn has_link_local(link: &InterfaceName) -> bool {
    let listed = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
    listed.lines().any(|line| line.starts_with("fe8") && line.split_whitespace().last() == Some(link.as_str()))
}

/// Guests whose MAC address somebody has written down: the kernel does not ask who they are.
fn written_down(
    scene: &Scene<'_>,
    patient: &Patient,
    bridge: &InterfaceName,
    wanted: &[IpNet],
) -> Result<Vec<Symptom>, Error> {
    let name = patient.name.parse::<NetworkName>().ok();
    let leases = name.and_then(|name| scene.driver.current_leases(&name).ok()).unwrap_or_default();
    let written = scene.netlink.permanent_neighbours(bridge)?;
    let of_guests = written.into_iter().filter(|it| wanted.iter().any(|net| net.contains(&it.ip)));
    let symptom = |Neighbour { ip, mac, .. }: Neighbour| {
        // The check of guests compares it with the lease.
        if leases.iter().any(|lease| lease.ip == ip) {
            return None;
        }
        let finding = format!(
            "this host asks nobody who has {ip} behind {bridge}: somebody has written down {mac}; another guest with that \
             address is not reached"
        );
        let symptom = Symptom::unknown("address", finding).suspect();
        let symptom = symptom.read(format!("`ip neighbour show dev {bridge}`: PERMANENT"));
        Some(symptom.command(format!("ip neighbour del {ip} dev {bridge}")))
    };
    Ok(of_guests.filter_map(symptom).collect())
}

/// The host's addresses in a network.
pub(super) fn addresses(patient: &Patient) -> Vec<IpNet> {
    let definition = patient.definition.iter().flat_map(|network| &network.ips);
    definition.filter_map(vnet_xml::network::Ip::net).collect()
}

/// The flags of an IPv6 address of this host (`IFA_F_*`).
fn flags(ip: IpAddr) -> Option<u8> {
    let IpAddr::V6(ip) = ip else { return None };
    let wanted = format!("{:032x}", ip.to_bits());
    let listed = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
    let line = listed.lines().find(|line| line.starts_with(&wanted))?;
    u8::from_str_radix(line.split_whitespace().nth(4)?, 16).ok()
}

const DAD_FAILED: u8 = 0x08;
const TENTATIVE: u8 = 0x40;

/// Whether the kernel still looks whether somebody else has this address. Nobody can use it then.
/// It cannot look as long as nothing is plugged in.
pub(super) fn is_tentative(ip: IpAddr) -> bool {
    flags(ip).is_some_and(|flags| flags & TENTATIVE != 0)
}

/// An address that the host has and cannot use.
fn unfinished(ip: IpAddr, bridge: &InterfaceName) -> Option<Symptom> {
    let read = format!("`ip -6 address show {bridge}`");
    match flags(ip)? {
        flags if flags & DAD_FAILED != 0 => {
            let finding = format!("somebody else behind {bridge} has {ip}: this host does not use it");
            let help = format!("take it away there, then `ip address del` and `add` it on {bridge}");
            Some(Symptom::problem("address", finding).read(read).help(help))
        }
        flags if flags & TENTATIVE != 0 => {
            let finding = format!("{ip} is tentative: the kernel lets nobody use it before a guest is plugged in");
            Some(Symptom::unknown("address", finding).read(read))
        }
        _ => None,
    }
}

/// An address that a guest may have: the highest of a subnet.
pub(super) fn example(net: IpNet) -> IpAddr {
    match net.broadcast() {
        IpAddr::V4(last) => IpAddr::V4(last.to_bits().saturating_sub(1).into()),
        IpAddr::V6(last) => IpAddr::V6(last.to_bits().saturating_sub(1).into()),
    }
}

/// Whether packets for guests leave by the bridge.
pub(super) fn way_to_guests(
    scene: &Scene<'_>,
    patient: &Patient,
    bridge: &InterfaceName,
) -> Result<Vec<Symptom>, Error> {
    let mut symptoms = Vec::new();
    for net in addresses(patient) {
        let to = guest_in(scene, patient, net);
        // What dnsmasq answers has the host's address in the network as its source.
        let is_there = scene.inventory.addresses.iter().any(|(link, it)| link == bridge && it.net == net);
        let from = Some(net.addr()).filter(|ip| is_there && !is_tentative(*ip));
        let mut found = match one_way(scene, bridge, net, (to, None))? {
            None if from.is_some() => one_way(scene, bridge, net, (to, from))?,
            found => found,
        };
        for to in spread(patient, net) {
            found = match found {
                None => one_way(scene, bridge, net, (to, None))?,
                found => found,
            };
        }
        symptoms.push(found.unwrap_or_else(|| {
            let finding = format!("packets for {} leave by {bridge}", net.trunc());
            Symptom::ok("way-to-guests", finding).read(format!("`ip route get {to}`"))
        }));
    }
    Ok(symptoms)
}

/// Addresses of a subnet: the ends of its ranges, and some of each of its parts.
fn spread(patient: &Patient, net: IpNet) -> Vec<IpAddr> {
    let config = patient.intent.as_ref().and_then(|intent| intent.dnsmasq.as_ref());
    let subnets = config.iter().flat_map(|config| &config.subnets);
    let ranges = subnets.filter_map(|subnet| subnet.dhcp.as_ref()).flat_map(|dhcp| &dhcp.ranges);
    let ends = ranges.flat_map(|range| [range.addresses.start(), range.addresses.end()]);
    let parts = (net.prefix_len() + 4).min(net.max_prefix_len() - 2).max(net.prefix_len());
    let parts = net.trunc().subnets(parts).into_iter().flatten().map(example);
    let is_other = |ip: &IpAddr| net.contains(ip) && *ip != net.addr();
    ends.filter(is_other).chain(parts.filter(is_other)).collect()
}

/// What is wrong with the way to a guest. `None`: it is by the bridge.
fn one_way(
    scene: &Scene<'_>,
    bridge: &InterfaceName,
    net: IpNet,
    (to, from): (IpAddr, Option<IpAddr>),
) -> Result<Option<Symptom>, Error> {
    let subnet = net.trunc();
    let sent = from.map_or_else(String::new, |from| format!(" from {from}"));
    let way = scene.netlink.way(&Traveller { to, from, incoming: None })?;
    if way.as_ref().is_ok_and(|way| !way.local && way.link.as_ref() == Some(bridge)) {
        return Ok(None);
    }
    let mut routes = scene.netlink.routes_of(bridge)?.into_iter();
    if !is_tentative(net.addr()) && !routes.any(|route| route.destination == subnet) {
        let finding = format!("the route to guests of {subnet} by {bridge} is gone");
        let symptom = Symptom::problem("way-to-guests", finding).read(format!("`ip route show dev {bridge}`"));
        let command = match net {
            IpNet::V4(_) => format!("ip route add {subnet} dev {bridge} proto kernel scope link src {}", net.addr()),
            IpNet::V6(_) => format!("ip -6 route add {subnet} dev {bridge} proto kernel metric 256"),
        };
        return Ok(Some(symptom.command(command)));
    }
    let finding = match way {
        Ok(way) if way.local => format!("{to}, which a guest may have, is an address of this host"),
        Ok(way) => match way.link {
            Some(link) => format!(
                "packets{sent} for guests of {subnet} leave by {link}{}, and not by {bridge}: another route or rule \
                 comes first",
                way.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default()
            ),
            None => format!("the kernel drops packets{sent} for guests of {subnet}"),
        },
        Err(refused) => format!("this host has no way{sent} to guests of {subnet}: {refused}"),
    };
    let symptom = Symptom::problem("way-to-guests", finding).read(format!("`ip route get {to}{sent}`"));
    let symptom = symptom.read("`ip rule`, `ip route show table all`");
    Ok(Some(symptom.help("delete that route or rule, or give the network another subnet")))
}

/// The address of an examined guest in a subnet, or one that a guest may have.
fn guest_in(scene: &Scene<'_>, patient: &Patient, net: IpNet) -> IpAddr {
    let leases = patient.name.parse().ok().and_then(|name| scene.driver.current_leases(&name).ok()).unwrap_or_default();
    let lease = leases.iter().map(|lease| lease.ip).find(|ip| net.contains(ip));
    lease.unwrap_or_else(|| example(net))
}
