//! Whether the kernel leaves the checksums of packets to a link (ethtool(8) `--offload tx`).

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use vnet_types::InterfaceName;

use crate::{Error, Netlink, Operation, Refused, ioctl};

const ETHTOOL_STXCSUM: u32 = 0x17;

impl Netlink {
    /// Has the kernel fill in the checksums of what it sends over a link in the network namespace
    /// of this thread. The ends of a veth pair leave that to whoever takes the packets out, which a
    /// switch in userspace does not do.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` for links that cannot be told.
    pub fn fill_in_checksums(&self, link: &InterfaceName) -> Result<(), Error> {
        let refused = |errno| Refused::from_errno(errno as i32);
        let set = || {
            let socket =
                socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(refused)?;
            // `struct ethtool_value`, which is shorter: the command, and whether it is on.
            let mut settings = [0; 23];
            settings[0] = ETHTOOL_STXCSUM;
            ioctl::coalesce(&socket, link, &mut settings).map_err(refused)
        };
        set().map_err(Operation::Change.of(format_args!("checksums of {link}")))
    }
}
