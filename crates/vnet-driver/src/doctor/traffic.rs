//! Traffic control: what others have set up at the links, and what it does to frames.

use vnet_netlink::{Classifier, Traveller};
use vnet_types::{InterfaceName, QdiscKind, TrafficHandle};

use super::Scene;
use super::beyond::FAR;
use super::patient::Patient;
use super::symptom::Symptom;
use crate::error::Error;

const NAME: &str = "traffic";
/// Where clsact has its filters for incoming and for outgoing frames.
const ARRIVES: TrafficHandle = TrafficHandle::new(0xffff, 0xfff2);
const LEAVES: TrafficHandle = TrafficHandle::new(0xffff, 0xfff3);
/// Where ingress has its filters.
const INGRESS: TrafficHandle = TrafficHandle::new(0xffff, 0);
/// The actions that change or take what matches.
const TAKES: [&str; 6] = ["mirred", "police", "nat", "pedit", "ct", "vlan"];

/// Whether traffic control lets frames of guests pass.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    let links = scene.netlink.links()?;
    let index = links.iter().find(|known| known.link.name == *bridge).map(|known| known.index);
    let mut near = vec![bridge.clone()];
    near.extend(links.into_iter().filter(|it| index.is_some() && it.controller == index).map(|it| it.link.name));
    let ways = FAR.map(|to| scene.netlink.way(&Traveller { to, from: None, incoming: None }));
    near.extend(ways.into_iter().filter_map(|way| way.ok()?.ok()?.link));
    near.dedup();
    let limits = patient.definition.as_ref().is_some_and(|network| network.bandwidth.is_some());
    let mut symptoms = Vec::new();
    for link in near {
        let is_limited = limits && link == *bridge || patient.ports.iter().any(|port| port.dev == link);
        symptoms.extend(at(scene, &link, is_limited)?);
    }
    if symptoms.is_empty() {
        let finding = "traffic control of others takes nothing away from guests";
        symptoms.push(Symptom::ok(NAME, finding).read("`tc qdisc show`, `tc filter show`"));
    }
    Ok(symptoms)
}

fn at(scene: &Scene<'_>, link: &InterfaceName, is_limited: bool) -> Result<Vec<Symptom>, Error> {
    let mut symptoms = Vec::new();
    let read = format!("`tc -s qdisc show dev {link}`");
    for qdisc in scene.netlink.qdiscs(link)? {
        let QdiscKind::Other(kind) = &qdisc.kind else { continue };
        let remove = format!("tc qdisc del dev {link} {}", place(qdisc.parent));
        let symptom = match kind.as_str() {
            "blackhole" => {
                Symptom::problem(NAME, format!("{link} drops all that leaves by it: its queue is `blackhole`"))
            }
            "netem" => {
                let finding = format!("{link} delays, loses or changes frames on purpose: its queue is `netem`");
                Symptom::problem(NAME, finding)
            }
            "tbf" | "plug" => {
                let finding = format!("{link} holds back what leaves by it: its queue is `{kind}`");
                Symptom::unknown(NAME, finding).suspect()
            }
            _ => continue,
        };
        symptoms.push(symptom.read(read.clone()).command(remove));
    }
    for (parent, goes) in [(INGRESS, "arrives"), (ARRIVES, "arrives"), (LEAVES, "leaves")] {
        for filter in scene.netlink.classifiers(link, parent)? {
            symptoms.extend(taken(link, goes, &filter, is_limited));
        }
    }
    Ok(symptoms)
}

fn place(parent: TrafficHandle) -> String {
    match parent {
        TrafficHandle::ROOT => "root".to_owned(),
        parent => format!("parent {parent}"),
    }
}

fn taken(link: &InterfaceName, goes: &str, filter: &Classifier, is_limited: bool) -> Option<Symptom> {
    let Classifier { kind, actions, drops, .. } = filter;
    let takes = |action: &String| TAKES.contains(&action.as_str()) && !is_limited;
    let by = if goes == "arrives" { "at" } else { "by" };
    let symptom = match (kind.as_str(), drops) {
        ("matchall", true) => {
            Symptom::problem(NAME, format!("a filter of traffic control drops all that {goes} {by} {link}"))
        }
        (_, true) => {
            let finding = format!("a filter of traffic control (`{kind}`) drops a part of what {goes} {by} {link}");
            Symptom::unknown(NAME, finding).suspect()
        }
        ("bpf", false) => {
            let finding = format!("a BPF program sees what {goes} {by} {link} first, and may drop it");
            Symptom::unknown(NAME, finding).suspect()
        }
        _ => {
            let action = actions.iter().find(|action| takes(action))?;
            let finding = format!(
                "a filter of traffic control (`{kind}`, `{action}`) may take or change what {goes} {by} {link}"
            );
            Symptom::unknown(NAME, finding).suspect()
        }
    };
    Some(symptom.read(format!("`tc -s filter show dev {link} ingress`, `… egress`")))
}
