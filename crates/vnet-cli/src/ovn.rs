//! What is done on OVN, for programs and for people.

use std::collections::BTreeMap;

use serde::Serialize;
use vnet_driver::{NetworkOutcome, OvnAct, OvnChange, OvnOutcome, OvnPort, OvnStatus, State};

use crate::changes::{human as of_host, line};
use crate::notes::noted;
use crate::output::is_verbose;

/// The rows that were changed, or would be, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct OvnJson<'a> {
    changes: Vec<RowJson<'a>>,
    /// Whether every host has done it in time.
    in_force: bool,
}

/// A row that is made, changed or removed.
#[derive(Debug, Serialize)]
pub(crate) struct RowJson<'a> {
    change: &'static str,
    table: &'static str,
    row: String,
    columns: &'a BTreeMap<&'static str, String>,
    /// What the columns of a row that is changed have now.
    before: &'a BTreeMap<&'static str, String>,
}

/// The state of a network that OVN makes, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct OvnStatusJson<'a> {
    network: String,
    uuid: String,
    /// `None` when it does not run.
    state: Option<State>,
    northbound: &'a str,
    generation: u64,
    rows: usize,
    ports: Vec<OvnPortJson<'a>>,
    /// `None` where it has none on this host.
    name_server: Option<State>,
    changes: Vec<RowJson<'a>>,
}

#[derive(Debug, Serialize)]
struct OvnPortJson<'a> {
    id: String,
    mac: String,
    addresses: Vec<String>,
    guest: Option<&'a str>,
    chassis: Option<&'a str>,
    up: bool,
}

impl<'a> OvnJson<'a> {
    /// As the driver has it.
    pub(crate) fn of(outcome: &'a OvnOutcome) -> Self {
        Self { changes: rows(&outcome.changes), in_force: outcome.in_force }
    }
}

impl<'a> OvnStatusJson<'a> {
    /// As the driver has it.
    pub(crate) fn of(status: &'a OvnStatus) -> Self {
        let port = |port: &'a OvnPort| OvnPortJson {
            id: port.id.to_string(),
            mac: port.mac.to_string(),
            addresses: port.addresses.iter().map(ToString::to_string).collect(),
            guest: port.guest.as_deref(),
            chassis: port.chassis.as_deref(),
            up: port.is_up,
        };
        Self {
            network: status.name.to_string(),
            uuid: status.uuid.to_string(),
            state: status.state,
            northbound: &status.northbound,
            generation: status.generation,
            rows: status.rows,
            ports: status.ports.iter().map(port).collect(),
            name_server: status.name_server,
            changes: rows(&status.drift),
        }
    }
}

fn rows(changes: &[OvnChange]) -> Vec<RowJson<'_>> {
    let word = |act| match act {
        OvnAct::Create => "create",
        OvnAct::Update => "update",
        OvnAct::Delete => "delete",
    };
    let json = changes.iter().map(|OvnChange { act, table, row, columns, before, .. }| RowJson {
        change: word(*act),
        table,
        row: row.to_string(),
        columns,
        before,
    });
    json.collect()
}

/// The rows for people, one on each line.
pub(crate) fn human(changes: &[OvnChange]) -> String {
    changes.iter().map(|change| line(&change.to_string())).collect()
}

/// What has become of a network on OVN, for people; `None` for a network of this host.
pub(crate) fn told(outcome: &NetworkOutcome, done: &str) -> Option<String> {
    let OvnOutcome { changes, in_force, .. } = outcome.ovn.as_ref()?;
    let name = &outcome.name;
    let here = match (outcome.changes.is_empty(), is_verbose()) {
        (true, _) => String::new(),
        (false, false) => "its name server on this host is changed\n".to_owned(),
        (false, true) => of_host(&outcome.changes),
    };
    if changes.is_empty() {
        return Some(format!("network {name} is in sync on OVN\n{here}"));
    }
    let rows = if is_verbose() { human(changes) } else { String::new() };
    let late = match in_force {
        true => String::new(),
        false => noted("not every host has done it within 5 s; `ovn-sbctl list Chassis_Private` tells which"),
    };
    let count = match changes.len() {
        1 => "1 row".to_owned(),
        count => format!("{count} rows"),
    };
    Some(format!("{rows}network {name} {done} on OVN: {count}\n{here}{late}"))
}

/// The state of a network for people.
pub(crate) fn status(status: &OvnStatus) -> String {
    let OvnStatus { name, uuid, northbound, generation, rows, ports, drift, .. } = status;
    let state = match status.state {
        None => return format!("network {name} ({uuid}): inactive on OVN at {northbound}\n"),
        Some(State::InSync) => "in sync",
        Some(_) => "drifted",
    };
    let mut text = format!("network {name} ({uuid}): {state} on OVN\n");
    text += &format!("  northbound: {northbound}, {rows} rows, changed {generation} times\n");
    for OvnPort { id, mac, addresses, guest, chassis, is_up, .. } in ports {
        let addresses: String = addresses.iter().map(|address| format!(" {address}")).collect();
        let guest = guest.as_ref().map(|guest| format!(" {guest}")).unwrap_or_default();
        let on = chassis.as_ref().map(|chassis| format!(" on {chassis}")).unwrap_or_default();
        let up = if *is_up { "up" } else { "down" };
        text += &format!("  port {id}:{guest} {mac}{addresses}, {up}{on}\n");
    }
    match status.name_server {
        None => {}
        Some(State::InSync) => text += "  its name server runs on this host\n",
        Some(_) => text += "  its name server on this host is not as it was made: `vnet apply` repairs it\n",
    }
    text + &human(drift)
}
