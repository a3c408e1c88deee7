//! Addresses of links.

use vnet_plan::LinkAddress;

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for LinkAddress {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let all = match &host.seen {
            Some(seen) => seen.addresses_of(&host.netlink, &self.link)?,
            None => host.netlink.addresses_of(&self.link)?,
        };
        let found = all.into_iter().find(|address| address.net == self.address.net);
        Ok(found.map(|address| Self { address, ..self.clone() }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.add_address(&self.link, &self.address)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        gone_is_fine(host.netlink.delete_address(&self.link, &self.address))?;
        if let Err(error) = host.netlink.add_address(&to.link, &to.address) {
            host.netlink.add_address(&self.link, &self.address)?;
            return Err(error.into());
        }
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        gone_is_fine(host.netlink.delete_address(&self.link, &self.address))
    }
}
