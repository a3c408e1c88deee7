//! Ports of bridges.

use vnet_plan::Port;

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Port {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let port = match &host.seen {
            Some(seen) => seen.port(&host.netlink, &self.link)?,
            None => host.netlink.port(&self.link)?,
        };
        Ok(port.map(|port| Self { port, ..self.clone() }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.set_port(&self.link, &self.port)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// Removes the link from the bridge that we put it into. In another bridge it is somebody
    /// else's port.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        match host.netlink.port(&self.link)? {
            Some(there) if there.bridge == self.port.bridge => gone_is_fine(host.netlink.remove_port(&self.link)),
            _ => Ok(()),
        }
    }
}
