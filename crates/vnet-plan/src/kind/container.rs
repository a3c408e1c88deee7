//! The end of a veth pair in a container.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vnet_types::{InterfaceName, IpNet, MacAddr, TapOptions};

use super::Kind;
use crate::Key;

/// The end of a veth pair in a container: its addresses and routes, or the tap that it is joined
/// to. It goes with the end on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// The end on the host.
    pub link: InterfaceName,
    /// The file of the container's network namespace.
    pub namespace: PathBuf,
    /// The device number of that file. With `inode` it tells the namespace from one that takes its
    /// path later.
    pub device: u64,
    /// The inode of that file.
    pub inode: u64,
    /// Its name in the container.
    pub interface: InterfaceName,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// The gateways of its default routes.
    pub gateways: Vec<IpAddr>,
    /// Whether it is up.
    pub up: bool,
    /// The bridge, if spanning tree is off there while the pair comes up. With it, the kernel would
    /// keep the port closed for twice the bridge's delay, although a container closes no loop.
    pub without_tree: Option<InterfaceName>,
    /// A tap beside it. Each of them sends what the other receives, so that a virtual machine in
    /// the container is on the network.
    pub tap: Option<ContainerTap>,
    /// Whether the kernel fills in the checksums of what it sends, and does not leave that to the
    /// pair, as a switch in userspace sends them on as they are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fills_in_checksums: bool,
    /// The alias of the end on the host: what tells that it is ours where no receipt does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// A persistent tap in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerTap {
    /// Its name in the container.
    pub name: InterfaceName,
    /// Who may open it, and how.
    pub options: TapOptions,
}

impl ContainerEnd {
    fn within(&self, command: &str) -> String {
        format!("nsenter --net={} {command}", self.namespace.display())
    }
}

impl Kind for ContainerEnd {
    fn key(&self) -> Key {
        Key::Container(self.link.clone())
    }

    fn added(&self) -> String {
        let dev = &self.interface;
        let addresses = self.addresses.iter().map(|net| format!("ip addr add {net} dev {dev}"));
        let routes = self.gateways.iter().map(|gateway| format!("ip route add default via {gateway} dev {dev}"));
        let up = format!("ip link set {dev} up");
        let tap = self.tap.iter().flat_map(|tap| {
            let redirect = |from: &InterfaceName, to: &InterfaceName| {
                format!("tc filter add dev {from} ingress u32 match u32 0 0 action mirred egress redirect dev {to}")
            };
            let added = format!("ip tuntap add {} {}", tap.name, tap.options);
            [added, redirect(dev, &tap.name), redirect(&tap.name, dev)]
        });
        let offload = self.fills_in_checksums.then(|| format!("ethtool --offload {dev} tx off"));
        let all = offload.into_iter().chain(addresses).chain([up]).chain(routes).chain(tap);
        let alias = self.alias.iter().map(|alias| format!("ip link set {} alias '{alias}'", self.link));
        alias.chain(all.map(|command| self.within(&command))).collect::<Vec<_>>().join("\n")
    }

    fn deleted(&self) -> String {
        self.tap.as_ref().map_or_else(String::new, |tap| self.within(&format!("ip link del {}", tap.name)))
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        Some("the container loses its interface")
    }
}
