//! Links.

use std::fs;
use std::path::PathBuf;

use vnet_netlink::KernelLink;
use vnet_plan::Key;
use vnet_types::{InterfaceName, Link, LinkKind, TapOptions};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Link {
    /// The link of this name. What is left open stays open.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some(KernelLink { link, .. }) = host.netlink.link(&self.name)? else { return Ok(None) };
        let (mac, mtu) = (link.mac.filter(|_| self.mac.is_some()), link.mtu.filter(|_| self.mtu.is_some()));
        let kind = match (link.kind, &self.kind) {
            // Who opens a tap says whether there is a header in front of frames.
            (LinkKind::Tap(tap), LinkKind::Tap(wanted)) => {
                LinkKind::Tap(TapOptions { vnet_hdr: wanted.vnet_hdr, ..tap })
            }
            (kind, _) => kind,
        };
        Ok(Some(Self { kind, mac, mtu, ..link }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        Ok(Some(Fact::Link(host.netlink.add_link(self)?)))
    }

    /// A bridge announces a new MAC address to its guests, which would otherwise send to the old one until their neighbour
    /// entries expire.
    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        let known = host.netlink.link(&to.name)?.ok_or_else(|| Error::Unexpected(Key::Link(to.name.clone())))?;
        let announces = matches!(to.kind, LinkKind::Bridge(_)) && self.mac != to.mac;
        let switches = if announces { announcement(&to.name) } else { Vec::new() };
        // Where /proc/sys cannot be written, guests find the new address later.
        let before: Vec<_> = switches.into_iter().filter_map(|file| Some((fs::read(&file).ok()?, file))).collect();
        before.iter().for_each(|(_, file)| drop(fs::write(file, "1\n")));
        let changed = host.netlink.set_link(known.index, self, to);
        before.iter().for_each(|(value, file)| drop(fs::write(file, value)));
        changed?;
        Ok(fact)
    }

    /// Deletes the link when it is the one that was made: by its index, or, where a crash lost that, by its kind and MAC
    /// address. Another one of that name is not ours to delete.
    fn delete(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        let Some(known) = host.netlink.link(&self.name)? else { return Ok(()) };
        let ours = match fact {
            Some(Fact::Link(index)) => known.index == index,
            _ => {
                let same_kind = std::mem::discriminant(&known.link.kind) == std::mem::discriminant(&self.kind);
                same_kind && self.mac.is_some() && known.link.mac == self.mac
            }
        };
        if ours { gone_is_fine(host.netlink.delete_link(known.index)) } else { Ok(()) }
    }
}

/// The switches that make the kernel announce a change of a link's MAC address: by a gratuitous ARP request for each IPv4
/// address, and by an unsolicited neighbour advertisement for each IPv6 address (`ip-sysctl.rst` of the kernel).
fn announcement(link: &InterfaceName) -> Vec<PathBuf> {
    let switch = |name| PathBuf::from(format!("/proc/sys/net/{name}").replace("LINK", link.as_str()));
    ["ipv4/conf/LINK/arp_notify", "ipv6/conf/LINK/ndisc_notify"].map(switch).into()
}
