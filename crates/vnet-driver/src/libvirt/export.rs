//! Definitions for libvirt.

use vnet_types::NetworkName;
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;

/// A definition as libvirt takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The text, for `virsh net-define`.
    pub text: String,
    /// What libvirt would not keep of it, in words.
    pub lost: Vec<&'static str>,
    /// Whether the network starts at boot.
    pub autostart: bool,
}

impl Driver {
    /// The definition of a network as libvirt takes it: the kept one, or that of a transient
    /// network.
    ///
    /// # Errors
    /// Those of [`inactive_xml`](Self::inactive_xml).
    pub fn export(&self, network: &NetworkName) -> Result<Exported, Error> {
        let text = self.inactive_xml(network)?;
        let definition: Network = text.parse()?;
        let autostart = self.autostarts()?.contains(network);
        Ok(Exported { lost: lost(&definition), text, autostart })
    }

    /// The networks that are defined, ordered by name.
    ///
    /// # Errors
    /// [`Error::Host`] when the folder of definitions cannot be read.
    pub fn defined(&self) -> Result<Vec<NetworkName>, Error> {
        Ok(self.definitions.names()?)
    }
}

/// What libvirt reads and does not keep.
fn lost(network: &Network) -> Vec<&'static str> {
    let mut lost = Vec::new();
    if !network.comments.is_empty() {
        lost.push("comments");
    }
    let mut dhcp = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref());
    if dhcp.any(|dhcp| dhcp.bootp.is_some() && dhcp.ranges.is_empty() && dhcp.hosts.is_empty()) {
        lost.push("a `<dhcp>` that has only `<bootp>`");
    }
    lost
}
