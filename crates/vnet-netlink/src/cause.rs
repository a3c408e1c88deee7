//! The causes of refusals that the error number alone does not tell.

use std::fmt;
use std::path::PathBuf;

use vnet_types::InterfaceName;

use crate::Error;

/// The likely cause of a refusal, which tells what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// `/dev/net/tun` does not exist, or this user may not open it.
    TunDevice,
    /// A macvtap's device node does not exist.
    NoDeviceNode(PathBuf),
    /// The tap has one queue only, and the caller asked for more.
    SingleQueue,
    /// The tap was created for many queues, and was opened for one.
    MultiQueue,
    /// The tap has as many queues as the kernel allows.
    TooManyQueues,
    /// Another program has the tap open.
    Busy,
    /// The link is of another kind.
    NotATap,
    /// There is no bridge of that name. Another kind of link may have the name.
    NoBridge(InterfaceName),
    /// The user does not exist in this user namespace.
    UnmappedUser(u32),
    /// The group does not exist in this user namespace.
    UnmappedGroup(u32),
    /// The kernel was built without this.
    Missing(Missing),
}

/// An optional part of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Bridges that filter VLANs.
    VlanFiltering,
    /// A kind of link, queueing discipline or filter, by its name.
    Kind(String),
}

/// A privilege that the kernel requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// `CAP_NET_ADMIN` in the user namespace that owns the network namespace.
    NetAdmin,
    /// The right to open a file, as its owner or in its group.
    File,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetAdmin => "the capability CAP_NET_ADMIN over the network namespace",
            Self::File => "the right to use the file, as its owner or as one of its group,",
        })
    }
}

impl Error {
    /// The privilege whose lack made the call fail.
    pub fn missing_capability(&self) -> Option<Capability> {
        match (self.is_permission_denied(), &self.cause) {
            (false, _) => None,
            (true, Some(Cause::TunDevice | Cause::NoDeviceNode(_))) => Some(Capability::File),
            (true, _) if self.refused.errno == nix::libc::EACCES => Some(Capability::File),
            (true, _) => Some(Capability::NetAdmin),
        }
    }

    pub(crate) fn because(mut self, applies: bool, cause: Cause) -> Self {
        if applies {
            self.cause = Some(cause);
        }
        self
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TunDevice => {
                f.write_str("taps need /dev/net/tun (`modprobe tun`) and the right to read and write it")
            }
            Self::NoDeviceNode(node) => {
                write!(f, "{} does not exist: only a devtmpfs on /dev has it by itself", node.display())
            }
            Self::SingleQueue => f.write_str("the tap was made without multi_queue, for a single queue"),
            Self::MultiQueue => f.write_str("the tap was made with multi_queue, or is no tap"),
            Self::TooManyQueues => f.write_str("the tap has as many queues as the kernel allows"),
            Self::Busy => f.write_str("another program has the tap open"),
            Self::NotATap => f.write_str("the link is of another kind"),
            Self::NoBridge(name) => write!(f, "there is no bridge {name}"),
            Self::UnmappedUser(user) => write!(f, "user {user} does not exist in this user namespace"),
            Self::UnmappedGroup(group) => write!(f, "group {group} does not exist in this user namespace"),
            Self::Missing(missing) => write!(f, "this kernel is built without {missing}"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VlanFiltering => f.write_str("bridges that filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING)"),
            Self::Kind(word) => write!(f, "`{word}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, Refused};
    use nix::errno::Errno;
    use rstest::rstest;

    #[rstest]
    #[case::netlink(Errno::EPERM, None, Some(Capability::NetAdmin))]
    #[case::device(Errno::EACCES, Some(Cause::TunDevice), Some(Capability::File))]
    #[case::node(Errno::EACCES, None, Some(Capability::File))]
    #[case::no_device(Errno::ENOENT, Some(Cause::TunDevice), None)]
    #[case::other(Errno::EBUSY, Some(Cause::Busy), None)]
    fn capabilities(#[case] errno: Errno, #[case] cause: Option<Cause>, #[case] expected: Option<Capability>) {
        let error = Operation::Open.of("tap vnet0")(Refused::from_errno(errno as i32));
        assert_eq!(Error { cause, ..error }.missing_capability(), expected);
    }

    #[test]
    fn causes_are_told() {
        let error = Operation::Add.of("tap vnet0")(Refused::from_errno(Errno::EINVAL as i32));
        assert_eq!(
            error.because(true, Cause::UnmappedUser(1000)).to_string(),
            "cannot add tap vnet0: Invalid argument; user 1000 does not exist in this user namespace"
        );
    }
}
