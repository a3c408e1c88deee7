//! What to do when nothing could be tried.

use super::{Error, Failed};

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotInside => return None,
            Self::Nothing { .. } => "give a network with addresses or a bridge, or an interface on passt".to_owned(),
            Self::SameName { .. } => "try one after the other".to_owned(),
            Self::TwoEngines { .. } => {
                "try them by calls of their own, or all networks on OVN with `--engine ovn`".to_owned()
            }
            Self::Unavailable(error) => return error.help(),
            Self::Died(_) => "see whether the system ended it: `dmesg | tail`".to_owned(),
            Self::Inside(failure) | Self::Unverified(failure) => return failure.help.clone(),
            Self::Driver(error) => return error.help(),
            Self::Pipe(_) => "try again with fewer open files and processes: `ulimit -a` shows the limits".to_owned(),
        })
    }
}

impl Failed {
    /// What to do about it. `None` where the message says so itself.
    pub(super) fn help(&self) -> Option<String> {
        match self {
            Self::NoTaps => {
                Some("let this user open /dev/net/tun; a container is started with `--device /dev/net/tun`".to_owned())
            }
            Self::ReadOnly | Self::OtherProcesses { .. } | Self::Mount { .. } | Self::Other(_) => None,
            Self::Lab(error) => error.help(),
            Self::Netlink(error) => error.help(),
            Self::Host(error) => error.help(),
            Self::Driver(error) => error.help(),
            Self::Passt(error) => error.help(),
            Self::NotPasst(error) => Some(error.help()),
            Self::Attach(error) => error.help(),
            Self::Io(_) => Some("try again: this computer may have had too much to do".to_owned()),
            Self::Doing { source, .. } => source.help(),
        }
    }
}
