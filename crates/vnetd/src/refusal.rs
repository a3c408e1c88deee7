//! The driver's errors in libvirt's words.

mod document;
pub(crate) mod judge;
pub(crate) mod port;

use std::io;

use vnet_driver::Error;
use vnet_rpc::{ErrorCode, ErrorDomain, RemoteError};
use vnet_types::Uuid;

pub(crate) use document::{
    MISSING_ATTRIBUTE, MISSING_ELEMENT, attribute, by_schema, definition, document, not_well_formed, readable,
};

/// Why a call is refused.
pub(crate) type Refusal = Box<RemoteError>;

/// A refusal by a part of libvirt.
pub(crate) fn of(code: ErrorCode, domain: ErrorDomain, detail: impl Into<String>) -> Refusal {
    Box::new(RemoteError::new(code, domain, detail))
}

/// A refusal by the network driver.
pub(crate) fn network(code: ErrorCode, detail: impl Into<String>) -> Refusal {
    of(code, ErrorDomain::Network, detail)
}

/// An argument of a function of libvirt that has a wrong value.
pub(crate) fn argument(what: &str, function: &str, argument: &str) -> Refusal {
    Box::new(RemoteError::invalid_argument(what, function, argument))
}

/// Flags that a function of libvirt's network driver does not know.
pub(crate) fn flags(unknown: u32, function: &str) -> Refusal {
    argument(&format!("unsupported flags (0x{unknown:x}) in function {function}"), function, "flags")
}

/// A state that does not allow what was asked.
pub(crate) fn invalid(detail: impl Into<String>) -> Refusal {
    network(ErrorCode::OperationInvalid, detail)
}

/// The protocol was not kept.
pub(crate) fn protocol(detail: impl Into<String>) -> Refusal {
    of(ErrorCode::Rpc, ErrorDomain::Rpc, detail)
}

/// A payload is not what its procedure takes.
pub(crate) fn undecoded() -> Refusal {
    protocol("Unable to decode message payload")
}

/// A bug or a shortage in the server's own part.
pub(crate) fn internal(detail: impl Into<String>) -> Refusal {
    of(ErrorCode::InternalError, ErrorDomain::Rpc, detail)
}

/// The system refuses a file or a thread.
pub(crate) fn system(error: io::Error) -> Refusal {
    let errno = error.raw_os_error().unwrap_or(0);
    Box::new(RemoteError::system(errno, ErrorDomain::Network, format!("vnetd: {error}")))
}

/// No network has this UUID. A call that names a network has its name, too.
pub(crate) fn no_uuid(uuid: Uuid, name: Option<&str>) -> Refusal {
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    network(ErrorCode::NoNetwork, format!("no network with matching uuid '{uuid}'{name}"))
}

/// No network has this name.
pub(crate) fn no_name(name: &str) -> Refusal {
    network(ErrorCode::NoNetwork, format!("no network with matching name '{name}'"))
}

/// Any error of the driver, where the call does not say it in other words.
pub(crate) fn other(error: Error) -> Refusal {
    match &error {
        Error::NoNetwork(text) => no_name(text),
        Error::AlreadyRuns(_) => invalid("network is already active"),
        Error::NotRunning(name) => invalid(format!("network '{name}' is not active")),
        Error::NotDefined(_) => invalid("cannot change persistent config of a transient network"),
        Error::NameTaken { name, uuid } => {
            network(ErrorCode::OperationFailed, format!("network '{name}' already exists with uuid {uuid}"))
        }
        Error::UuidTaken { name, uuid } => {
            network(ErrorCode::OperationFailed, format!("network '{name}' is already defined with uuid {uuid}"))
        }
        Error::BridgeTaken { bridge, .. } => {
            network(ErrorCode::InternalError, format!("bridge name '{bridge}' already in use."))
        }
        Error::NoPortOf { uuid, .. } => {
            network(ErrorCode::NoNetworkPort, format!("Network port with UUID {uuid} does not exist"))
        }
        Error::PortExists { uuid, .. } => {
            network(ErrorCode::NetworkPortExist, format!("Network port with UUID {uuid} already exists"))
        }
        Error::Unconfirmed(_) => invalid(with_help(&error)),
        Error::Refused { .. } | Error::Element(_) | Error::NetworkName { .. } => {
            network(ErrorCode::XmlError, in_full(&error))
        }
        _ => network(ErrorCode::InternalError, with_help(&error)),
    }
}

/// The error with its causes and what to do about it.
fn with_help(error: &Error) -> String {
    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
    in_full(error) + &help
}

/// The error with its causes.
fn in_full(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
