//! Rules: the network's own, and those of others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vnet_firewall::{Carried, CtState, Firewall, FrameRule, Hook, Judgement, LibvirtRules, Packet};
use vnet_netlink::Traveller;
use vnet_plan::{HostState, Key};
use vnet_types::{InterfaceName, IpNet};
use vnet_xml::network::ForwardMode;

use super::Scene;
use super::address::{addresses, example};
use super::beyond::FAR;
use super::bridge::{drifted, of};
use super::meddling;
use super::patient::{Keeper, Patient};
use super::service::leases;
use super::symptom::Symptom;
use crate::error::Error;
use crate::network::flowtable_of;
use crate::obstacle::Obstacle;

/// Whether the network's own rules are installed.
pub(super) fn own(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "own-rules";
    let mode = patient.definition.as_ref().map(vnet_xml::Network::forward_mode);
    if patient.intent.is_none() || mode == Some(ForwardMode::Open) {
        return Ok(Vec::new());
    }
    match &patient.keeper {
        Keeper::Vnet { name, .. } => {
            let drift = patient.drift(|key| matches!(key, Key::Ruleset(_)));
            let skipped = scene.driver.store.receipt(name)?.is_some_and(|receipt| !flowtable_of(&receipt).is_empty());
            let read = "`nft list table inet vnet`";
            let what = "the network's rules are not as they were made, as after a flush: guests are not forwarded";
            Ok(vec![match drifted(NAME, patient, &drift, what) {
                Some(symptom) => symptom.read(read),
                None if skipped => {
                    let finding = "its rules are installed; established connections may skip them and those of others, \
                                   since the network has a flowtable";
                    Symptom::ok(NAME, finding)
                        .read(read)
                        .read("`/proc/net/nf_conntrack`: [OFFLOAD] is what skips them")
                        .help("the next change of the network by `vnet apply` ends that for all of them")
                }
                None => Symptom::ok(NAME, "its rules are installed").read(read),
            }])
        }
        Keeper::Libvirt { .. } => {
            let subnets = addresses(patient);
            let rules = LibvirtRules { bridge: bridge.clone(), subnets };
            let read = "`nft list ruleset`";
            Ok(vec![match Firewall::open()?.has_rules_of_libvirt(&rules)? {
                true => Symptom::ok(NAME, "libvirt's rules for it are installed").read(read),
                false if super::rules::has_legacy() => {
                    Symptom::unknown(NAME, "libvirt's rules may be in iptables-legacy, which vnet cannot read")
                        .read("`/proc/net/ip_tables_names`")
                        .help("`iptables-legacy -S` shows them")
                }
                false => {
                    let finding = "libvirt's rules for it are gone, as after a flush: guests are not translated";
                    let help = "restart virtnetworkd or libvirtd: it makes them anew";
                    Symptom::problem(NAME, finding).read(read).help(help)
                }
            }])
        }
    }
}

/// Whether rules of iptables-legacy are loaded, which are in no table of nf_tables.
pub(super) fn has_legacy() -> bool {
    let tables = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].map(std::fs::read_to_string);
    tables.iter().flatten().any(|names| !names.trim().is_empty())
}

/// Whether a rule of another program drops what guests need.
pub(super) fn foreign(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "foreign-rules";
    let owned = match &patient.keeper {
        Keeper::Vnet { name, .. } => scene.driver.store.receipt(name)?.map(|receipt| receipt.owned),
        Keeper::Libvirt { .. } => None,
    };
    let owned = owned.unwrap_or_else(HostState::new);
    let found = scene.driver.obstacles(&scene.host, &owned, patient.intent.as_ref(), &scene.inventory)?;
    let read = "`nft list ruleset`";
    let mut others = sampled(scene, patient, &found)?;
    let is_told = |symptom: &Symptom| found.iter().any(|obstacle| symptom.finding.contains(&obstacle.to_string()));
    others.extend(meddling::around(scene, patient)?.into_iter().filter(|symptom| !is_told(symptom)));
    others.extend(for_frames(scene, bridge)?);
    if found.is_empty() && others.is_empty() {
        return Ok(vec![Symptom::ok(NAME, "no rule of another program drops what guests need").read(read)]);
    }
    let help = "vnet leaves the rules of others alone; what is put before them goes when they are made anew";
    let symptom = |symptom: Symptom| if symptom.help.is_none() { symptom.help(help) } else { symptom };
    let found = found.iter().map(|obstacle| of(obstacle, NAME));
    Ok(found.chain(others).map(|it| symptom(it.read(read))).collect())
}

/// What guests send beside the samples of what the network promises: the protocol and the port.
const SAMPLES: [(bool, u16); 6] = [(false, 22), (false, 80), (true, 53), (true, 123), (true, 443), (true, 51820)];

