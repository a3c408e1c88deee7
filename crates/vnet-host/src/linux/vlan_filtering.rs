//! Whether bridges of the host filter VLANs.

use vnet_plan::{Key, VlanFiltering};
use vnet_types::{BridgeOptions, Link, LinkKind};

use super::{Kind, LinuxHost};
use crate::{Error, Fact};

impl Kind for VlanFiltering {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        Ok(host.link(&self.bridge)?.and_then(|known| match known.link.kind {
            LinkKind::Bridge(options) => Some(Self { on: options.vlan_filtering, ..self.clone() }),
            _ => None,
        }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let unexpected = || Error::Unexpected(Key::VlanFiltering(self.bridge.clone()));
        let known = host.netlink.link(&self.bridge)?.ok_or_else(unexpected)?;
        let LinkKind::Bridge(options) = &known.link.kind else { return Err(unexpected()) };
        let to = LinkKind::Bridge(BridgeOptions { vlan_filtering: self.on, ..*options });
        host.netlink.set_link(known.index, &known.link, &Link { kind: to, ..known.link.clone() })?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// The setting is shared and stays: others may rely on it by now.
    fn delete(&self, _: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        Ok(())
    }
}
