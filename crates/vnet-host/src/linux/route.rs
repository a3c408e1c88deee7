//! Routes.

use vnet_netlink::Netlink;
use vnet_types::Route;

use crate::Error;

pub(super) fn look(netlink: &Netlink, expected: &Route) -> Result<Option<Route>, Error> {
    let same = |route: &Route| (route.destination, route.metric) == (expected.destination, expected.metric);
    Ok(netlink.routes_of(&expected.link)?.into_iter().find(same))
}

pub(super) fn replace(netlink: &Netlink, from: &Route, to: &Route) -> Result<(), Error> {
    super::gone_is_fine(netlink.delete_route(from))?;
    if let Err(error) = netlink.add_route(to) {
        netlink.add_route(from)?;
        return Err(error.into());
    }
    Ok(())
}
