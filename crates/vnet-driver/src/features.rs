//! Kernel features, probed only when something depends on them.

use vnet_netlink::Netlink;
use vnet_types::Inventory;

use crate::error::Error;

/// Probes the kernel's features. Returns whether this process may do so.
pub(crate) fn probe(inventory: &mut Inventory) -> Result<bool, Error> {
    let features = Netlink::features()?;
    inventory.features = features.unwrap_or(inventory.features);
    Ok(features.is_some())
}
