//! What to do about errors of namespaces and of the programs in them.

use std::io;

use crate::{Error, Unavailable};

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Netlink(error) => return error.help(),
            Self::System { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => "run it as root of a user namespace, as `Isolation` makes one",
                io::ErrorKind::NotFound => "see that the file and the program exist here",
                _ => "read what the kernel has to say: `dmesg | tail`",
            }
            .to_owned(),
            Self::Missing { .. } => {
                "install Open vSwitch and OVN (Debian: openvswitch-switch, ovn-central, ovn-host; Fedora: openvswitch, \
                 ovn-central, ovn-host)"
                    .to_owned()
            }
            Self::Failed { .. } => return None,
            Self::Gone(name) => format!("make `{name}` again; something in the namespace deletes links"),
        })
    }
}

impl Unavailable {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Switch { .. } | Self::Container { .. } | Self::Chroot { .. } | Self::Refused { .. } => None,
            Self::Start(_) => Some("see that the program exists, and that this user may run it".to_owned()),
        }
    }
}
