//! The device of a port, as the kernel reports it.

use std::path::PathBuf;

use vnet_host::LinuxHost;
use vnet_netlink::Tap;
use vnet_types::{KnownPort, LinkKind};

use crate::error::Error;

/// The device of a port, as the kernel reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Its index. `None` while it does not exist.
    pub index: Option<u32>,
    /// Its MTU. `None` while it does not exist.
    pub mtu: Option<u32>,
    /// The file of a macvtap; a tap uses `/dev/net/tun`.
    pub node: Option<PathBuf>,
}

impl Device {
    /// Reads the device of a port.
    pub(crate) fn of(port: &KnownPort, host: &LinuxHost) -> Result<Self, Error> {
        let Some(known) = host.link(&port.dev)? else { return Ok(Self::default()) };
        let is_macvtap = match &known.link.kind {
            LinkKind::Macvtap(_) => true,
            LinkKind::Other(word) => word == "macvtap",
            LinkKind::Bridge(_) | LinkKind::Tap(_) => false,
        };
        let node = is_macvtap.then(|| Tap::device_node(known.index));
        Ok(Self { index: Some(known.index), mtu: known.link.mtu, node })
    }
}
