//! Links.

use std::fs;
use std::path::PathBuf;

use nix::libc::EBUSY;
use vnet_netlink::{KernelLink, Netlink};
use vnet_plan::Key;
use vnet_types::{InterfaceName, Link, LinkKind, Route, RouteProtocol, TapOptions};

use super::{Kind, LinuxHost, gone_is_fine};
use crate::{Error, Fact};

impl Kind for Link {
    /// The link of this name. Values that the resource leaves open stay open.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        let Some(KernelLink { link, .. }) = host.link(&self.name)? else { return Ok(None) };
        let (mac, mtu) = (link.mac.filter(|_| self.mac.is_some()), link.mtu.filter(|_| self.mtu.is_some()));
        let kind = match (link.kind, &self.kind) {
            // Whoever opens a tap decides whether frames have a header.
            (LinkKind::Tap(tap), LinkKind::Tap(wanted)) => {
                LinkKind::Tap(TapOptions { vnet_hdr: wanted.vnet_hdr, ..tap })
            }
            (LinkKind::Other(word), LinkKind::Veth(wanted)) if word == "veth" => LinkKind::Veth(wanted.clone()),
            (kind, _) => kind,
        };
        Ok(Some(Self { kind, mac, mtu, ..link }))
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        Ok(Some(Fact::Link(host.netlink.add_link(self)?)))
    }

    /// A bridge announces its new MAC address to guests. Without that they send to the old one
    /// until their neighbour entries expire.
    fn update(&self, to: &Self, host: &LinuxHost, fact: Option<Fact>) -> Result<Option<Fact>, Error> {
        let known = host.netlink.link(&to.name)?.ok_or_else(|| Error::Unexpected(Key::Link(to.name.clone())))?;
        let announces = matches!(to.kind, LinkKind::Bridge(_)) && self.mac != to.mac;
        let switches = if announces { announcement(&to.name) } else { Vec::new() };
        // Without writable /proc/sys, guests learn the new address later.
        let before: Vec<_> = switches.into_iter().filter_map(|file| Some((fs::read(&file).ok()?, file))).collect();
        before.iter().for_each(|(_, file)| drop(fs::write(file, "1\n")));
        let changed = host.netlink.set_link(known.index, self, to);
        before.iter().for_each(|(value, file)| drop(fs::write(file, value)));
        changed?;
        Ok(fact)
    }

    /// Deletes the link if it is the one that was made. Another link of that name is not ours.
    fn delete(&self, host: &LinuxHost, fact: Option<Fact>) -> Result<(), Error> {
        if host.waits_for_end_of(self) {
            return Ok(());
        }
        match locate(host, self, fact)? {
            Some(known) => gone_is_fine(host.netlink.delete_link(known.index)),
            None => Ok(()),
        }
    }
}

/// The switches that make the kernel announce a change of a link's MAC address: by a gratuitous ARP
/// request for each IPv4 address, and by an unsolicited neighbour advertisement for each IPv6
/// address (`ip-sysctl.rst` of the kernel).
fn announcement(link: &InterfaceName) -> Vec<PathBuf> {
    let switch = |name| PathBuf::from(format!("/proc/sys/net/{name}").replace("LINK", link.as_str()));
    ["ipv4/conf/LINK/arp_notify", "ipv6/conf/LINK/ndisc_notify"].map(switch).into()
}

/// Finds the link that was made: by its index, or by its kind and MAC address when a crash lost the
/// index. The index alone is not enough, because another namespace may use the same number.
pub(super) fn locate(host: &LinuxHost, link: &Link, fact: Option<Fact>) -> Result<Option<KernelLink>, Error> {
    let named = host.link(&link.name)?;
    let Some(Fact::Link(index)) = fact else {
        if let Some(known) = named.filter(|known| is_made(&known.link, link)) {
            return Ok(Some(known));
        }
        let mut others = host.links()?.into_iter().filter(|known| link.mac.is_some() && is_made(&known.link, link));
        return Ok(others.next().filter(|_| others.next().is_none()));
    };
    let known = match named.filter(|known| known.index == index) {
        Some(known) => Some(known),
        None => host.link_at(index)?,
    };
    let is_it = |known: &KernelLink| {
        let same = known.link.name == link.name || link.mac.is_none() || known.link.mac == link.mac;
        same && is_of_kind(&known.link.kind, &link.kind)
    };
    Ok(known.filter(is_it))
}

fn is_made(known: &Link, link: &Link) -> bool {
    // Such a link starts with the MAC address of the device below.
    let is_born = known.name == link.name && known.kind == link.kind && matches!(link.kind, LinkKind::Macvtap(_));
    is_born || (is_of_kind(&known.kind, &link.kind) && link.mac.is_some() && known.mac == link.mac)
}

fn is_of_kind(one: &LinkKind, other: &LinkKind) -> bool {
    match (one, other) {
        (LinkKind::Other(one), LinkKind::Other(other)) => one == other,
        (LinkKind::Other(word), LinkKind::Veth(_)) | (LinkKind::Veth(_), LinkKind::Other(word)) => word == "veth",
        (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

/// Renames a link. A kernel before 6.2 renames only a link that is down; what the kernel drops when
/// the link goes down is restored.
pub(super) fn rename(netlink: &Netlink, from: &InterfaceName, to: &InterfaceName) -> Result<(), Error> {
    let known = netlink.link(from)?.ok_or_else(|| Error::Unexpected(Key::Link(from.clone())))?;
    let renamed = Link { name: to.clone(), ..known.link.clone() };
    match netlink.set_link(known.index, &known.link, &renamed) {
        Err(error) if error.refused.errno == EBUSY => {}
        result => return Ok(result?),
    }
    let (addresses, routes) = (netlink.addresses_of(from)?, netlink.routes_of(from)?);
    let down = Link { up: false, ..known.link.clone() };
    netlink.set_link(known.index, &known.link, &down)?;
    let named = netlink.set_link(known.index, &down, &Link { up: false, ..renamed.clone() });
    let name = if named.is_ok() { to } else { from };
    let up = Link { name: name.clone(), ..known.link.clone() };
    netlink.set_link(known.index, &Link { up: false, ..up.clone() }, &up)?;
    let there = netlink.addresses_of(name)?;
    for address in addresses.iter().filter(|address| !there.contains(address)) {
        netlink.add_address(name, address)?;
    }
    let there = netlink.routes_of(name)?;
    for route in routes.into_iter().map(|route| Route { link: name.clone(), ..route }) {
        if !there.contains(&route) && !matches!(route.protocol, RouteProtocol::Kernel) {
            netlink.add_route(&route)?;
        }
    }
    Ok(named?)
}
