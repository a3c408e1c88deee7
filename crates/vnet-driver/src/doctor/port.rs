//! The ports of guests: there, in the bridge, and open.

use vnet_host::LinuxHost;
use vnet_netlink::{KernelLink, LinkCondition, PortState};
use vnet_plan::Key;
use vnet_types::{BridgePort, BridgeVlan, Family, FdbOrigin, InterfaceName, KnownPort, LinkKind, MacAddr, Spelled};

use super::Scene;
use super::bridge::{drifted, xdp};
use super::patient::Patient;
use super::symptom::{Health, Symptom};
use crate::error::Error;

const NAME: &str = "port";

/// The ports that vnet has attached, and the other links in the bridge.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient, bridge: &InterfaceName) -> Result<Vec<Symptom>, Error> {
    let mut symptoms = Vec::new();
    let links = scene.netlink.links()?;
    let index = links.iter().find(|known| known.link.name == *bridge).map(|known| known.index);
    let others = links.iter().filter(|known| known.controller.is_some() && known.controller == index);
    let mut names: Vec<&InterfaceName> = Vec::new();
    for port in patient.ports.iter().filter(|port| port.bridge.is_some()) {
        names.push(&port.dev);
        symptoms.extend(attached(scene, patient, bridge, port, &links)?);
    }
    for known in others.filter(|_| !patient.has_guest) {
        if !names.contains(&&known.link.name) {
            symptoms.extend(member(scene, patient, bridge, known)?);
            names.push(&known.link.name);
        }
    }
    let is_of_port = |key: &Key| match key {
        Key::Port(link) | Key::SwitchPort(link) | Key::Vlans(link) | Key::Fdb(link, ..) | Key::Link(link) => {
            link != bridge && names.contains(&link)
        }
        _ => false,
    };
    if symptoms.is_empty() {
        let drift = patient.drift(is_of_port);
        symptoms.extend(drifted(NAME, patient, &drift, "a port is not as it was made"));
    }
    if symptoms.is_empty() {
        let finding = match names.len() {
            0 => format!("no guest is attached: nothing is in {bridge}"),
            _ => format!("in {bridge} and forwarding: {}", list(&names)),
        };
        symptoms.push(Symptom::ok(NAME, finding).read("`bridge -d link show`, `bridge vlan`"));
    }
    Ok(symptoms)
}

