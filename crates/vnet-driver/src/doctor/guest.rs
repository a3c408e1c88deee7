//! One guest: whether it has an address, and sends as what it is.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use vnet_netlink::Whereabouts;
use vnet_types::{FdbOrigin, InterfaceName, KnownPort, MacAddr};

use super::Scene;
use super::patient::{Keeper, Patient};
use super::service::{leased, leases, other_claim};
use super::symptom::{Health, Symptom};
use crate::error::Error;
use crate::network::AddressSource;

const NAME: &str = "guest";

/// The addresses of guests, and whether they have them.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    let mut symptoms = at_leases(scene, patient)?;
    for port in patient.ports.iter().filter(|_| patient.has_guest) {
        let (mac, dev) = (port.mac, &port.dev);
        if let Some(bridge) = &port.bridge {
            let learned = scene.netlink.fdb()?.into_iter().filter(|entry| entry.origin == FdbOrigin::Learned);
            let learned: Vec<_> = learned.collect();
            if let Some(entry) = learned.iter().find(|entry| entry.mac == mac && entry.port != *dev) {
                let finding = format!("{} sends with the guest's MAC address {mac} too: frames go there", entry.port);
                symptoms.push(Symptom::problem(NAME, finding).read(format!("`bridge fdb show br {bridge}`")));
            }
            if let Some(entry) = learned.iter().find(|entry| entry.port == *dev && entry.mac != mac) {
                let finding = format!("the guest at {dev} sends as {}, and is defined as {mac}", entry.mac);
                symptoms.push(Symptom::unknown(NAME, finding).read(format!("`bridge fdb show br {bridge}`")));
            }
        }
        let known = match &patient.keeper {
            Keeper::Vnet { name, .. } => {
                let sources = [AddressSource::Lease, AddressSource::Arp];
                scene
                    .driver
                    .addresses(name, &sources)?
                    .into_iter()
                    .filter(|it| it.mac == Some(mac))
                    .map(|it| it.ip)
                    .collect()
            }
            Keeper::Libvirt { .. } => {
                let is_its =
                    |lease: &vnet_dnsmasq::Lease| matches!(lease.client, vnet_dnsmasq::Client::Mac(of) if of == mac);
                leases(scene, patient)?.into_iter().filter(is_its).map(|lease| lease.ip).collect::<Vec<_>>()
            }
        };
        let read = format!("`vnet leases {}`, `ip neighbour`", patient.name);
        symptoms.push(match known.is_empty() {
            false => {
                let all: Vec<String> = known.iter().map(ToString::to_string).collect();
                let finding = format!("the guest at {dev} has {}", all.join(", "));
                if symptoms.iter().any(|symptom| symptom.health != Health::Ok) {
                    continue;
                }
                match has_answered(scene, port, patient) {
                    true => Symptom::ok(NAME, finding).read(read),
                    false => Symptom::unknown(NAME, finding + "; whether it answers there was not tried").read(read),
                }
            }
            true => {
                let finding = format!("the guest at {dev} has no lease and has answered nobody");
                let help = "if the checks above are well, look inside: whether its card is up, and asks by DHCP";
                Symptom::unknown(NAME, finding).read(read).help(help)
            }
        });
    }
    Ok(symptoms)
}

/// Whether somebody with the guest's MAC address has answered the made-up guest.
fn has_answered(scene: &Scene<'_>, port: &KnownPort, patient: &Patient) -> bool {
    let leased = leased(scene, patient).unwrap_or_default();
    let mut its = leased.iter().filter(|(of, _)| of.mac == port.mac);
    matches!(&patient.tried, Some(Ok(found)) if its.any(|(_, ip)| found.claims.get(ip).is_some_and(|macs| macs.contains(&port.mac))))
}

/// Whether guests answer at the addresses that they have leased, nobody else does, and the host
/// sends to them.
fn at_leases(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    let Some(bridge) = patient.bridge.as_ref().filter(|_| patient.runs) else { return Ok(Vec::new()) };
    let mut symptoms = Vec::new();
    let (mut answering, mut silent) = (BTreeSet::new(), Vec::new());
    for (port, ip) in leased(scene, patient)? {
        if let Some(symptom) = written_down(scene, bridge, port, ip)? {
            symptoms.push(symptom);
        }
        let Some(Ok(findings)) = &patient.tried else { continue };
        if let Some(other) = other_claim(findings, ip.into(), Some(port.mac)) {
            let finding = format!("{other} says that it has {ip}, which {} has leased", named(port));
            let help = format!("`bridge fdb show br {bridge} | grep {other}` says behind which port it is");
            let read = format!("a guest that was made up in {bridge} asked by ARP for {ip}");
            symptoms.push(Symptom::problem(NAME, finding).read(read).help(help));
        } else if findings.claims.get(&ip).is_some_and(|claims| claims.contains(&port.mac)) {
            answering.insert(port.mac);
        } else {
            silent.push((port, ip));
        }
    }
    let is_elsewhere = |mac: &MacAddr| answering.contains(mac);
    for (port, ip) in silent.into_iter().filter(|(port, _)| !is_elsewhere(&port.mac)) {
        let finding = format!("{} has a lease of {ip} and does not answer there", named(port));
        let help = "it is off or asleep, or a filter of frames drops what it sends, or its card has another address";
        let read = format!("a guest that was made up in {bridge} asked by ARP for {ip}");
        symptoms.push(Symptom::unknown(NAME, finding).read(read).help(help));
    }
    if symptoms.is_empty() && !answering.is_empty() && !patient.has_guest {
        let finding = format!("all {} guests with a lease answer at their addresses", answering.len());
        symptoms.push(Symptom::ok(NAME, finding).read(format!("ARP in {bridge}")));
    }
    Ok(symptoms)
}

/// An entry of the host's neighbours that somebody has written down, against the lease.
fn written_down(
    scene: &Scene<'_>,
    bridge: &InterfaceName,
    port: &KnownPort,
    ip: Ipv4Addr,
) -> Result<Option<Symptom>, Error> {
    Ok(match scene.netlink.whereabouts(bridge, ip.into())? {
        Some(Whereabouts::Permanent(mac)) if mac != port.mac => {
            let finding = format!("this host sends to {mac} what is for {ip}, which {} has leased", named(port));
            let symptom = Symptom::problem(NAME, finding).read(format!("`ip neighbour show {ip}`: PERMANENT"));
            Some(symptom.command(format!("ip neighbour del {ip} dev {bridge}")))
        }
        _ => None,
    })
}

fn named(port: &KnownPort) -> String {
    match &port.guest {
        Some(guest) => format!("guest {guest} ({})", port.mac),
        None => format!("the guest at {} ({})", port.dev, port.mac),
    }
}
