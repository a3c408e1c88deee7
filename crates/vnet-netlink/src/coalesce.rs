//! Interrupt coalescing of a link (ethtool(8) `--coalesce`).

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use vnet_types::InterfaceName;

use crate::{Error, Netlink, Operation, Refused, ioctl};

const ETHTOOL_GCOALESCE: u32 = 0xe;
const ETHTOOL_SCOALESCE: u32 = 0xf;
/// The index of `rx_max_coalesced_frames` in `struct ethtool_coalesce`.
const RX_MAX_FRAMES: usize = 2;

/// The interrupt coalescing of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coalesce {
    /// The maximum number of frames to receive before an interrupt; 0 interrupts for each frame.
    pub rx_max_frames: u32,
}

impl Netlink {
    /// Reads the interrupt coalescing of a link in the network namespace of this thread.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` for links that gather none.
    pub fn coalesce(&self, link: &InterfaceName) -> Result<Coalesce, Error> {
        let settings = exchange(link, |settings| settings[0] = ETHTOOL_GCOALESCE);
        let settings = settings.map_err(Operation::List.of(format_args!("coalescing of {link}")))?;
        Ok(Coalesce { rx_max_frames: settings[RX_MAX_FRAMES] })
    }

    /// Sets the interrupt coalescing of a link, and keeps all settings that [`Coalesce`] does not
    /// have.
    ///
    /// # Errors
    /// The kernel's refusal: `EOPNOTSUPP` for links that gather none.
    pub fn set_coalesce(&self, link: &InterfaceName, coalesce: Coalesce) -> Result<(), Error> {
        let set = |settings: &mut ioctl::Coalesce| {
            settings[0] = ETHTOOL_SCOALESCE;
            settings[RX_MAX_FRAMES] = coalesce.rx_max_frames;
        };
        exchange(link, set).map(drop).map_err(Operation::Change.of(format_args!("coalescing of {link}")))
    }
}

/// Reads the settings, lets them be changed, and writes them back.
fn exchange(link: &InterfaceName, change: impl FnOnce(&mut ioctl::Coalesce)) -> Result<ioctl::Coalesce, Refused> {
    let refused = |errno| Refused::from_errno(errno as i32);
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(refused)?;
    let mut settings = [0; 23];
    settings[0] = ETHTOOL_GCOALESCE;
    ioctl::coalesce(&socket, link, &mut settings).map_err(refused)?;
    change(&mut settings);
    ioctl::coalesce(&socket, link, &mut settings).map_err(refused)?;
    Ok(settings)
}
