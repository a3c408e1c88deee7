//! What the kernel can do, asked only where something depends on it.

use vnet_netlink::Netlink;
use vnet_types::Inventory;

use crate::error::Error;

/// Tries what the kernel can do; answers whether this process may.
pub(crate) fn probe(inventory: &mut Inventory) -> Result<bool, Error> {
    let features = Netlink::features()?;
    inventory.features = features.unwrap_or(inventory.features);
    Ok(features.is_some())
}