fn list(names: &[&InterfaceName]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A port that vnet has attached.
fn attached(
    scene: &Scene<'_>,
    patient: &Patient,
    bridge: &InterfaceName,
    port: &KnownPort,
    links: &[KernelLink],
) -> Result<Vec<Symptom>, Error> {
    let dev = &port.dev;
    let guest = port.guest.as_ref().map(|guest| format!(" of guest {guest}")).unwrap_or_default();
    let mend = |symptom: Symptom| symptom.mend(patient.repair());
    let Some(known) = links.iter().find(|known| known.link.name == *dev) else {
        let symptom = Symptom::problem(NAME, format!("the device {dev}{guest} is gone: its guest has no cable"));
        return Ok(vec![mend(symptom.read(format!("`ip link show {dev}`")))]);
    };
    let index = links.iter().find(|known| known.link.name == *bridge).map(|known| known.index);
    if known.controller != index {
        let read = format!("`ip link show {dev}`");
        let controller = links.iter().find(|other| Some(other.index) == known.controller);
        let finding = match controller {
            Some(other) => format!("{dev}{guest} is in {} and not in {bridge}", other.link.name),
            None => format!("{dev}{guest} is not in the bridge {bridge}: somebody has taken it out"),
        };
        return Ok(vec![mend(Symptom::problem(NAME, finding).read(read))]);
    }
    let mut symptoms = member(scene, patient, bridge, known)?;
    if !symptoms.iter().any(|symptom| symptom.health == Health::Problem) {
        let drift = match vnet_host::drift(&scene.host, &scene.driver.store, dev, LinuxHost::namespace()?) {
            Err(vnet_host::Error::Absent(_) | vnet_host::Error::Elsewhere(_)) => Vec::new(),
            drift => drift?,
        };
        let what = format!("{dev}{guest} is not as it was made");
        symptoms.extend(drifted(NAME, patient, &drift.iter().collect::<Vec<_>>(), &what));
    }
    Ok(symptoms)
}

/// A link in the bridge.
fn member(
    scene: &Scene<'_>,
    patient: &Patient,
    bridge: &InterfaceName,
    known: &KernelLink,
) -> Result<Vec<Symptom>, Error> {
    let dev = &known.link.name;
    let Some(condition) = scene.netlink.condition(dev)? else { return Ok(Vec::new()) };
    let read = format!("`bridge -d link show dev {dev}`");
    let mut symptoms: Vec<Symptom> = state(patient, dev, known, condition).into_iter().collect();
    if condition.xdp {
        symptoms.push(xdp(NAME, dev));
    }
    if condition.locked {
        let mac = patient.ports.iter().find(|port| port.dev == *dev).map(|port| port.mac);
        let finding = format!("{dev} is locked: {bridge} drops what comes from a MAC address that it has no entry for");
        let read = format!("`bridge -d link show dev {dev}`, `bridge fdb show dev {dev}`");
        let command = format!("bridge link set dev {dev} locked off");
        let symptom = match mac {
            None => Some(Symptom::unknown(NAME, finding)),
            Some(mac) if scene.netlink.fdb()?.iter().any(|it| it.mac == mac && it.port == *dev) => None,
            Some(_) => Some(Symptom::problem(NAME, finding)),
        };
        symptoms.extend(symptom.map(|symptom| symptom.read(read).command(command)));
    }
    if let Some(BridgePort { unicast_flood, learning, isolated, .. }) = scene.netlink.port(dev)? {
        let is_ours = patient.ports.iter().any(|port| port.dev == *dev);
        if !unicast_flood && !learning && !is_ours {
            let finding = format!("{bridge} neither learns the addresses behind {dev} nor floods to it");
            let symptom = Symptom::problem(NAME, finding).read(read.clone());
            symptoms.push(symptom.command(format!("bridge link set dev {dev} learning on flood on")));
        }
        if isolated && patient.has_guest {
            let finding = format!("{dev} is isolated: it reaches this host and no other isolated guest");
            symptoms.push(Symptom::unknown(NAME, finding).read(read.clone()));
        }
    }
    if !condition.broadcasts {
        let finding = format!("{bridge} sends no broadcasts by {dev}: nobody behind it hears who asks by ARP");
        let symptom = Symptom::problem(NAME, finding).read(read.clone());
        symptoms.push(symptom.command(format!("bridge link set dev {dev} bcast_flood on")));
    }
    let has_ipv6 = patient.definition.as_ref().is_some_and(|network| network.has_family(Family::Ipv6));
    if !condition.multicasts && has_ipv6 {
        let finding =
            format!("{bridge} sends no multicasts by {dev}: nobody behind it hears who asks for an address of IPv6");
        let symptom = Symptom::problem(NAME, finding).read(read.clone());
        symptoms.push(symptom.command(format!("bridge link set dev {dev} mcast_flood on")));
    }
    if condition.guarded {
        let finding = format!(
            "{bridge} closes {dev} when messages of spanning tree come in by it (`guard` or `root_block`), as from a \
             guest that bridges"
        );
        let symptom = Symptom::unknown(NAME, finding).suspect().read(read.clone());
        symptoms.push(symptom.command(format!("bridge link set dev {dev} guard off root_block off")));
    }
    symptoms.extend(macs(scene, patient, bridge, known)?);
    symptoms.extend(vlans(scene, bridge, dev)?);
    Ok(symptoms)
}

/// A MAC address of a guest that is not only the guest's.
fn macs(
    scene: &Scene<'_>,
    patient: &Patient,
    bridge: &InterfaceName,
    known: &KernelLink,
) -> Result<Vec<Symptom>, Error> {
    let dev = &known.link.name;
    let Some(port) = patient.ports.iter().find(|port| port.dev == *dev) else { return Ok(Vec::new()) };
    let (mac, mut symptoms) = (port.mac, Vec::new());
    if known.link.mac == Some(mac) {
        let finding =
            format!("{dev} itself has the MAC address of its guest, {mac}: this host takes the guest's frames");
        let symptom = Symptom::problem(NAME, finding).read(format!("`ip link show {dev}`"));
        let other = MacAddr([0xfe, mac.0[1], mac.0[2], mac.0[3], mac.0[4], mac.0[5]]);
        symptoms.push(symptom.command(format!("ip link set {dev} address {other}")));
    }
    for entry in scene.netlink.fdb()?.iter().filter(|entry| entry.mac == mac && entry.port != *dev) {
        let there = scene.netlink.condition(&entry.port)?.and_then(|it| it.controller);
        let own = scene.netlink.link(bridge)?.map(|known| known.index);
        if entry.origin == FdbOrigin::Learned || entry.port != *bridge && there != own {
            continue;
        }
        let finding = format!(
            "{bridge} has it written down that {mac}, the MAC address of the guest at {dev}, is behind {}: frames for \
             the guest go there",
            entry.port
        );
        let symptom = Symptom::problem(NAME, finding).read(format!("`bridge fdb show br {bridge} | grep {mac}`"));
        let place = if entry.port == *bridge { "self" } else { "master" };
        symptoms.push(symptom.command(format!("bridge fdb del {mac} dev {} {place}", entry.port)));
    }
    let reserved = patient.definition.iter().flat_map(|network| &network.ips).filter_map(|ip| ip.dhcp.as_ref());
    let named = reserved.flat_map(|dhcp| &dhcp.hosts).find(|host| host.name.is_some() && host.name == port.guest);
    if let Some((host, other)) =
        named.and_then(|host| Some((host, host.mac.as_ref().map(Spelled::get).filter(|other| *other != mac)?)))
    {
        let finding = format!(
            "the reservation of {} for {} is for {other}, and the guest has the MAC address {mac}: it gets another \
             address",
            host.ip,
            port.guest.as_deref().unwrap_or_default()
        );
        let symptom = Symptom::problem(NAME, finding).read(format!("`<host mac='{other}'>` of the definition"));
        let help = format!(
            "`vnet update` with `<host mac='{mac}' ip='{}'/>`, or the reservation's address in the guest",
            host.ip
        );
        symptoms.push(symptom.help(help));
    }
    Ok(symptoms)
}

fn state(patient: &Patient, dev: &InterfaceName, known: &KernelLink, condition: LinkCondition) -> Option<Symptom> {
    let read = format!("`bridge link show dev {dev}`");
    let is_ours = patient.ports.iter().any(|port| port.dev == *dev);
    if !condition.up {
        let symptom = Symptom::problem(NAME, format!("{dev} is down: it carries nothing")).read(read);
        let mend = patient.repair().filter(|_| is_ours);
        return Some(if mend.is_some() {
            symptom.mend(mend)
        } else {
            symptom.command(format!("ip link set {dev} up"))
        });
    }
    match condition.port? {
        PortState::Forwarding => None,
        state @ (PortState::Listening | PortState::Learning) => {
            let finding = format!(
                "spanning tree still waits at {dev} ({}): the guest's first packets are lost, and a DHCP client may \
                 give up",
                state.word()
            );
            let help = "wait until it forwards; `<bridge stp='off'/>`, or a shorter `delay`, avoids it";
            Some(Symptom::problem(NAME, finding).read(read).help(help))
        }
        PortState::Blocking => {
            let finding = format!("spanning tree has closed {dev}: behind it there is another way to this bridge");
            Some(Symptom::problem(NAME, finding).read(read).help("take the second way out, as a guest that bridges"))
        }
        PortState::Disabled if condition.carrier => {
            let symptom = Symptom::problem(NAME, format!("the bridge has disabled {dev}: it carries nothing"));
            Some(symptom.read(read).command(format!("ip link set dev {dev} type bridge_slave state 3")))
        }
        PortState::Disabled => {
            let finding = match known.link.kind {
                LinkKind::Tap(_) => {
                    format!("no program has {dev} open: its guest is off, or its hypervisor uses another device")
                }
                _ => format!("{dev} has no carrier: its other end is down"),
            };
            let symptom = match patient.has_guest {
                true => Symptom::problem(NAME, finding),
                false => Symptom::unknown(NAME, finding),
            };
            Some(symptom.read(format!("`ip link show {dev}`: NO-CARRIER")))
        }
    }
}

/// Whether the port and the host are in a common VLAN.
fn vlans(scene: &Scene<'_>, bridge: &InterfaceName, dev: &InterfaceName) -> Result<Option<Symptom>, Error> {
    let filters = match scene.host.link(bridge)?.map(|known| known.link.kind) {
        Some(LinkKind::Bridge(options)) => options.vlan_filtering,
        _ => false,
    };
    if !filters {
        return Ok(None);
    }
    let (of_port, of_host) = (scene.netlink.vlans(dev)?, scene.netlink.vlans(bridge)?);
    let ids = |vlans: &[BridgeVlan]| -> Vec<u16> { vlans.iter().flat_map(|vlan| vlan.first..=vlan.last).collect() };
    let (port, host) = (ids(&of_port), ids(&of_host));
    if port.iter().any(|id| host.contains(id)) {
        return Ok(None);
    }
    let words = |ids: &[u16]| match ids {
        [] => "none".to_owned(),
        ids => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let finding = format!(
        "{bridge} filters VLANs, and {dev} has none with the host in common: VLANs of {dev}: {}, of the host: {}",
        words(&port),
        words(&host)
    );
    let symptom = Symptom::problem(NAME, finding).read("`bridge vlan show`");
    let id = host.first().copied().unwrap_or(1);
    Ok(Some(symptom.command(format!("bridge vlan add dev {dev} vid {id} pvid untagged"))))
}
