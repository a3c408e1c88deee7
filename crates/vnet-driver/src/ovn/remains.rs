//! What an attach that was killed early has left in the northbound database: a port of this host
//! that neither a receipt nor Open vSwitch knows.

use std::collections::BTreeSet;

use super::chassis::Chassis;
use super::network::OvnNetwork;
use super::status::GLANCE;
use crate::driver::Driver;
use crate::error::Error;
use crate::gc::Collected;

impl Driver {
    /// Removes the ports of guests of this host that are not attached, from networks that are kept
    /// here. Those of containers are left to their runtime.
    pub(crate) fn collect_ovn_ports(&self) -> Result<Collected, Error> {
        let mut collected = Collected::default();
        let kept: Vec<_> = self.all_kept()?.into_iter().filter(|(_, network)| network.is_on_ovn()).collect();
        if kept.is_empty() {
            return Ok(collected);
        }
        // Only a chassis has ports there.
        let Ok(mut chassis) = Chassis::here() else { return Ok(collected) };
        // An attach has the lock until its receipt is there.
        let _lock = self.lock()?;
        let mut here: BTreeSet<_> = self.port_records_on_ovn()?.iter().map(|record| record.port).collect();
        here.extend(chassis.ports()?);
        for (name, network) in kept {
            let taken = OvnNetwork::open(&network).and_then(|network| {
                network.patient_for(GLANCE).take_guests(|guest| {
                    let is_of_this_host = guest.chassis.as_ref() == Some(&chassis.name);
                    is_of_this_host && guest.container.is_none() && !here.contains(&guest.id)
                })
            });
            match taken {
                Ok(guests) => collected.ovn_ports.extend(guests.into_iter().map(|guest| (name.clone(), guest.id))),
                Err(Error::NotRunning(_)) => {}
                Err(error) => collected.errors.push(error),
            }
        }
        Ok(collected)
    }
}