/// Rules that refuse other samples of what guests send: from their addresses, and to other ports.
fn sampled(scene: &Scene<'_>, patient: &Patient, found: &[Obstacle]) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "foreign-rules";
    let passages = patient.intent.as_ref().map(|intent| intent.passages(&scene.inventory)).unwrap_or_default();
    let is_out = |packet: &&Packet| {
        packet.hook == Hook::Forward && packet.connection == CtState::New && packet.from == patient.bridge
    };
    let leases: Vec<IpAddr> = leases(scene, patient)?.into_iter().map(|lease| lease.ip).collect();
    let mut samples = Vec::new();
    for packet in passages.iter().map(|passage| &passage.packet).filter(is_out) {
        let to = |(udp, port): (bool, u16)| {
            let (protocol, carries) = if udp { ("udp", Carried::Udp) } else { ("tcp", Carried::Tcp) };
            (format!("{protocol} port {port}"), false, Packet { carries, port, ..packet.clone() })
        };
        samples.extend(SAMPLES.map(to));
        samples.push(("an echo of ICMP".to_owned(), false, Packet { carries: Carried::Echo, ..packet.clone() }));
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == packet.source.is_ipv4();
        let of = |ip: &IpAddr| (ip.to_string(), true, Packet { source: *ip, ..packet.clone() });
        samples.extend(leases.iter().filter(of_family).map(of));
        let low = addresses(patient).into_iter().map(lowest).filter(|ip| of_family(&ip));
        samples.extend(low.map(|ip| (ip.to_string(), false, Packet { source: ip, ..packet.clone() })));
    }
    let judged = scene.host.judge(samples.iter().map(|(_, _, packet)| packet))?;
    let mut refused: BTreeMap<(String, bool), BTreeSet<&str>> = BTreeMap::new();
    for ((what, is_guest, _), judgement) in samples.iter().zip(&judged) {
        if let Judgement::Refused(site) = judgement {
            refused.entry((site.to_string(), *is_guest)).or_default().insert(what);
        }
    }
    let is_told = |site: &str| found.iter().any(|obstacle| obstacle.to_string().contains(site));
    let symptoms = refused.iter().filter(|((site, _), _)| !is_told(site)).map(|((site, is_guest), what)| {
        let what = what.iter().copied().collect::<Vec<_>>().join(", ");
        match is_guest {
            true => Symptom::problem(NAME, format!("the {site} refuses what guests with these addresses send: {what}")),
            false => {
                let finding = format!("the {site} refuses a part of what guests send, which may be wanted: {what}");
                Symptom::unknown(NAME, finding)
            }
        }
    });
    Ok(symptoms.collect())
}

/// The lowest address that a guest may have.
fn lowest(net: IpNet) -> IpAddr {
    match net.network() {
        IpAddr::V4(first) => IpAddr::V4(first.to_bits().saturating_add(2).into()),
        IpAddr::V6(first) => IpAddr::V6(first.to_bits().saturating_add(2).into()),
    }
}

/// Rules that may drop frames of the bridge, of its ports, or of the host's way out.
fn for_frames(scene: &Scene<'_>, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    let links = scene.netlink.links()?;
    let index = links.iter().find(|known| known.link.name == *bridge).map(|known| known.index);
    let mut ours: Vec<InterfaceName> = vec![bridge.clone()];
    ours.extend(links.into_iter().filter(|it| index.is_some() && it.controller == index).map(|it| it.link.name));
    let out = FAR.map(|to| scene.netlink.way(&Traveller { to, from: None, incoming: None }));
    ours.extend(out.into_iter().filter_map(|way| way.ok()?.ok()?.link));
    let rules = Firewall::open()?.foreign()?.frame_rules();
    let is_near =
        |devices: &[String]| devices.is_empty() || ours.iter().any(|link| devices.iter().any(|it| it == link.as_str()));
    let near = rules.iter().filter(|rule| is_near(&rule.devices));
    Ok(near
        .map(|FrameRule { devices, site, drops_all, .. }| {
            let by = if devices.is_empty() { String::new() } else { format!(" at {}", devices.join(", ")) };
            if *drops_all {
                return Symptom::problem("foreign-rules", format!("the {site}{by} drops all frames that pass it"));
            }
            let finding = format!("the {site}{by} may drop frames of guests: vnet does not judge rules for frames");
            Symptom::unknown("foreign-rules", finding).suspect()
        })
        .collect())
}

/// Whether bridged packets pass the rules for routed ones, and are dropped there.
pub(super) fn bridged(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "bridge-netfilter";
    let read = "`sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables`";
    if !scene.inventory.bridge_netfilter {
        return Ok(vec![Symptom::ok(NAME, "bridged packets do not pass the rules for routed ones").read(read)]);
    }
    let between = |source: IpAddr, destination: IpAddr| Packet {
        hook: Hook::Forward,
        from: Some(bridge.clone()),
        to: Some(bridge.clone()),
        source,
        destination,
        carries: Carried::Tcp,
        port: 443,
        connection: CtState::New,
    };
    let packets: Vec<Packet> =
        addresses(patient).iter().map(|net| between(example(*net), net.trunc().addr())).collect();
    let judged = scene.host.judge(packets.iter())?;
    let site = judged.into_iter().find_map(|judgement| match judgement {
        Judgement::Refused(site) => Some(site),
        _ => None,
    });
    Ok(vec![match site {
        Some(site) => {
            let finding =
                format!("guests of one network do not reach each other: br_netfilter is on, and the {site} refuses it");
            Symptom::problem(NAME, finding)
                .read(read)
                .command("sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
        }
        None => Symptom::ok(NAME, "bridged packets pass the rules for routed ones, and none drops them").read(read),
    }])
}
