//! Definitions as text, both ways.

use vnet_driver::Driver;
use vnet_rpc::{ErrorCode, NetworkRef, Reply, Uuid};
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Nat};

use super::known::find;
use super::only_flags;
use crate::refusal::{self, Refusal, judge};

/// The flag for the definition that the next start uses.
const INACTIVE: u32 = 1;
/// The flag of calls that bring a document: it must match the schema.
const VALIDATE: u32 = 1;

/// The definition of a network.
pub(super) fn of_network(driver: &Driver, network: &NetworkRef, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, INACTIVE, "networkGetXMLDesc")?;
    let known = find(driver, network)?;
    let text = match flags {
        0 if known.is_active => driver.definition(&known.name).map(|network| as_it_runs(network, known.uuid)),
        _ => driver.inactive_xml(&known.name),
    };
    Ok(Reply::Text { text: text.map_err(refusal::other)? })
}

/// The print of a network that runs. libvirt shows the source ports of translation as if the
/// definition had them, and each network has a UUID.
fn as_it_runs(mut network: Network, uuid: Uuid) -> String {
    network.uuid.get_or_insert(uuid);
    let translates = network.forward_mode() == ForwardMode::Nat && !network.ips.is_empty();
    if let Some(forward) = network.forward.as_mut().filter(|_| translates) {
        forward.nat.get_or_insert_default().ports.get_or_insert(Nat::DEFAULT_PORTS);
    }
    network.to_string()
}

/// The name of a network's bridge.
pub(super) fn bridge(driver: &Driver, network: &NetworkRef) -> Result<Reply, Refusal> {
    let known = find(driver, network)?;
    let bridge = driver.info(&known.name).map_err(refusal::other)?.bridge;
    let none = || {
        let what = format!("network '{}' does not have a bridge name.", known.name);
        refusal::network(ErrorCode::InternalError, what)
    };
    Ok(Reply::Text { text: bridge.ok_or_else(none)?.to_string() })
}

/// Reads the definition that a client sends.
pub(super) fn read(text: &str, flags: u32, function: &str) -> Result<Network, Refusal> {
    only_flags(flags, VALIDATE, function)?;
    refusal::readable(text)?;
    let parsed = Network::parse(text.as_bytes());
    if flags & VALIDATE != 0
        && let Some(error) = refusal::by_schema(&parsed.problems)
    {
        return Err(error);
    }
    parsed.into_result().map_err(|refused| refusal::document(text, &refused, judge::definition))
}
