//! Addresses and routes of the host's end of an interface of type `ethernet`, which lead to the
//! guest (<https://libvirt.org/formatdomain.html#generic-ethernet-connection>).

use vnet_types::InterfaceName;
use vnet_xml::Interface;
use vnet_xml::interface::Source;

use super::AttachError;
use crate::lower::route;
use crate::{HostState, LinkAddress, LowerError};

pub(super) fn add_to(desired: &mut HostState, dev: &InterfaceName, interface: &Interface) -> Result<(), AttachError> {
    let Source::Ethernet(source) = &interface.source else { return Ok(()) };
    for ip in &source.ips {
        let net = ip.net().ok_or(LowerError::Prefix(ip.address))?;
        desired.insert(LinkAddress { link: dev.clone(), address: net.into() });
    }
    for definition in &source.routes {
        desired.insert(route(definition, dev)?);
    }
    Ok(())
}
