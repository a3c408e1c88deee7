//! Rules: the network's own, and those of others.

use std::net::IpAddr;

use vnet_firewall::{CtState, Firewall, Hook, Judgement, LibvirtRules, Packet};
use vnet_plan::{HostState, Key};
use vnet_types::InterfaceName;
use vnet_xml::network::ForwardMode;

use super::Scene;
use super::address::{addresses, example};
use super::bridge::{drifted, of};
use super::patient::{Keeper, Patient};
use super::symptom::Symptom;
use crate::error::Error;

/// Whether the network's own rules are installed.
pub(super) fn own(_: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "own-rules";
    let mode = patient.definition.as_ref().map(vnet_xml::Network::forward_mode);
    if patient.intent.is_none() || mode == Some(ForwardMode::Open) {
        return Ok(Vec::new());
    }
    match &patient.keeper {
        Keeper::Vnet { .. } => {
            let drift = patient.drift(|key| matches!(key, Key::Ruleset(_)));
            let read = "`nft list table inet vnet`";
            let what = "the network's rules are not as they were made, as after a flush: guests are not forwarded";
            Ok(vec![match drifted(NAME, patient, &drift, what) {
                Some(symptom) => symptom.read(read),
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
pub(super) fn foreign(scene: &Scene<'_>, patient: &Patient, _: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "foreign-rules";
    let owned = match &patient.keeper {
        Keeper::Vnet { name, .. } => scene.driver.store.receipt(name)?.map(|receipt| receipt.owned),
        Keeper::Libvirt { .. } => None,
    };
    let owned = owned.unwrap_or_else(HostState::new);
    let found = scene.driver.obstacles(&scene.host, &owned, patient.intent.as_ref(), &scene.inventory)?;
    let read = "`nft list ruleset`";
    if found.is_empty() {
        return Ok(vec![Symptom::ok(NAME, "no rule of another program drops what guests need").read(read)]);
    }
    let help = "vnet leaves the rules of others alone; what is put before them goes when they are made anew";
    let symptom = |symptom: Symptom| if symptom.help.is_none() { symptom.help(help) } else { symptom };
    Ok(found.iter().map(|obstacle| symptom(of(obstacle, NAME).read(read))).collect())
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
        udp: false,
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
