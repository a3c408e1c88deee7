//! A guest's card whose frames somebody else carries: one end of a veth pair (veth(4), packet(7)).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::Context;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
use vnet_types::{InterfaceName, Link, MacAddr};

use super::namespace::Namespace;

/// Puts a card into a guest, and returns its index and its frames: a read is one from the guest, a write one for it. It is
/// not up yet, so that nothing is lost before somebody carries them.
pub(crate) fn insert(guest: &Namespace, device: &InterfaceName, mac: MacAddr) -> anyhow::Result<(u32, OwnedFd)> {
    // Alone with the far end, which has nothing to say of itself.
    let jack = Namespace::new()?;
    jack.set(&[("ipv6/conf/default/disable_ipv6", "1")])?;
    let far: InterfaceName = "jack".parse()?;
    jack.netlink().add_veth(&far, device)?;
    let missing = || format!("the card {device} is gone");
    jack.move_link(jack.netlink().link(device)?.with_context(missing)?.index, guest)?;
    let found = guest.netlink().link(device)?.with_context(missing)?;
    guest.netlink().set_link(found.index, &found.link, &Link { mac: Some(mac), ..found.link.clone() })?;
    jack.netlink().set_up(jack.netlink().link(&far)?.with_context(missing)?.index, true)?;
    Ok((found.index, jack.run(|| open(&far, SockType::Raw).context("the frames of a card cannot be had"))?))
}

/// All that passes by a device of this thread's namespace: frames, or with [`SockType::Datagram`] packets.
pub(crate) fn open(device: &InterfaceName, kind: SockType) -> io::Result<OwnedFd> {
    let frames = socket(AddressFamily::Packet, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    let mut known = getifaddrs()?.filter(|known| known.interface_name == device.as_str());
    let address = known.find_map(|known| known.address?.as_link_addr().copied()).ok_or(io::ErrorKind::NotFound)?;
    bind(frames.as_raw_fd(), &address)?;
    Ok(frames)
}
