//! Refusals of the kernel, as text for people and predicates for programs.

use std::fmt;

use nix::errno::Errno;
use vnet_types::Route;

use crate::Cause;

/// The kernel sends this number to user space nowhere else (`linux/errno.h`), so errno(3) and its
/// crates lack it.
const ERESTART: i32 = 85;

/// A call that failed.
///
/// It prints all details in one line: `cannot add route 10.0.0.0/8 via 192.168.122.9 dev virbr0
/// proto static: Network is unreachable (kernel: Nexthop has invalid gateway)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// The operation.
    pub operation: Operation,
    /// Its object, as `ip` writes it.
    pub object: String,
    /// The kernel's answer.
    pub refused: Refused,
    /// The existing route with the same destination and metric, if a route could not be added.
    pub existing: Option<Box<Route>>,
    /// The cause of the refusal, if it is known.
    pub cause: Option<Cause>,
}

/// The operation that the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the words say it")]
pub enum Operation {
    Open,
    List,
    Add,
    Change,
    Delete,
}

/// The kernel's answer when it refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// In a batch: the sequence number of the refused message.
    pub sequence: Option<u32>,
    /// The error number (errno(3)).
    pub errno: i32,
    /// The kernel's explanation (`NLMSGERR_ATTR_MSG`). It differs between kernels, so only show it.
    pub message: Option<String>,
}

impl Error {
    /// Whether such a thing exists already.
    pub fn is_exists(&self) -> bool {
        self.refused.is_exists()
    }

    /// Whether the object, or its link, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.refused.is_not_found()
    }

    /// Whether a privilege is missing.
    pub fn is_permission_denied(&self) -> bool {
        self.refused.is_permission_denied()
    }
}

impl Refused {
    /// A refusal without further details.
    pub fn from_errno(errno: i32) -> Self {
        Self { sequence: None, errno, message: None }
    }

    /// Whether such a thing exists already.
    pub fn is_exists(&self) -> bool {
        self.is(&[Errno::EEXIST])
    }

    /// Whether the object does not exist. The kernel has a different number for each kind: `ENODEV`
    /// for links, `EADDRNOTAVAIL` for addresses, `ESRCH` for routes, `ENOENT` for nf_tables.
    pub fn is_not_found(&self) -> bool {
        self.is(&[Errno::ENODEV, Errno::EADDRNOTAVAIL, Errno::ESRCH, Errno::ENOENT, Errno::ENXIO])
    }

    /// Whether a privilege is missing.
    pub fn is_permission_denied(&self) -> bool {
        self.is(&[Errno::EPERM, Errno::EACCES])
    }

    /// Whether the batch is larger than this user may send at once.
    pub fn is_too_large(&self) -> bool {
        self.is(&[Errno::EMSGSIZE])
    }

    /// Whether the rules have changed since the batch was made (`ERESTART`). The kernel has applied
    /// nothing of it.
    pub fn is_outdated(&self) -> bool {
        self.errno == ERESTART
    }

    fn is(&self, any: &[Errno]) -> bool {
        any.contains(&Errno::from_raw(self.errno))
    }
}

impl Operation {
    /// Turns a refusal into an error.
    pub(crate) fn of(self, object: impl fmt::Display) -> impl FnOnce(Refused) -> Error {
        move |refused| Error { operation: self, object: object.to_string(), refused, existing: None, cause: None }
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self::from_errno(error.raw_os_error().unwrap_or(Errno::EIO as i32))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.object, self.refused)?;
        if let Some(route) = &self.existing {
            write!(f, "; there is {route}")?;
        }
        match &self.cause {
            Some(cause) => write!(f, "; {cause}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Errno::from_raw(self.errno).desc())?;
        if let Some(message) = &self.message {
            write!(f, " (kernel: {message})")?;
        }
        if self.is(&[Errno::EPERM]) {
            f.write_str("; this needs CAP_NET_ADMIN, as root has it, or a user namespace as by `unshare -rn`")?;
        }
        if self.is_too_large() {
            f.write_str("; `net.core.wmem_max` limits what other users than root may send at once")?;
        }
        Ok(())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Add => "add",
            Self::Change => "change",
            Self::Delete => "delete",
        })
    }
}

impl std::error::Error for Error {}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn refused(errno: Errno, message: Option<&str>) -> Refused {
        Refused { message: message.map(str::to_owned), ..Refused::from_errno(errno as i32) }
    }

    #[rstest]
    #[case(refused(Errno::ENODEV, None), "cannot add link br0: No such device")]
    #[case(
        refused(Errno::ENETUNREACH, Some("Nexthop has invalid gateway")),
        "cannot add link br0: Network is unreachable (kernel: Nexthop has invalid gateway)"
    )]
    #[case(
        refused(Errno::EPERM, None),
        "cannot add link br0: Operation not permitted; this needs CAP_NET_ADMIN, as root has it, or a user namespace \
         as by `unshare -rn`"
    )]
    fn prints(#[case] refused: Refused, #[case] text: &str) {
        assert_eq!(Operation::Add.of("link br0")(refused).to_string(), text);
    }

    #[rstest]
    #[case(Errno::EEXIST, [true, false, false, false])]
    #[case(Errno::ESRCH, [false, true, false, false])]
    #[case(Errno::EADDRNOTAVAIL, [false, true, false, false])]
    #[case(Errno::ENODEV, [false, true, false, false])]
    #[case(Errno::ENOENT, [false, true, false, false])]
    #[case(Errno::EPERM, [false, false, true, false])]
    #[case(Errno::EMSGSIZE, [false, false, false, true])]
    #[case(Errno::EINVAL, [false, false, false, false])]
    fn answers(#[case] errno: Errno, #[case] expected: [bool; 4]) {
        let it = Refused::from_errno(errno as i32);
        assert_eq!([it.is_exists(), it.is_not_found(), it.is_permission_denied(), it.is_too_large()], expected);
    }
}
