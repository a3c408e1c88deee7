//! Rules of others outside of the chains that filter: those that meet a packet before its way is
//! chosen, when this host sends it, and when it leaves.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vnet_firewall::{Around, Carried, CtState, Firewall, Hook, Meddling, MeddlingAct, Packet};
use vnet_netlink::Traveller;
use vnet_types::Family;
use vnet_xml::network::WayOut;

use super::Scene;
use super::address::{addresses, example};
use super::beyond::FAR;
use super::names;
use super::patient::Patient;
use super::symptom::Symptom;
use crate::error::Error;

const NAME: &str = "foreign-rules";

/// A packet at a place of its way, and what it is for.
struct Seen {
    what: String,
    at: Around,
    packet: Packet,
    /// Whether this host translates it.
    translated: bool,
}

/// What rules of others do with samples of what guests send and get.
pub(super) fn around(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    let seen = samples(scene, patient);
    let all = Firewall::open()?.meddle(seen.iter().map(|seen| (seen.at, &seen.packet)))?;
    let mut told = BTreeSet::new();
    let mut symptoms = Vec::new();
    for (seen, found) in seen.iter().zip(all) {
        for meddling in found {
            if let Some(symptom) = symptom(seen, &meddling)
                && told.insert((meddling.site, meddling.act))
            {
                symptoms.push(symptom);
            }
        }
    }
    Ok(symptoms)
}

fn symptom(seen: &Seen, meddling: &Meddling) -> Option<Symptom> {
    let (what, site) = (&seen.what, &meddling.site);
    let place = match seen.at {
        Around::Arrives => "before its way is chosen",
        Around::Sent => "as this host sends it",
        Around::Leaves { .. } => "as it leaves",
    };
    let unsure = |text: String| Some(Symptom::unknown(NAME, text).suspect());
    match (meddling.act, meddling.sure) {
        (MeddlingAct::Refuses, true) => {
            Some(Symptom::problem(NAME, format!("{what}, but the {site} refuses it {place}")))
        }
        (MeddlingAct::Refuses | MeddlingAct::Unknown, _) => {
            unsure(format!("{what}, but the {site} may refuse it {place}"))
        }
        (MeddlingAct::Untracks, _) if !seen.translated => None,
        (MeddlingAct::Untracks, true) => {
            let finding = format!("{what}, but the {site} keeps connection tracking from it: it is not translated");
            Some(Symptom::problem(NAME, finding))
        }
        (MeddlingAct::Untracks, false) => {
            unsure(format!("{what}, but the {site} may keep connection tracking from it, and so translation"))
        }
        (MeddlingAct::Translates, _) => {
            let to = if seen.at == Around::Arrives { "destination" } else { "source" };
            unsure(format!("{what}, but the {site} may give it another {to} {place}"))
        }
    }
}

fn samples(scene: &Scene<'_>, patient: &Patient) -> Vec<Seen> {
    let passages = patient.intent.as_ref().map(|intent| intent.passages(&scene.inventory)).unwrap_or_default();
    let translates = |of: IpAddr| {
        let way_out = patient.definition.as_ref().and_then(|network| network.way_out(Family::of(of)));
        matches!(way_out, Some(WayOut::Translated { .. }))
    };
    let mut seen = Vec::new();
    for passage in passages {
        let (what, packet) = (passage.what, passage.packet);
        let is_new = packet.connection == CtState::New;
        match packet.hook {
            Hook::Input => {
                if let Some((answer, packet)) = answer(patient, &packet) {
                    seen.push(Seen { what: format!("{what}: {answer}"), at: Around::Sent, packet, translated: false });
                }
                seen.push(Seen { what, at: Around::Arrives, packet, translated: false });
            }
            Hook::Forward if packet.from == patient.bridge && is_new => {
                let translated = translates(packet.source);
                let host = Traveller { to: packet.destination, from: None, incoming: None };
                let link = scene.netlink.way(&host).ok().and_then(Result::ok).and_then(|way| way.link);
                let is_its = |ip: &IpAddr| ip.is_ipv4() == packet.source.is_ipv4();
                let mut own = scene.inventory.addresses.iter().filter(|(of, _)| Some(of) == link.as_ref());
                let later = own.find_map(|(_, address)| Some(address.net.addr()).filter(is_its));
                let leaves = Around::Leaves { translated: later.filter(|_| translated) };
                for at in [Around::Arrives, leaves] {
                    seen.push(Seen { what: what.clone(), at, packet: packet.clone(), translated });
                }
            }
            // What comes back has an address of this host until it is translated.
            Hook::Forward if packet.to == patient.bridge && !translates(packet.destination) => {
                seen.push(Seen { what, at: Around::Arrives, packet, translated: false });
            }
            Hook::Forward => {}
        }
    }
    seen.extend(questions(scene, patient));
    seen
}

/// The answer of this host to what a guest asks it.
fn answer(patient: &Patient, asked: &Packet) -> Option<(&'static str, Packet)> {
    let own = |v4: bool| addresses(patient).into_iter().find(|net| net.addr().is_ipv4() == v4);
    let (port, connection) = match asked.port {
        67 => (68, CtState::New),
        547 => (546, CtState::New),
        port => (port, CtState::Established),
    };
    let (source, destination) = match asked.port {
        67 => own(true).map(|net| (net.addr(), example(net)))?,
        547 => (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into(), asked.source),
        _ => (asked.destination, asked.source),
    };
    let to = patient.bridge.clone();
    let packet = Packet { hook: Hook::Forward, from: None, to, source, destination, port, connection, ..asked.clone() };
    Some(("this host answers", packet))
}

/// What the network's dnsmasq asks beyond this host.
fn questions(scene: &Scene<'_>, patient: &Patient) -> Vec<Seen> {
    let config = patient.intent.as_ref().and_then(|intent| intent.dnsmasq.as_ref());
    if config.and_then(vnet_dnsmasq::Config::dns_port).is_none() {
        return Vec::new();
    }
    let servers = names::of_host().unwrap_or_default();
    let far = servers.iter().filter_map(|server| server.parse::<IpAddr>().ok()).filter(|ip| !ip.is_loopback());
    let packet = |server: IpAddr| {
        let way = scene.netlink.way(&Traveller { to: server, from: None, incoming: None }).ok()?.ok()?;
        let own = scene.inventory.addresses.iter().filter(|(link, _)| Some(link) == way.link.as_ref());
        let source = own.map(|(_, address)| address.net.addr()).find(|ip| ip.is_ipv4() == server.is_ipv4());
        Some(Packet {
            hook: Hook::Forward,
            from: None,
            to: way.link,
            source: source.unwrap_or(FAR[usize::from(server.is_ipv6())]),
            destination: server,
            carries: Carried::Udp,
            port: 53,
            connection: CtState::New,
        })
    };
    let of = |server: IpAddr| {
        let what = format!("this host asks {server} for the names that guests look up");
        Some(Seen { what, at: Around::Sent, packet: packet(server)?, translated: false })
    };
    far.filter_map(of).collect()
}
