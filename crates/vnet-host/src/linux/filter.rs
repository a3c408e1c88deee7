//! Filters of traffic control.

use vnet_types::Filter;

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Filter {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        Ok(host.netlink.filter(self)?)
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.add_filter(self)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        self.delete(host, fact)?;
        if let Err(error) = host.netlink.add_filter(to) {
            host.netlink.add_filter(self)?;
            return Err(error.into());
        }
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        match host.netlink.filter(self)? {
            Some(_) => gone_is_fine(host.netlink.delete_filter(self)),
            None => Ok(()),
        }
    }
}
