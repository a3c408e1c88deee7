//! Who manages the links, and the bridge itself.

use vnet_plan::{Change, Key};
use vnet_types::{InterfaceName, LinkKind};

use super::Scene;
use super::patient::{Keeper, Patient};
use super::symptom::Symptom;
use crate::error::Error;
use crate::manager;
use crate::obstacle::Obstacle;

/// Other programs that manage the links.
pub(super) fn managers(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    if !patient.runs {
        return Ok(Vec::new());
    }
    let ports = patient.ports.iter().map(|port| &port.dev);
    let links: Vec<InterfaceName> = patient.bridge.iter().chain(ports).cloned().collect();
    let found = manager::obstacles(&scene.host, &links)?;
    let read = "`/run/systemd/netif/links`, `/run/NetworkManager/devices`";
    if found.is_empty() {
        return Ok(vec![Symptom::ok("manager", "no network manager has taken its links").read(read)]);
    }
    Ok(found.iter().map(|obstacle| of(obstacle, "manager").read(read)).collect())
}

/// An obstacle as a symptom.
pub(super) fn of(obstacle: &Obstacle, check: &'static str) -> Symptom {
    let finding = obstacle.to_string();
    let symptom =
        if obstacle.is_sure() { Symptom::problem(check, finding) } else { Symptom::unknown(check, finding).suspect() };
    let symptom = obstacle.commands().iter().fold(symptom, |symptom, command| symptom.command(command));
    match obstacle.remedy() {
        Some(remedy) => symptom.help(remedy),
        None => symptom,
    }
}

/// Something that is not as it was made.
pub(super) fn drifted(check: &'static str, patient: &Patient, drift: &[&Change], what: &str) -> Option<Symptom> {
    let lines: Vec<String> =
        drift.iter().flat_map(|change| change.to_string().lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let first = lines.first()?;
    let more = if lines.len() > 1 { format!(", and {} more", lines.len() - 1) } else { String::new() };
    let symptom = Symptom::problem(check, format!("{what}; to repair it: `{first}`{more}"));
    Some(symptom.read(format!("`vnet diff {}`", patient.name)).mend(patient.repair()))
}

/// Whether the bridge is there, is up, and lets frames pass.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "bridge";
    let Some(bridge) = patient.bridge.as_ref().filter(|_| patient.runs) else { return Ok(Vec::new()) };
    let read = format!("`ip -d link show {bridge}`");
    let restart = |symptom: Symptom| match patient.restart() {
        Some(command) => symptom.help(command),
        None => symptom.mend(patient.repair()),
    };
    let Some(known) = scene.host.link(bridge)? else {
        let symptom =
            Symptom::problem(NAME, format!("the bridge {bridge} is gone: somebody has deleted or renamed it"));
        return Ok(vec![restart(symptom.read(read))]);
    };
    let LinkKind::Bridge(_) = known.link.kind else {
        let symptom = Symptom::problem(NAME, format!("{bridge} is no bridge: another link has its name"));
        return Ok(vec![restart(symptom.read(read))]);
    };
    let mut symptoms = Vec::new();
    if !known.link.up {
        let symptom = Symptom::problem(NAME, format!("the bridge {bridge} is down: it carries nothing"));
        let symptom = symptom.read(read.clone());
        symptoms.push(match &patient.keeper {
            Keeper::Vnet { .. } => symptom.mend(patient.repair()),
            Keeper::Libvirt { .. } => symptom.command(format!("ip link set {bridge} up")),
        });
    }
    if let Some(condition) = scene.netlink.condition(bridge)? {
        if condition.xdp {
            symptoms.push(xdp(NAME, bridge));
        }
        if let Some(controller) = condition.controller {
            let name = scene.netlink.link_name(controller)?.map_or_else(|| controller.to_string(), |it| it.to_string());
            let finding = format!("the bridge {bridge} was put into {name}, which takes what arrives for this host");
            let symptom = Symptom::problem(NAME, finding).read(read.clone());
            symptoms.push(symptom.command(format!("ip link set {bridge} nomaster")));
        }
    }
    let is_of_bridge = |key: &Key| match key {
        Key::Link(link) | Key::VlanFiltering(link) | Key::Zone(link) => link == bridge,
        Key::LinkSysctl(_) => true,
        _ => false,
    };
    if symptoms.is_empty() {
        let drift = patient.drift(is_of_bridge);
        symptoms.extend(drifted(NAME, patient, &drift, "the bridge is not as it was made"));
    }
    if symptoms.is_empty() {
        symptoms.push(Symptom::ok(NAME, format!("{bridge} is there and up")).read(read));
    }
    Ok(symptoms)
}

/// A program in the kernel that sees frames before everything else.
pub(super) fn xdp(check: &'static str, link: &InterfaceName) -> Symptom {
    Symptom::unknown(check, format!("an XDP program on {link} sees its frames first, and may drop them"))
        .suspect()
        .read(format!("`ip -d link show {link}`"))
        .help(format!("`bpftool net show dev {link}` shows it, `ip link set {link} xdp off` takes it off"))
}
