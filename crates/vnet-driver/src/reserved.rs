//! Subnets that a new network avoids although the host has nothing in them now: those of networks
//! that are only defined, the pools of container engines, and routes of other tables.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vnet_netlink::Netlink;
use vnet_types::{Inventory, ReservedSubnet, SubnetHolder, fnv1a};
use vnet_xml::Network;

use crate::containers;
use crate::driver::Driver;
use crate::error::Error;
use crate::libvirt::LibvirtFolders;

/// The file with the number of a host (machine-id(5)).
const MACHINE: &str = "/etc/machine-id";

impl Driver {
    /// Adds the subnets that are reserved on this host, and what distinguishes it from others.
    /// Returns what cannot be read.
    pub(crate) fn reserve(&self, inventory: &mut Inventory) -> Result<Vec<PathBuf>, Error> {
        let mut unread = Vec::new();
        let root = Path::new("/");
        for (name, network) in self.all_kept()? {
            let by = SubnetHolder::Network(name);
            inventory.reserved.extend(subnets(&network).map(|net| ReservedSubnet { net, by: by.clone() }));
        }
        if self.imagined.is_none() {
            let routed = Netlink::open().and_then(|netlink| netlink.subnets_of_other_tables());
            inventory.reserved.extend(routed.map_err(vnet_host::Error::from)?);
            inventory.reserved.extend(of_libvirt(&LibvirtFolders::system(), &mut unread));
            inventory.reserved.extend(containers::reserved(root, &mut unread));
            inventory.machine = fs::read(MACHINE).map_or(0, |id| fnv1a(id.trim_ascii().iter().copied()));
        }
        Ok(unread)
    }
}

/// The subnets of the networks that libvirt has defined.
fn of_libvirt(folders: &LibvirtFolders, unread: &mut Vec<PathBuf>) -> Vec<ReservedSubnet> {
    let names = match folders.names() {
        Ok(names) => names,
        Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(_) => {
            unread.push(folders.definitions().to_owned());
            return Vec::new();
        }
    };
    let mut reserved = Vec::new();
    for name in names {
        let file = folders.file(&name);
        match fs::read(&file) {
            Err(_) => unread.push(file),
            Ok(text) => {
                let parsed = Network::parse(&text);
                if parsed.has_errors() {
                    unread.push(file);
                }
                // What can be read of it counts.
                let network = parsed.value;
                let by = SubnetHolder::Libvirt(name);
                let of = |net| ReservedSubnet { net, by: by.clone() };
                reserved.extend(network.iter().flat_map(subnets).map(of));
            }
        }
    }
    reserved
}

/// The subnets of a network.
fn subnets(network: &Network) -> impl Iterator<Item = vnet_types::IpNet> {
    network.ips.iter().filter_map(|ip| ip.net()).map(|net| net.trunc())
}
