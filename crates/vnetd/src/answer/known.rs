//! The network that a call means.

use vnet_driver::{Driver, NetworkIdentity};
use vnet_rpc::NetworkRef;
use vnet_types::NetworkName;

use crate::refusal::{self, Refusal};

/// The network that a call means: that with the UUID, whatever the name.
pub(crate) fn find(driver: &Driver, network: &NetworkRef) -> Result<NetworkIdentity, Refusal> {
    // The name is nearly always right, and then nothing else has to be read.
    if let Some(known) = named(driver, &network.name)?.filter(|known| known.uuid == network.uuid) {
        return Ok(known);
    }
    let known = driver.identity_of_uuid(network.uuid).map_err(refusal::other)?;
    known.ok_or_else(|| refusal::no_uuid(network.uuid, Some(&network.name)))
}

/// The network with a name. `None` also for a text that cannot be a name.
pub(crate) fn named(driver: &Driver, name: &str) -> Result<Option<NetworkIdentity>, Refusal> {
    match name.parse::<NetworkName>() {
        Ok(name) => driver.identity_of_name(&name).map_err(refusal::other),
        Err(_) => Ok(None),
    }
}

/// The network as replies and events name it.
pub(crate) fn reference(network: &NetworkIdentity) -> NetworkRef {
    NetworkRef { name: network.name.to_string(), uuid: network.uuid }
}
