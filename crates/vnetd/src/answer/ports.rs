//! Ports of networks. virtqemud asks for one before it makes a guest's device.

use vnet_driver::Driver;
use vnet_rpc::{ErrorCode, NetworkRef, PortRef, Reply, TypedParameter, TypedValue, Uuid};
use vnet_types::NetworkName;
use vnet_xml::{Bandwidth, NetworkPort, Rate};

use super::known::{find, reference};
use super::only_flags;
use crate::refusal::{self, Refusal, port};

/// The flag for a port that is attached already, such as before a restart of virtqemud.
const RECLAIM: u32 = 1;
/// The flag of a call that brings a document: it must match the schema.
const VALIDATE: u32 = 2;
/// The parameters of each direction, in libvirt's order. Only what goes to the guest has a floor.
const INBOUND: [&str; 4] = ["inbound.average", "inbound.peak", "inbound.floor", "inbound.burst"];
const OUTBOUND: [&str; 3] = ["outbound.average", "outbound.peak", "outbound.burst"];

/// The most parameters that the protocol allows for a port.
const PARAMETERS: usize = 16;

/// The ports of a network.
pub(super) fn all(driver: &Driver, network: &NetworkRef, need_results: bool, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkListAllPorts")?;
    let known = find(driver, network)?;
    let ids = driver.port_ids(&known.name).map_err(refusal::other)?;
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let port = |uuid| PortRef { network: reference(&known), uuid };
    Ok(Reply::Ports { ports: if need_results { ids.into_iter().map(port).collect() } else { Vec::new() }, count })
}

/// Finds a port by its UUID.
pub(super) fn by_uuid(driver: &Driver, network: &NetworkRef, uuid: Uuid) -> Result<Reply, Refusal> {
    let known = find(driver, network)?;
    record(driver, &known.name, uuid)?;
    Ok(Reply::Port { port: PortRef { network: reference(&known), uuid } })
}

/// Records a port, and decides what its guest is attached to.
pub(super) fn create(driver: &Driver, network: &NetworkRef, text: &str, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, RECLAIM | VALIDATE, "networkPortCreateXML")?;
    let known = find(driver, network)?;
    refusal::readable(text)?;
    let parsed = NetworkPort::parse(text.as_bytes());
    if flags & VALIDATE != 0
        && let Some(error) = refusal::by_schema(&parsed.problems)
    {
        return Err(error);
    }
    let wanted = parsed.into_result().map_err(|refused| port::document(text, &refused))?;
    if !known.is_active {
        return Err(refusal::invalid(format!("network '{}' is not active", known.name)));
    }
    let mismatch = |what| Err(refusal::network(ErrorCode::InvalidArg, what));
    match (flags & RECLAIM != 0, wanted.plug.is_some()) {
        (true, false) => return mismatch("Port reclaim requested but plug type is none"),
        (false, true) => return mismatch("Port reclaim not requested but plug type is not none"),
        _ => {}
    }
    let made = driver.create_port(&known.name, &wanted);
    made.map_err(|error| port::refused(driver, &known.name, &wanted, error))?;
    Ok(Reply::Port { port: PortRef { network: reference(&known), uuid: wanted.uuid } })
}

/// The definition of a port.
pub(super) fn xml(driver: &Driver, port: &PortRef, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkPortGetXMLDesc")?;
    let known = find(driver, &port.network)?;
    Ok(Reply::Text { text: record(driver, &known.name, port.uuid)?.to_string() })
}

/// The bandwidth of a port: all parameters of a direction that is limited.
pub(super) fn parameters(driver: &Driver, port: &PortRef, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkPortGetParameters")?;
    let known = find(driver, &port.network)?;
    let bandwidth = record(driver, &known.name, port.uuid)?.bandwidth.unwrap_or_default();
    let of = |rate: Option<Rate>, names: &'static [&'static str]| {
        rate.into_iter().flat_map(move |mut rate| names.iter().map(move |name| (*name, *value(&mut rate, name))))
    };
    let parameter = |(name, value): (&str, Option<u64>)| TypedParameter {
        field: name.to_owned(),
        value: TypedValue::UInt(u32::try_from(value.unwrap_or_default()).unwrap_or(u32::MAX)),
    };
    let all = of(bandwidth.inbound, &INBOUND).chain(of(bandwidth.outbound, &OUTBOUND));
    Ok(Reply::Parameters { parameters: all.map(parameter).collect(), count: 0 })
}

/// Changes the bandwidth of a port. What is not given is 0.
pub(super) fn set_parameters(
    driver: &Driver,
    port: &PortRef,
    parameters: &[TypedParameter],
    flags: u32,
) -> Result<Reply, Refusal> {
    if parameters.len() > PARAMETERS {
        return Err(refusal::undecoded());
    }
    only_flags(flags, 0, "networkPortSetParameters")?;
    let known = find(driver, &port.network)?;
    let wanted = record(driver, &known.name, port.uuid)?;
    let bandwidth = limits(parameters)?;
    let set = driver.set_port_bandwidth(&known.name, port.uuid, bandwidth.as_ref());
    set.map_err(|error| port::refused(driver, &known.name, &wanted, error))?;
    Ok(Reply::Nothing {})
}

/// Removes a port.
pub(super) fn delete(driver: &Driver, port: &PortRef, flags: u32) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkPortDelete")?;
    let known = find(driver, &port.network)?;
    record(driver, &known.name, port.uuid)?;
    driver.delete_port(&known.name, port.uuid).map_err(refusal::other)?;
    Ok(Reply::Nothing {})
}

fn record(driver: &Driver, network: &NetworkName, uuid: Uuid) -> Result<NetworkPort, Refusal> {
    driver.port_by_id(network, uuid).map_err(refusal::other)
}

/// The limits that parameters set. `None` when they set none.
fn limits(parameters: &[TypedParameter]) -> Result<Option<Bandwidth>, Refusal> {
    let (mut inbound, mut outbound) = (Rate::default(), Rate::default());
    for TypedParameter { field, value: given } in parameters {
        let rate = match field.as_str() {
            name if INBOUND.contains(&name) => &mut inbound,
            name if OUTBOUND.contains(&name) => &mut outbound,
            _ => return Err(refusal::network(ErrorCode::InvalidArg, format!("parameter '{field}' not supported"))),
        };
        let TypedValue::UInt(number) = given else {
            let what = format!("parameter '{field}' is not an unsigned int");
            return Err(refusal::network(ErrorCode::InvalidArg, what));
        };
        *value(rate, field) = Some(u64::from(*number)).filter(|number| *number != 0);
    }
    // A direction without an average and a floor limits nothing.
    let limits = |rate: Rate| Some(rate).filter(|rate| rate.average.is_some() || rate.floor.is_some());
    let mut bandwidth = Bandwidth::default();
    (bandwidth.inbound, bandwidth.outbound) = (limits(inbound), limits(outbound));
    Ok(Some(bandwidth).filter(|limits| limits.inbound.is_some() || limits.outbound.is_some()))
}

/// The part of a rate that a parameter stands for.
fn value<'r>(rate: &'r mut Rate, parameter: &str) -> &'r mut Option<u64> {
    match parameter.split_once('.').map_or(parameter, |(_, part)| part) {
        "average" => &mut rate.average,
        "peak" => &mut rate.peak,
        "floor" => &mut rate.floor,
        _ => &mut rate.burst,
    }
}
