//! Ports of bridges: their VLANs, the ways to MAC addresses, and what else a guest's end on the host is given.

use vnet_netlink::{Coalesce, KernelLink, Netlink};
use vnet_plan::{Borrowed, Key, LinkCoalesce, Resource, VlanFiltering, Vlans};
use vnet_types::{BridgeOptions, BridgePort, BridgeVlan, Fdb, FdbOrigin, InterfaceName, Link, LinkKind, MacAddr};

use super::gone_is_fine;
use crate::Error;

/// The VLAN of a port that nobody gave one.
const DEFAULT: u16 = 1;

/// Only what a guest has is there: with any other MAC address the device is not lent.
pub(super) fn look_borrowed(netlink: &Netlink, expected: &Resource) -> Result<Option<Resource>, Error> {
    let Resource::Borrowed(Borrowed { link, mac, .. }) = expected else { return Ok(None) };
    let lent = netlink.link(link)?.is_some_and(|known| known.link.mac == Some(*mac));
    Ok(lent.then(|| expected.clone()))
}

pub(super) fn lend(netlink: &Netlink, link: &InterfaceName, was: MacAddr, mac: MacAddr) -> Result<(), Error> {
    let known = netlink.link(link)?.ok_or_else(|| Error::Unexpected(Key::Borrowed(link.clone())))?;
    set_mac(netlink, &known, was, mac)
}

/// Gives a device its MAC address back, unless somebody has given it another since.
pub(super) fn give_back(netlink: &Netlink, link: &InterfaceName, mac: MacAddr, was: MacAddr) -> Result<(), Error> {
    match netlink.link(link)? {
        Some(known) if known.link.mac == Some(mac) => set_mac(netlink, &known, mac, was),
        _ => Ok(()),
    }
}

fn set_mac(netlink: &Netlink, known: &KernelLink, from: MacAddr, to: MacAddr) -> Result<(), Error> {
    let with = |mac| Link { mac: Some(mac), ..known.link.clone() };
    Ok(netlink.set_link(known.index, &with(from), &with(to))?)
}

pub(super) fn look_filtering(netlink: &Netlink, bridge: &InterfaceName) -> Result<Option<Resource>, Error> {
    Ok(netlink.link(bridge)?.and_then(|known| match known.link.kind {
        LinkKind::Bridge(options) => {
            Some(Resource::VlanFiltering(VlanFiltering { bridge: bridge.clone(), on: options.vlan_filtering }))
        }
        _ => None,
    }))
}

pub(super) fn filter(netlink: &Netlink, bridge: &InterfaceName, on: bool) -> Result<(), Error> {
    let unexpected = || Error::Unexpected(Key::VlanFiltering(bridge.clone()));
    let known = netlink.link(bridge)?.ok_or_else(unexpected)?;
    let LinkKind::Bridge(options) = &known.link.kind else { return Err(unexpected()) };
    let to = LinkKind::Bridge(BridgeOptions { vlan_filtering: on, ..*options });
    Ok(netlink.set_link(known.index, &known.link, &Link { kind: to, ..known.link.clone() })?)
}

/// Takes a link out of the bridge that it was put into; of another one, it is somebody else's port.
pub(super) fn remove(netlink: &Netlink, link: &InterfaceName, port: &BridgePort) -> Result<(), Error> {
    match netlink.port(link)? {
        Some(there) if there.bridge == port.bridge => gone_is_fine(netlink.remove_port(link)),
        _ => Ok(()),
    }
}

pub(super) fn look_vlans(netlink: &Netlink, link: &InterfaceName) -> Result<Option<Resource>, Error> {
    let vlans = netlink.vlans(link).or_else(none_where_gone)?;
    Ok((!vlans.is_empty()).then(|| Resource::Vlans(Vlans { link: link.clone(), vlans })))
}

fn none_where_gone(error: vnet_netlink::Error) -> Result<Vec<BridgeVlan>, vnet_netlink::Error> {
    if error.is_not_found() { Ok(Vec::new()) } else { Err(error) }
}

