//! The operations that make, change and remove the rows of a port.

use std::collections::BTreeSet;

use vnet_ovsdb::{Atom, Condition, DatabaseOperation as Operation, Datum, Mutation, Mutator, Row, Uuid};
use vnet_plan::{SwitchPolicer, SwitchPort, SwitchShaper, SwitchVlans};
use vnet_types::InterfaceName;

use super::MARK;

fn named(name: &str) -> [Condition; 1] {
    [Condition::equal("name", name)]
}

/// The pairs that libvirt finds the limits of a port by.
fn limit_ids(link: &InterfaceName, guest: &str) -> Datum {
    Datum::map([("ifname", link.as_str()), ("vm-id", guest)])
}

/// The columns of a port that vnet decides, but for its limits.
fn vlan_columns(vlans: &SwitchVlans) -> Row {
    Row::new()
        .with("tag", Datum::set(vlans.tag))
        .with("trunks", Datum::set(vlans.trunks.iter().copied()))
        .with("vlan_mode", Datum::set(vlans.mode.as_deref()))
}

fn policer_columns(policer: Option<SwitchPolicer>) -> Row {
    let SwitchPolicer { rate, burst } = policer.unwrap_or_default();
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Row::new().with("ingress_policing_rate", number(rate)).with("ingress_policing_burst", number(burst))
}

/// A shaper and its queue, as `qos` and `queue`.
fn shaper_rows(port: &SwitchPort, shaper: SwitchShaper) -> [Operation; 2] {
    let SwitchShaper { min_rate, max_rate, burst } = shaper;
    let pairs = [("min-rate", Some(min_rate)), ("max-rate", max_rate), ("burst", burst)];
    let config = Datum::map(pairs.into_iter().filter_map(|(key, value)| Some((key, value?.to_string()))));
    let row = Row::new().with("other_config", config);
    let row = row.with("external_ids", limit_ids(&port.link, &port.guest_id.to_string()));
    let queues = Datum::map([(0_i64, Atom::NamedUuid("queue".into()))]);
    let qos = row.clone().with("type", "linux-htb").with("queues", queues);
    [Operation::insert("Queue", "queue", row), Operation::insert("QoS", "qos", qos)]
}

/// Tells Open vSwitch that there is something to do, and asks for the number of that.
fn order() -> [Operation; 2] {
    let more = [Mutation::new("next_cfg", Mutator::Add, 1_i64)];
    [Operation::mutate("Open_vSwitch", [], more), Operation::select("Open_vSwitch", [], &["next_cfg", "cur_cfg"])]
}

/// The bridge is expected first: a transaction that is refused at place 0 has no bridge.
pub(super) fn creation(port: &SwitchPort, mark: &str) -> Vec<Operation> {
    let (link, bridge) = (port.link.as_str(), port.bridge.as_str());
    let row = policer_columns(port.policer).with("name", link).with("external_ids", Datum::map(port.identity()));
    let interface = Operation::insert("Interface", "interface", row);
    let mut ids = vec![(MARK, mark.to_owned())];
    let mut row = vlan_columns(&port.vlans)
        .with("name", link)
        .with("interfaces", Atom::NamedUuid("interface".into()))
        .with("other_config", Datum::map([("transient", "true")]));
    let mut operations = vec![
        Operation::expect("Bridge", named(bridge), &["name"], [Row::new().with("name", bridge)]),
        Operation::expect("Port", named(link), &["name"], []),
    ];
    if let Some(shaper) = port.shaper {
        // Limits of an earlier port of this guest that others have removed.
        operations.extend(no_limits(&port.link, &port.guest_id.to_string()));
        operations.extend(shaper_rows(port, shaper));
        row = row.with("qos", Atom::NamedUuid("qos".into()));
        ids.extend([("ifname", link.to_owned()), ("vm-id", port.guest_id.to_string())]);
    }
    let row = row.with("external_ids", Datum::map(ids));
    let into = [Mutation::new("ports", Mutator::Insert, Atom::NamedUuid("port".into()))];
    operations.extend([
        interface,
        Operation::insert("Port", "port", row),
        Operation::mutate("Bridge", named(bridge), into),
    ]);
    operations.extend(order());
    operations
}

pub(super) fn change(from: &SwitchPort, to: &SwitchPort) -> Vec<Operation> {
    let link = to.link.as_str();
    let keys: BTreeSet<&str> =
        ["ifname", "port-profile"].into_iter().chain(to.identity().iter().map(|(key, _)| *key)).collect();
    let ids = [
        Mutation::new("external_ids", Mutator::Delete, Datum::Set(keys.into_iter().map(Atom::from).collect())),
        Mutation::new("external_ids", Mutator::Insert, Datum::map(to.identity())),
    ];
    let mut operations = vec![
        Operation::mutate("Interface", named(link), ids),
        Operation::update("Interface", named(link), policer_columns(to.policer)),
        Operation::update("Port", named(link), vlan_columns(&to.vlans)),
    ];
    if from.shaper != to.shaper || from.guest_id != to.guest_id {
        let qos = match to.shaper {
            Some(shaper) => {
                operations.extend(shaper_rows(to, shaper));
                Datum::from(Atom::NamedUuid("qos".into()))
            }
            None => Datum::Set(Vec::new()),
        };
        operations.push(Operation::update("Port", named(link), Row::new().with("qos", qos)));
        // The pairs of the interface may be gone, those of its limits not.
        let guests = BTreeSet::from([from.guest_id, to.guest_id]);
        operations.splice(0..0, guests.iter().flat_map(|guest| no_limits(&to.link, &guest.to_string())));
    }
    operations.extend(order());
    operations
}

/// The limits of a port stay when it is gone, unless they are removed. Those of others do not have
/// these pairs.
fn no_limits(link: &InterfaceName, guest: &str) -> [Operation; 2] {
    let ours = [Condition::includes("external_ids", limit_ids(link, guest))];
    [Operation::delete("QoS", ours.clone()), Operation::delete("Queue", ours)]
}

/// A port and its interface vanish when no bridge has them.
pub(super) fn removal(link: &InterfaceName, port: Option<Uuid>, guest: &str) -> Vec<Operation> {
    let mut operations = Vec::from(no_limits(link, guest));
    if let Some(port) = port {
        // A row that vanishes still counts as one that refers to its limits.
        let row = Row::new().with("qos", Datum::Set(Vec::new()));
        operations.push(Operation::update("Port", [Condition::equal("_uuid", port)], row));
        let out = [Mutation::new("ports", Mutator::Delete, port)];
        operations.push(Operation::mutate("Bridge", [Condition::includes("ports", port)], out));
    }
    operations.extend(order());
    operations
}
