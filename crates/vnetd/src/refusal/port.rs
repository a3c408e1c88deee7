//! Why a port is refused, in libvirt's words.

use vnet_driver::{Driver, Error};
use vnet_plan::bandwidth::FloorError;
use vnet_plan::{AttachError, VirtualPortError};
use vnet_rpc::ErrorCode;
use vnet_types::NetworkName;
use vnet_xml::network::ForwardMode;
use vnet_xml::network_port::{NetworkPort, Plug};
use vnet_xml::{Problem, Refused, Severity};

use super::{MISSING_ATTRIBUTE, MISSING_ELEMENT, Refusal, document as any_document, invalid, judge, network, other};

/// A port that cannot be recorded or changed.
pub(crate) fn refused(driver: &Driver, name: &NetworkName, port: &NetworkPort, error: Error) -> Refusal {
    let internal = |what: String| network(ErrorCode::InternalError, what);
    let definition = || driver.definition(name).ok();
    match &error {
        Error::Attach(AttachError::Floor(floor)) => self::floor(driver, name, port, *floor, error),
        Error::Attach(AttachError::VirtualPort(wrong)) => {
            let code = match wrong {
                VirtualPortError::Unfit { .. } => ErrorCode::ConfigUnsupported,
                _ => ErrorCode::XmlError,
            };
            network(code, wrong.to_string())
        }
        Error::Attach(AttachError::PoolUsedUp { .. }) => {
            internal(format!("network '{name}' requires exclusive access to interfaces, but none are available"))
        }
        Error::Attach(AttachError::NoPool(_)) => {
            let is_hostdev = definition().is_some_and(|network| network.forward_mode() == ForwardMode::Hostdev);
            let mode = if is_hostdev { "hostdev" } else { "direct" };
            internal(format!("network '{name}' uses a {mode} mode, but has no forward dev and no interface pool"))
        }
        Error::Attach(AttachError::NotOfNetwork { .. }) => internal(match &port.plug {
            Some(Plug::Direct { dev, .. }) => {
                format!("network '{name}' doesn't have dev='{dev}' in use by network port '{}'", port.uuid)
            }
            Some(Plug::HostdevPci { address, .. }) => {
                format!("network '{name}' doesn't have PCI device {address} in use by network port")
            }
            _ => format!("network '{name}' does not have a bridge name."),
        }),
        Error::Attach(AttachError::PlugTaken { .. }) => internal(match &port.plug {
            Some(Plug::HostdevPci { address, .. }) => format!(
                "network '{name}' claims the PCI device at domain={} bus={} slot={} function={} is already in use by a \
                 different network port",
                address.domain(),
                address.bus(),
                address.slot(),
                address.function()
            ),
            Some(Plug::Direct { dev, .. }) => {
                format!("network '{name}' claims dev='{dev}' is already in use by a different port")
            }
            _ => error.to_string(),
        }),
        _ => other(error),
    }
}

fn floor(driver: &Driver, name: &NetworkName, port: &NetworkPort, floor: FloorError, error: Error) -> Refusal {
    let mac = port.mac;
    let unsupported = |why: String| {
        let what = format!("Invalid use of 'floor' on interface with MAC address {mac} - {why}");
        network(ErrorCode::OperationUnsupported, what)
    };
    match floor {
        FloorError::NotShared => unsupported(
            "'floor' is only supported for interface type 'network' with forward type 'nat', 'route', 'open' or none"
                .to_owned(),
        ),
        FloorError::NoInbound => unsupported(format!("network '{name}' has no inbound QoS set")),
        FloorError::Overcommitted { sum, limit } => {
            let running = driver.definition(name).ok();
            let inbound = running.as_ref().and_then(|network| network.bandwidth.as_ref()?.inbound);
            let limited = if inbound.is_some_and(|rate| rate.peak.is_some()) { "peak" } else { "average" };
            let bridge = driver.info(name).ok().and_then(|info| info.bridge);
            let bridge = bridge.map(|bridge| bridge.to_string()).unwrap_or_default();
            invalid(format!(
                "Cannot plug '{mac}' interface into '{bridge}' because new combined inbound floor={sum} would overcommit \
                 {limited}={limit} on network '{name}'"
            ))
        }
        _ => other(error),
    }
}

/// What libvirt looks for in a port, in its order: its place, the elements that may be missing, and
/// its words.
const PARTS: [(&str, &[&str], &str, &str); 4] = [
    ("/networkport/uuid", &["/networkport `<uuid>`"], "network port has no uuid", "UUID"),
    (
        "/networkport/owner/name",
        &["/networkport `<owner>`", "/networkport/owner `<name>`"],
        "network port has no owner name",
        "name",
    ),
    ("/networkport/owner/uuid", &["/networkport/owner `<uuid>`"], "network port has no owner UUID", "UUID"),
    ("/networkport/mac/@address", &["/networkport `<mac>`"], "network port has no mac", "MAC"),
];

/// A document that is not a port.
pub(crate) fn document(text: &str, refused: &Refused) -> Refusal {
    let errors = || refused.problems.iter().filter(|problem| problem.severity == Severity::Error);
    for (place, lacks, missing, kind) in PARTS {
        let is_lacking = |it: &&Problem| {
            let lacked = |lack: &&str| {
                let (parent, element) = lack.split_once(' ').unwrap_or_default();
                it.path.as_str() == parent && it.message.contains(&format!("lacks {element}"))
            };
            it.code == MISSING_ELEMENT && lacks.iter().any(lacked)
        };
        let internal = |what: String| network(ErrorCode::InternalError, what);
        if errors().any(|it| is_lacking(&it)) {
            return internal(missing.to_owned());
        }
        if let Some(problem) = errors().find(|it| it.path.as_str() == place) {
            let value = text.get(problem.span.clone()).unwrap_or_default().trim();
            // Without a value, the place is that of the element.
            let is_empty = value.is_empty() || value.starts_with('<') || problem.code == MISSING_ATTRIBUTE;
            return internal(if is_empty { missing.to_owned() } else { format!("Unable to parse {kind} '{value}'") });
        }
    }
    any_document(text, refused, judge::port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use rstest::rstest;

    use super::*;

    /// The words of libvirt 9.0.
    #[rstest]
    #[case::nothing("", "network port has no uuid")]
    #[case::empty("<uuid></uuid>", "network port has no uuid")]
    #[case::no_uuid_at_all("<uuid>x</uuid>", "Unable to parse UUID 'x'")]
    #[case::no_owner("UUID", "network port has no owner name")]
    #[case::no_name("UUID<owner>UUID</owner>", "network port has no owner name")]
    #[case::no_id("UUID<owner><name>g</name></owner>", "network port has no owner UUID")]
    #[case::bad_id("UUID<owner><name>g</name><uuid>x</uuid></owner>", "Unable to parse UUID 'x'")]
    #[case::no_mac("UUID<owner><name>g</name>UUID</owner>", "network port has no mac")]
    #[case::no_address("UUID<owner><name>g</name>UUID</owner><mac/>", "network port has no mac")]
    #[case::bad_mac("UUID<owner><name>g</name>UUID</owner><mac address='nope'/>", "Unable to parse MAC 'nope'")]
    fn documents_are_refused_in_the_words_of_libvirt(#[case] inside: &str, #[case] expected: &str) {
        let uuid = "<uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>";
        let text = format!("<networkport>{}</networkport>", inside.replace("UUID", uuid));
        let refused = NetworkPort::parse(text.as_bytes()).into_result().unwrap_err();
        let error = document(&text, &refused);
        assert_eq!((error.code, error.message.as_deref()), (1, Some(&*format!("internal error: {expected}"))));
    }
}
