//! The code of each error of the driver.

use std::error::Error as _;

use vnet_driver::{Error, OvnFailure};
use vnet_plan::ContainerAddressError;

use crate::protocol::Failure;

/// The same call may succeed later.
const TRY_AGAIN: u32 = 11;
/// The network cannot be started, or does not take the container.
const NETWORK: u32 = 100;
/// The address is taken, or cannot be that of a container.
const ADDRESS: u32 = 101;
/// No address is free.
const USED_UP: u32 = 102;
/// The interface exists.
const EXISTS: u32 = 103;
/// The kernel or the host refuses.
const HOST: u32 = 106;
/// A program is missing.
const PROGRAM: u32 = 107;

/// The error with its code, its causes and what to do about it.
pub(super) fn failure(error: &Error) -> Failure {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    // A message that only passes on its cause says the same twice.
    let message = error.to_string();
    causes.retain(|cause| *cause != message);
    causes.dedup();
    causes.extend(error.help());
    Failure::new(code(error), message).with(causes.join("\n"))
}

fn code(error: &Error) -> u32 {
    match error {
        Error::NoContainer(_) => 3,
        Error::NotAContainer { .. } => 4,
        Error::Folder { .. } | Error::Read { .. } | Error::Kept { .. } => 5,
        Error::NetworkName { .. } | Error::NotDefined(_) => 7,
        Error::ContainerAddress(ContainerAddressError::NoRange(_)) => 7,
        Error::NotRunning(_) => TRY_AGAIN,
        Error::Host(inner) if matches!(**inner, vnet_host::Error::Locked { .. }) => TRY_AGAIN,
        Error::ContainerAddress(ContainerAddressError::UsedUp { .. }) => USED_UP,
        Error::ContainerAddress(_) => ADDRESS,
        Error::AlreadyAttached(_) | Error::InterfaceExists(_) => EXISTS,
        Error::NotAttached(_) => 3,
        Error::Host(inner) if matches!(**inner, vnet_host::Error::NoProgram { .. }) => PROGRAM,
        Error::Host(_) | Error::Denied { .. } => HOST,
        Error::Ovn(failure) => match **failure {
            OvnFailure::HostPorts(_) => 7,
            OvnFailure::MacTaken { .. } => ADDRESS,
            // OVN's databases and programs come back.
            OvnFailure::Database { .. }
            | OvnFailure::ChangedMeanwhile(_)
            | OvnFailure::NotUp { .. }
            | OvnFailure::RowStays { .. } => TRY_AGAIN,
            _ => NETWORK,
        },
        _ => NETWORK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_others_keep_is_for_later() {
        let locked = vnet_host::Error::Locked { folder: "/run/vnet".into(), holder: Some(7), seconds: 10 };
        let failure = failure(&locked.into());
        assert_eq!(failure.code, TRY_AGAIN);
        assert!(failure.message.contains("process 7 has the lock"), "{failure:?}");
    }
}
