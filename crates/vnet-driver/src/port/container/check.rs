//! Whether a container is attached as it was made.

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_host::{LinuxHost, look_into};
use vnet_plan::{Change, Key};
use vnet_types::{IpNet, MacAddr};

use super::{Attachment, of};
use crate::driver::Driver;
use crate::error::Error;

/// What its runtime says that a container has. Others may have changed it since it was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The file of the container's network namespace.
    pub namespace: PathBuf,
    /// The MAC address of the interface.
    pub mac: Option<MacAddr>,
    /// The addresses of the interface.
    pub addresses: Vec<IpNet>,
    /// The routes by the interface, each with its gateway.
    pub routes: Vec<(IpNet, Option<IpAddr>)>,
}

/// What is not as it was made. Empty if nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerCheck {
    /// What is missing in the container, in words.
    pub inside: Vec<String>,
    /// The changes that would repair the port.
    pub port: Vec<Change>,
    /// The changes that would repair the network.
    pub network: Vec<Change>,
    /// What OVN does not have as it was made, in words.
    pub ovn: Vec<String>,
}

impl Driver {
    /// Compares a container's interface with what its runtime expects, and what the host has for it
    /// with what was made.
    ///
    /// # Errors
    /// [`Error::NotAttached`]; [`Error::Host`] where the host cannot be read; [`Error::Ovn`] where
    /// OVN's databases cannot.
    pub fn check_container(&self, attachment: &Attachment, expected: &Expectation) -> Result<ContainerCheck, Error> {
        let dev = attachment.dev();
        let receipt = self.store.port_receipt(&dev)?.filter(|receipt| attachment.is_of(&receipt.header.port));
        let Some(receipt) = receipt else { return Err(Error::NotAttached(dev)) };
        let host = self.host()?;
        let here = LinuxHost::namespace()?;
        let fills = of(&receipt).is_some_and(|(_, end)| end.fills_in_checksums);
        let inside = inside(attachment, expected, fills)?;
        let network = receipt.header.port.network.clone();
        let mut port = vnet_host::drift_of(&host, &receipt, here)?;
        // What later programs have changed in the container is expected.
        port.retain(|change| !matches!(change.key(), Key::Container(_)));
        let network = match network {
            Some(network) => match vnet_host::drift(&host, &self.store, &network, here) {
                Err(vnet_host::Error::Absent(_)) => return Err(Error::NotRunning(network)),
                drift => drift?,
            },
            None => Vec::new(),
        };
        let ovn = match self.port_record_on_ovn(&dev)? {
            Some(record) => self.check_on_ovn(record, attachment, &receipt)?,
            None => Vec::new(),
        };
        Ok(ContainerCheck { inside, port, network, ovn })
    }
}

fn inside(attachment: &Attachment, expected: &Expectation, fills: bool) -> Result<Vec<String>, Error> {
    let dev = &attachment.interface;
    let Some(seen) = look_into(&expected.namespace, dev)? else {
        return Ok(vec![format!("the container has no interface `{dev}`")]);
    };
    let mut missing = Vec::new();
    if fills && !seen.fills_in_checksums {
        let why = "Open vSwitch in userspace sends on as they are";
        missing.push(format!("`{dev}` leaves checksums empty in the container, which {why}"));
    }
    if !seen.up {
        missing.push(format!("`{dev}` is down in the container"));
    }
    if let (Some(wanted), Some(mac)) = (expected.mac, seen.mac)
        && wanted != mac
    {
        missing.push(format!("`{dev}` has the MAC address {mac} in the container, not {wanted}"));
    }
    let addresses = expected.addresses.iter().filter(|net| !seen.addresses.contains(net));
    missing.extend(addresses.map(|net| format!("`{dev}` does not have the address {net} in the container")));
    for (destination, gateway) in &expected.routes {
        let is_it = |route: &vnet_types::Route| {
            route.destination == destination.trunc() && (gateway.is_none() || route.gateway == *gateway)
        };
        if !seen.routes.iter().any(is_it) {
            missing.push(format!("the container has no route to {destination} by `{dev}`"));
        }
    }
    Ok(missing)
}
