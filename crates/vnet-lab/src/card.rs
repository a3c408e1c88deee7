//! A guest's network card whose frames this program carries: one end of a veth pair (veth(4),
//! packet(7)).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, bind, socket};
use vnet_types::{InterfaceName, MacAddr};

use crate::{Error, Namespace};

/// Puts a card into a guest, and returns its index and its frames: a read returns a frame from the
/// guest, a write sends one to it. The card is still down, so that no frame is lost before somebody
/// carries them.
///
/// # Errors
/// [`Error`] when the kernel refuses the card or its frames.
pub fn insert(guest: &Namespace, device: &InterfaceName, mac: MacAddr) -> Result<(u32, OwnedFd), Error> {
    // A namespace of its own keeps other traffic away from the far end.
    let jack = Namespace::new()?;
    jack.set(&[("ipv6/conf/default/disable_ipv6", "1")])?;
    let far: InterfaceName = "jack".parse().expect("a name");
    let index = jack.lay(&far, guest, device, mac)?;
    jack.netlink().set_up(index, true)?;
    let found = guest.netlink().link(device)?.ok_or_else(|| Error::Gone(device.clone()))?;
    let frames = jack.run(|| open(&far).map_err(Error::doing(format!("read the frames of {far}"))))?;
    Ok((found.index, frames))
}

/// A socket for all frames of a device of this thread's namespace.
fn open(device: &InterfaceName) -> io::Result<OwnedFd> {
    let frames = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
    let mut known = getifaddrs()?.filter(|known| known.interface_name == device.as_str());
    let address = known.find_map(|known| known.address?.as_link_addr().copied()).ok_or(io::ErrorKind::NotFound)?;
    bind(frames.as_raw_fd(), &address)?;
    Ok(frames)
}
