//! Whether a container is attached as it was made.

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_host::{LinuxHost, PortHeader, Receipt, look_at_tap, look_into};
use vnet_plan::{Change, ContainerEnd, Key, Resource};
use vnet_types::{InterfaceName, IpNet, LinkKind, MacAddr};

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
    /// The MTU of the interface.
    pub mtu: ExpectedMtu,
}

/// The MTU that the interface of a container has to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpectedMtu {
    /// The one that it was made with.
    #[default]
    AsMade,
    /// This one, or the one that it was made with.
    Said(u32),
    /// Any: a later program has changed it, and does not say to which one.
    Any,
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
        let inside = inside(&attachment.interface, expected, &Made::of(&receipt))?;
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

/// What the receipt of a port says of the container's end.
struct Made {
    end: Option<ContainerEnd>,
    /// The MTU of both ends.
    mtu: Option<u32>,
}

impl Made {
    fn of(receipt: &Receipt<PortHeader>) -> Self {
        let mtu = receipt.owned.iter().find_map(|resource| match resource {
            Resource::Link(link) if matches!(link.kind, LinkKind::Veth(_)) => link.mtu,
            _ => None,
        });
        Self { end: of(receipt).map(|(_, end)| end), mtu }
    }
}

fn inside(dev: &InterfaceName, expected: &Expectation, made: &Made) -> Result<Vec<String>, Error> {
    let Some(seen) = look_into(&expected.namespace, dev)? else {
        return Ok(vec![format!("the container has no interface `{dev}`")]);
    };
    let mut missing = Vec::new();
    if made.end.as_ref().is_some_and(|end| end.fills_in_checksums) && !seen.fills_in_checksums {
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
    let said = match expected.mtu {
        ExpectedMtu::AsMade => made.mtu,
        ExpectedMtu::Said(mtu) => Some(mtu),
        ExpectedMtu::Any => seen.mtu,
    };
    if seen.mtu != made.mtu {
        missing.extend(other_mtu(dev, seen.mtu, said));
    }
    missing.extend(beside(dev, expected, made)?);
    if made.end.as_ref().is_some_and(|end| end.tap.is_some()) {
        // The virtual machine has the addresses and routes.
        return Ok(missing);
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

/// What is missing of a tap beside the interface.
fn beside(dev: &InterfaceName, expected: &Expectation, made: &Made) -> Result<Vec<String>, Error> {
    let Some(tap) = made.end.as_ref().and_then(|end| Some(&end.tap.as_ref()?.name)) else { return Ok(Vec::new()) };
    let Some(seen) = look_at_tap(&expected.namespace, dev, tap)? else {
        return Ok(vec![format!("the container has no tap `{tap}` beside `{dev}`")]);
    };
    let mut missing = Vec::new();
    if !seen.up {
        missing.push(format!("`{tap}` is down in the container"));
    }
    missing.extend(other_mtu(tap, seen.mtu, made.mtu));
    let ways = [(seen.has_redirect_from_interface, tap, dev), (seen.has_redirect_to_interface, dev, tap)];
    for (_, to, from) in ways.into_iter().filter(|(is_there, ..)| !is_there) {
        missing.push(format!("`{to}` does not send in the container what `{from}` receives"));
    }
    Ok(missing)
}

fn other_mtu(dev: &InterfaceName, seen: Option<u32>, wanted: Option<u32>) -> Option<String> {
    let (seen, wanted) = (seen?, wanted?);
    (seen != wanted).then(|| format!("`{dev}` has the MTU {seen} in the container, not {wanted}"))
}