/// Makes these the VLANs of a port, and no others.
pub(super) fn set_vlans(netlink: &Netlink, link: &InterfaceName, vlans: &[BridgeVlan]) -> Result<(), Error> {
    let there = netlink.vlans(link)?;
    for vlan in there.iter().filter(|vlan| !vlans.contains(vlan)) {
        netlink.delete_vlan(link, vlan)?;
    }
    for vlan in vlans.iter().filter(|vlan| !there.contains(vlan)) {
        netlink.add_vlan(link, vlan)?;
    }
    Ok(())
}

pub(super) fn reset_vlans(netlink: &Netlink, link: &InterfaceName) -> Result<(), Error> {
    match set_vlans(netlink, link, &[BridgeVlan::access(DEFAULT)]) {
        Err(Error::Netlink(error)) if error.is_not_found() => Ok(()),
        result => result,
    }
}

/// An entry that nobody learned. One for all VLANs of the port has to be there in each of them.
pub(super) fn look_fdb(netlink: &Netlink, expected: &Fdb) -> Result<Option<Resource>, Error> {
    let there: Vec<Option<u16>> = netlink
        .fdb()?
        .into_iter()
        .filter(|it| it.mac == expected.mac && it.port == expected.port && it.origin == expected.origin)
        .map(|it| it.vlan)
        .collect();
    let is_there = match expected.vlan {
        Some(_) => there.contains(&expected.vlan),
        None => {
            let vlans = netlink.vlans(&expected.port).or_else(none_where_gone)?;
            let mut all = vlans.iter().flat_map(|vlan| vlan.first..=vlan.last);
            !there.is_empty() && all.all(|vlan| there.contains(&Some(vlan)))
        }
    };
    Ok(is_there.then(|| Resource::Fdb(expected.clone())))
}

/// Adds an entry. What the bridge has learned of that address makes way, and so does what is left of the entry itself.
pub(super) fn add_fdb(netlink: &Netlink, entry: &Fdb) -> Result<(), Error> {
    match netlink.add_fdb(entry) {
        Err(error) if error.is_exists() => {
            if look_fdb(netlink, entry)?.is_some() {
                return Ok(());
            }
            let is_left = |it: &Fdb| entry.vlan.is_none() && it.port == entry.port && it.origin == entry.origin;
            let in_the_way = |it: &Fdb| it.mac == entry.mac && (it.origin == FdbOrigin::Learned || is_left(it));
            for old in netlink.fdb()?.into_iter().filter(in_the_way) {
                gone_is_fine(netlink.delete_fdb(&old))?;
            }
            Ok(netlink.add_fdb(entry)?)
        }
        result => Ok(result?),
    }
}

/// A tap gathers so many frames at most, whatever it is told (`NAPI_POLL_WEIGHT`).
const MOST_FRAMES: u32 = 64;

pub(super) fn look_coalesce(netlink: &Netlink, link: &InterfaceName, expected: u32) -> Result<Option<Resource>, Error> {
    if netlink.link(link)?.is_none() {
        return Ok(None);
    }
    let Coalesce { rx_max_frames, .. } = netlink.coalesce(link)?;
    let rx_frames = if rx_max_frames == expected.min(MOST_FRAMES) { expected } else { rx_max_frames };
    Ok(Some(Resource::Coalesce(LinkCoalesce { link: link.clone(), rx_frames })).filter(|_| rx_max_frames > 0))
}

pub(super) fn coalesce(netlink: &Netlink, link: &InterfaceName, rx_frames: u32) -> Result<(), Error> {
    let mut wanted = netlink.coalesce(link)?;
    wanted.rx_max_frames = rx_frames;
    Ok(netlink.set_coalesce(link, wanted)?)
}

pub(super) fn reset_coalesce(netlink: &Netlink, link: &InterfaceName) -> Result<(), Error> {
    if netlink.link(link)?.is_none() { Ok(()) } else { coalesce(netlink, link, 0) }
}
