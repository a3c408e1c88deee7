//! Routes.

use vnet_types::Route;

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Route {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let same = |route: &Self| (route.destination, route.metric) == (self.destination, self.metric);
        let all = match &host.seen {
            Some(seen) => seen.routes_of(&host.netlink, &self.link)?,
            None => host.netlink.routes_of(&self.link)?,
        };
        Ok(all.into_iter().find(same))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        host.netlink.add_route(self)?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        gone_is_fine(host.netlink.delete_route(self))?;
        if let Err(error) = host.netlink.add_route(to) {
            host.netlink.add_route(self)?;
            return Err(error.into());
        }
        Ok(None)
    }

    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        gone_is_fine(host.netlink.delete_route(self))
    }
}
