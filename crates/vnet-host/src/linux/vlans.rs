//! VLANs of ports.

use vnet_netlink::Netlink;
use vnet_plan::Vlans;
use vnet_types::{BridgeVlan, InterfaceName};

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

/// The VLAN that the kernel gives to a new port.
const DEFAULT: u16 = 1;

impl Kind for Vlans {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let vlans = of_port(&host.netlink, &self.link)?;
        Ok((!vlans.is_empty()).then(|| Self { vlans, ..self.clone() }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        set(&host.netlink, &self.link, &self.vlans)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        match set(&host.netlink, &self.link, &[BridgeVlan::access(DEFAULT)]) {
            Err(Error::Netlink(error)) if error.is_not_found() => Ok(()),
            result => result,
        }
    }
}

/// The VLANs of a port; empty when there is no port.
pub(super) fn of_port(netlink: &Netlink, link: &InterfaceName) -> Result<Vec<BridgeVlan>, Error> {
    match netlink.vlans(link) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        vlans => Ok(vlans?),
    }
}

/// Sets exactly these VLANs on a port.
fn set(netlink: &Netlink, link: &InterfaceName, vlans: &[BridgeVlan]) -> Result<(), Error> {
    let there = netlink.vlans(link)?;
    for vlan in there.iter().filter(|vlan| !vlans.contains(vlan)) {
        netlink.delete_vlan(link, vlan)?;
    }
    for vlan in vlans.iter().filter(|vlan| !there.contains(vlan)) {
        netlink.add_vlan(link, vlan)?;
    }
    Ok(())
}
