//! One guest: whether it has an address, and sends as what it is.

use vnet_types::FdbOrigin;

use super::Scene;
use super::patient::{Keeper, Patient};
use super::service::leases;
use super::symptom::Symptom;
use crate::error::Error;
use crate::network::AddressSource;

/// The addresses of the guest that is examined.
pub(super) fn check(scene: &Scene<'_>, patient: &Patient) -> Result<Vec<Symptom>, Error> {
    const NAME: &str = "guest";
    let mut symptoms = Vec::new();
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
                Symptom::ok(NAME, format!("the guest at {dev} has {}", all.join(", "))).read(read)
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
