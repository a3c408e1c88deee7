//! The device of a port, as the kernel reports it.

use std::path::PathBuf;

use vnet_host::LinuxHost;
use vnet_netlink::{KernelLink, Tap};
use vnet_types::{InterfaceName, KnownPort, LinkKind, MacAddr};

use crate::error::Error;

/// The device of a port, as the kernel reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Its name. That of a port that is only recorded is found by the guest's MAC address. `None`
    /// while it does not exist.
    pub name: Option<InterfaceName>,
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
        let known = if port.recorded { made_for(port, host)? } else { host.link(&port.dev)? };
        let Some(known) = known else { return Ok(Self::default()) };
        let node = is_macvtap(&known).then(|| Tap::device_node(known.index));
        Ok(Self { name: Some(known.link.name), index: Some(known.index), mtu: known.link.mtu, node })
    }
}

/// The device that another program has made for a port: a port of its bridge whose MAC address ends
/// as the guest's does, or a macvtap with the guest's MAC address.
fn made_for(port: &KnownPort, host: &LinuxHost) -> Result<Option<KernelLink>, Error> {
    let MacAddr([_, guest @ ..]) = port.mac;
    let bridge = port.bridge.as_ref().map(|bridge| host.link(bridge)).transpose()?.flatten();
    let is_it = |known: &KernelLink| match known.link.mac {
        Some(MacAddr([first, rest @ ..])) if bridge.is_some() => {
            rest == guest && matches!(first, 0xfe | 0xfa) && known.controller == bridge.as_ref().map(|it| it.index)
        }
        Some(mac) => mac == port.mac && port.lower.is_some() && is_macvtap(known),
        None => false,
    };
    Ok(host.links()?.into_iter().find(is_it))
}

fn is_macvtap(known: &KernelLink) -> bool {
    match &known.link.kind {
        LinkKind::Macvtap(_) => true,
        LinkKind::Other(word) => word == "macvtap",
        LinkKind::Bridge(_) | LinkKind::Tap(_) | LinkKind::Veth(_) => false,
    }
}
