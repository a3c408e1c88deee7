//! What to do about a refusal of the kernel.

use nix::errno::Errno;

use crate::{Cause, Error, Missing, Refused};

impl Error {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        match &self.cause {
            Some(cause) => cause.help(),
            None => self.refused.help(),
        }
    }
}

impl Cause {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::TunDevice => return None,
            Self::NoDeviceNode(_) => "mount a devtmpfs on /dev, or make the node with mknod(1)".to_owned(),
            Self::SingleQueue => "ask for one queue, or make the tap anew with `multi_queue`".to_owned(),
            Self::MultiQueue => "ask for several queues, or make the tap anew without `multi_queue`".to_owned(),
            Self::TooManyQueues => "ask for fewer queues".to_owned(),
            Self::Busy => {
                "end that program, or choose another tap; `grep -l iff: /proc/[0-9]*/fdinfo/*` names programs with taps"
                    .to_owned()
            }
            Self::NotATap => "choose another name, or delete that link".to_owned(),
            Self::NoBridge(name) => format!("make it (`ip link add {name} type bridge`), or name another"),
            Self::UnmappedUser(_) => "give a user that /proc/self/uid_map has".to_owned(),
            Self::UnmappedGroup(_) => "give a group that /proc/self/gid_map has".to_owned(),
            Self::Missing(Missing::VlanFiltering) => "boot a kernel that has them".to_owned(),
            Self::Missing(Missing::Kind(_)) => {
                "load its module with modprobe(8), or boot a kernel that has it".to_owned()
            }
        })
    }
}

impl Refused {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        let help = match Errno::from_raw(self.errno) {
            Errno::EPERM | Errno::EMSGSIZE => return None,
            Errno::EACCES => "run it as root, or as a user who may",
            Errno::EEXIST => "choose another, or delete the one that is there",
            Errno::ENODEV | Errno::EADDRNOTAVAIL | Errno::ESRCH | Errno::ENOENT | Errno::ENXIO => {
                "try again: another program may have deleted what it needs"
            }
            Errno::EBUSY => "end what uses it, and try again",
            Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT => {
                "load the kernel's module for it, or choose a kernel or device that has it"
            }
            Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
                "give the device an address from which the gateway can be reached"
            }
            Errno::ENOMEM | Errno::ENOBUFS => "free memory, and try again",
            _ => "read what the kernel has to say: `dmesg | tail`",
        };
        Some(help.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Operation;

    #[rstest]
    #[case::cause(Errno::EBUSY, Some(Cause::NotATap), Some("choose another name, or delete that link"))]
    #[case::number(Errno::EBUSY, None, Some("end what uses it, and try again"))]
    #[case::in_the_message(Errno::EPERM, None, None)]
    fn a_cause_comes_before_the_number(#[case] errno: Errno, #[case] cause: Option<Cause>, #[case] help: Option<&str>) {
        let error = Operation::Open.of("tap vnet0")(Refused::from_errno(errno as i32));
        assert_eq!(Error { cause, ..error }.help().as_deref(), help);
    }
}
