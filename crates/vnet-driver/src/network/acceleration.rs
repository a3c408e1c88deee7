//! Whether connections leave by devices of the flowtable that lets them skip the rules.

use vnet_host::{LinuxHost, Receipt};
use vnet_plan::{Resource, accelerated_devices};
use vnet_types::InterfaceName;
use vnet_xml::Network;

use super::near::near;
use crate::driver::Driver;
use crate::error::Error;
use crate::obstacle::Obstacle;

impl Driver {
    /// What it means that connections leave by a device that is not in the flowtable, as after a
    /// change of the default route. Only networks with a flowtable are looked at closer.
    pub(super) fn unaccelerated(
        &self,
        host: &LinuxHost,
        receipt: &Receipt,
        network: &Network,
    ) -> Result<Option<Obstacle>, Error> {
        let Some(near) = near(network).filter(|_| network.extensions.flowtable == Some(true)) else { return Ok(None) };
        let (inventory, _) = self.survey_near(host, network, near)?;
        let has = flowtable_of(receipt);
        let leaves = accelerated_devices(network, &inventory);
        let Some(other) = leaves.iter().find(|device| !has.contains(device)) else { return Ok(None) };
        if host.has_flowtables() != Some(true) {
            return Ok(None);
        }
        Ok(Some(Obstacle::by(
            "established connections skip the rules",
            format!("they leave by `{other}`, which is not in the flowtable"),
            format!("`vnet apply {}` adds it", network.name),
        )))
    }
}

/// The devices of the flowtable that a network runs with; empty if it has none.
pub(crate) fn flowtable_of(receipt: &Receipt) -> &[InterfaceName] {
    let flowtable = receipt.owned.iter().find_map(|resource| match resource {
        Resource::Ruleset(rules) => rules.ruleset.flowtable.as_ref(),
        _ => None,
    });
    flowtable.map_or(&[], |flowtable| &flowtable.devices)
}
