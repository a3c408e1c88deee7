//! Whether the kernel leaves the checksums of packets to a link (ethtool(8) `--offload tx`).

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use vnet_types::InterfaceName;

use crate::{Error, Netlink, Operation, Refused, ioctl};

const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_STXCSUM: u32 = 0x17;

impl Netlink {
    /// Whether the kernel fills in the checksums of what it sends over a link in the network
    /// namespace of this thread.
    ///
    /// # Errors
    /// The kernel's refusal: `ENODEV` where there is no such link.
    pub fn fills_in_checksums(&self, link: &InterfaceName) -> Result<bool, Error> {
        let told = exchange(link, ETHTOOL_GTXCSUM, 0);
        Ok(told.map_err(Operation::List.of(format_args!("checksums of {link}")))? == 0)
    }

    /// Has the kernel fill in the checksums of what it sends over a link in the network namespace
    /// of this thread, or leave them to the link. The ends of a veth pair leave that to whoever
    /// takes the packets out, which a switch in userspace does not do.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` for links that cannot be told.
    pub fn fill_in_checksums(&self, link: &InterfaceName, fill: bool) -> Result<(), Error> {
        let told = exchange(link, ETHTOOL_STXCSUM, u32::from(!fill));
        told.map(drop).map_err(Operation::Change.of(format_args!("checksums of {link}")))
    }
}

/// Reads or sets whether checksums are left to a link, and returns it.
fn exchange(link: &InterfaceName, command: u32, left: u32) -> Result<u32, Refused> {
    let refused = |errno| Refused::from_errno(errno as i32);
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(refused)?;
    // `struct ethtool_value`, which is shorter: the command, and whether it is on.
    let mut settings = [0; 23];
    (settings[0], settings[1]) = (command, left);
    ioctl::coalesce(&socket, link, &mut settings).map_err(refused)?;
    Ok(settings[1])
}
