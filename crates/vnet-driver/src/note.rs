//! What a host cannot do for a network that runs nevertheless.

use std::fmt;

/// Something that a host cannot do for a network, and its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The kernel has no `act_csum`.
    NoChecksums,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChecksums => f.write_str(
                "this kernel cannot fill in the checksums of DHCP answers (act_csum): guests whose DHCP client checks \
                 them, as very old ones do, get no address",
            ),
        }
    }
}
