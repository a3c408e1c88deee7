//! Links.

use std::fs;
use std::path::PathBuf;

use vnet_netlink::{KernelLink, Netlink};
use vnet_types::{InterfaceName, Link, LinkKind, TapOptions};

use crate::{Error, Fact};

/// The link of this name. What `expected` leaves open is left open.
pub(super) fn look(netlink: &Netlink, expected: &Link) -> Result<Option<Link>, Error> {
    let Some(KernelLink { link, .. }) = netlink.link(&expected.name)? else { return Ok(None) };
    let (mac, mtu) = (link.mac.filter(|_| expected.mac.is_some()), link.mtu.filter(|_| expected.mtu.is_some()));
    let kind = match (link.kind, &expected.kind) {
        // Who opens a tap says whether there is a header in front of frames.
        (LinkKind::Tap(tap), LinkKind::Tap(wanted)) => LinkKind::Tap(TapOptions { vnet_hdr: wanted.vnet_hdr, ..tap }),
        (kind, _) => kind,
    };
    Ok(Some(Link { kind, mac, mtu, ..link }))
}

pub(super) fn create(netlink: &Netlink, link: &Link) -> Result<Fact, Error> {
    Ok(Fact::Link(netlink.add_link(link)?))
}

/// Changes a link. A bridge announces a new MAC address to its guests, which would otherwise send to the old one until
/// their neighbour entries expire.
pub(super) fn change(netlink: &Netlink, from: &Link, to: &Link) -> Result<(), Error> {
    let Some(known) = netlink.link(&to.name)? else {
        return Err(Error::Unexpected(vnet_plan::Key::Link(to.name.clone())));
    };
    let announces = matches!(to.kind, LinkKind::Bridge(_)) && from.mac != to.mac;
    let switches = if announces { announcement(&to.name) } else { Vec::new() };
    // Where /proc/sys cannot be written, guests find the new address later.
    let before: Vec<_> = switches.into_iter().filter_map(|file| Some((fs::read(&file).ok()?, file))).collect();
    before.iter().for_each(|(_, file)| drop(fs::write(file, "1\n")));
    let changed = netlink.set_link(known.index, from, to);
    before.iter().for_each(|(value, file)| drop(fs::write(file, value)));
    Ok(changed?)
}

/// The switches that make the kernel announce a change of a link's MAC address: by a gratuitous ARP request for each IPv4
/// address, and by an unsolicited neighbour advertisement for each IPv6 address (`ip-sysctl.rst` of the kernel).
fn announcement(link: &InterfaceName) -> Vec<PathBuf> {
    let switch = |name| PathBuf::from(format!("/proc/sys/net/{name}").replace("LINK", link.as_str()));
    ["ipv4/conf/LINK/arp_notify", "ipv6/conf/LINK/ndisc_notify"].map(switch).into()
}

/// Deletes the link when it is the one that was made: by its index, or, where a crash lost that, by its kind and MAC
/// address. Another one of that name is not ours to delete.
pub(super) fn delete(netlink: &Netlink, link: &Link, fact: Option<Fact>) -> Result<(), Error> {
    let Some(known) = netlink.link(&link.name)? else { return Ok(()) };
    let ours = match fact {
        Some(Fact::Link(index)) => known.index == index,
        _ => {
            let same_kind = std::mem::discriminant(&known.link.kind) == std::mem::discriminant(&link.kind);
            same_kind && link.mac.is_some() && known.link.mac == link.mac
        }
    };
    if ours { super::gone_is_fine(netlink.delete_link(known.index)) } else { Ok(()) }
}
