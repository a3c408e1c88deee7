//! What to do when rules cannot be installed, read or removed.

use crate::EncodeError;
#[cfg(feature = "netlink")]
use crate::Error;

#[cfg(feature = "netlink")]
impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Open(refused) | Self::Read(refused) | Self::Refused { source: refused, .. } => refused.help(),
            Self::Links(error) => error.help(),
            Self::Encode(error) => Some(error.help()),
            Self::NoRulesOfLibvirt(_) => Some(
                "start the network again with `firewall_backend = \"nftables\"` in libvirt's network.conf".to_owned(),
            ),
            Self::Busy => Some("end the program that changes them (`nft monitor` shows what it does)".to_owned()),
        }
    }
}

impl EncodeError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::NoInterface(name) => format!("make `{name}` first, or name one that is there"),
            Self::Taken { network, .. } => format!("choose another, or remove the rules of `{network}`"),
        }
    }
}
