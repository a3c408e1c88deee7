//! Addresses.

use vnet_netlink::Netlink;
use vnet_types::{Address, InterfaceName};

use crate::Error;

pub(super) fn look(netlink: &Netlink, link: &InterfaceName, expected: &Address) -> Result<Option<Address>, Error> {
    Ok(netlink.addresses_of(link)?.into_iter().find(|address| address.net == expected.net))
}

pub(super) fn replace(netlink: &Netlink, link: &InterfaceName, from: &Address, to: &Address) -> Result<(), Error> {
    super::gone_is_fine(netlink.delete_address(link, from))?;
    if let Err(error) = netlink.add_address(link, to) {
        netlink.add_address(link, from)?;
        return Err(error.into());
    }
    Ok(())
}
