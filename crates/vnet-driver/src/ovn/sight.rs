//! What can be seen of a network that OVN makes: in both databases, and on this host.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use vnet_ovn::port_name;
use vnet_ovsdb::{Condition, DatabaseOperation as Operation, OperationResult, Row};
use vnet_types::{KnownPort, NetworkName, Uuid};
use vnet_xml::Network;
use vnet_xml::network::OvnGateway;

use super::chassis::Chassis;
use super::controller::Controller;
use super::failure::OvnFailure;
use super::network::OvnNetwork;
use super::status::{GLANCE, OvnStatus};
use crate::driver::Driver;
use crate::error::Error;

/// How long ovn-northd may take, and the pause between two looks at it.
const GRACE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// What can be seen of a network.
pub(crate) struct Sight {
    /// What the northbound database has.
    pub(crate) northbound: Result<Northern, Error>,
    /// The `system-id` of this host, and what the southbound database has. The latter is an error
    /// in words.
    pub(crate) here: Result<(String, Result<Southern, String>), OvnFailure>,
    /// Whether the host of the gateway does not answer this one.
    pub(crate) gateway_is_silent: bool,
    /// The ovn-controller of this host.
    pub(crate) controller: Controller,
}

/// What the northbound database has.
pub(crate) struct Northern {
    pub(crate) status: OvnStatus,
    /// The changes that were asked for, and those that ovn-northd has taken over.
    pub(crate) asked: i64,
    pub(crate) taken: i64,
    /// The hosts that can be the gateway.
    pub(crate) gateways: BTreeSet<String>,
}

/// What the southbound database has.
pub(crate) struct Southern {
    /// The hosts, each with the physical networks that it reaches and the changes that it has
    /// carried out.
    pub(crate) chassis: BTreeMap<String, SeenChassis>,
    /// The changes that they were told.
    pub(crate) told: i64,
    /// The ports that are known, by their names, each with the host that has connected it.
    pub(crate) bound: BTreeMap<String, Option<String>>,
}

pub(crate) struct SeenChassis {
    pub(crate) reaches: Vec<String>,
    pub(crate) done: i64,
}

impl Sight {
    /// Looks. Nothing is changed.
    pub(crate) fn of(network: &Network) -> Self {
        let northbound = northern(network);
        let mut ports: Vec<String> =
            northbound.iter().flat_map(|it| &it.status.ports).map(|port| port.id.to_string()).collect();
        let gateway = northbound.as_ref().ok().map(|it| gateway_port(it.status.uuid));
        ports.extend(gateway.clone());
        let mut gateway_is_silent = false;
        let here = Chassis::here().map(|mut chassis| {
            let seen = southern(&chassis, &ports);
            let host = gateway.as_ref().and_then(|port| seen.as_ref().ok()?.bound.get(port)?.as_deref());
            gateway_is_silent = host.is_some_and(|host| chassis.is_without_answer(host));
            (chassis.name, seen)
        });
        Self { northbound, here, gateway_is_silent, controller: Controller::ask() }
    }
}

/// The name of the port that is where the gateway is.
pub(crate) fn gateway_port(network: Uuid) -> String {
    format!("cr-{}", port_name(network, "outside"))
}

fn northern(network: &Network) -> Result<Northern, Error> {
    let mut network = OvnNetwork::open(network)?.patient_for(GLANCE);
    let status = network.status()?;
    let looks = [
        Operation::select("NB_Global", [], &["nb_cfg", "sb_cfg"]),
        Operation::select("HA_Chassis_Group", [], &["name", "ha_chassis"]),
        Operation::select("HA_Chassis", [], &["_uuid", "chassis_name"]),
    ];
    let count = |global: &[Row], column: &str| global.first().and_then(|row| row.integer(column)).unwrap_or_default();
    let deadline = Instant::now() + GRACE;
    let (asked, taken, groups, members) = loop {
        let mut results = network.transact("read", &looks)?.into_iter().map(OperationResult::rows);
        let mut next = || results.next().unwrap_or_default();
        let (global, groups, members) = (next(), next(), next());
        let (asked, taken) = (count(&global, "nb_cfg"), count(&global, "sb_cfg"));
        // What was asked for a moment ago is not late.
        if taken >= asked || Instant::now() > deadline {
            break (asked, taken, groups, members);
        }
        thread::sleep(PAUSE);
    };
    let outside = network.network.extensions.ovn.as_ref().and_then(|engine| engine.outside.as_ref());
    let mut gateways = BTreeSet::new();
    for gateway in outside.iter().flat_map(|outside| &outside.gateways) {
        match gateway {
            OvnGateway::Chassis { chassis, .. } => _ = gateways.insert(chassis.clone()),
            OvnGateway::Group { group } => {
                let own = groups.iter().filter(|row| row.text("name") == Some(group));
                let own: BTreeSet<Uuid> = own.flat_map(|row| row.uuids("ha_chassis")).collect();
                let members = members.iter().filter(|row| row.uuid().is_some_and(|uuid| own.contains(&uuid)));
                gateways.extend(members.filter_map(|row| row.text("chassis_name")).map(str::to_owned));
            }
        }
    }
    Ok(Northern { status, asked, taken, gateways })
}

fn southern(chassis: &Chassis, ports: &[String]) -> Result<Southern, String> {
    let mut database = chassis.southbound()?;
    let mut looks = vec![
        Operation::select("Chassis", [], &["_uuid", "name", "other_config", "external_ids"]),
        Operation::select("Chassis_Private", [], &["name", "nb_cfg"]),
        Operation::select("SB_Global", [], &["nb_cfg"]),
    ];
    let named = |port: &String| Condition::equal("logical_port", port.as_str());
    looks.extend(
        ports.iter().map(|port| Operation::select("Port_Binding", [named(port)], &["logical_port", "chassis"])),
    );
    let results = database.transact(&looks).map_err(|error| error.to_string())?;
    let mut results = results.into_iter().map(OperationResult::rows);
    let mut next = || results.next().unwrap_or_default();
    let (all, private, global) = (next(), next(), next());
    let bindings: Vec<Row> = results.flatten().collect();
    let done = |name: &str| {
        let own = private.iter().find(|row| row.text("name") == Some(name));
        own.and_then(|row| row.integer("nb_cfg")).unwrap_or_default()
    };
    let seen = |row: &Row| {
        let name = row.text("name")?.to_owned();
        Some((name.clone(), SeenChassis { reaches: reaches(row), done: done(&name) }))
    };
    let names: BTreeMap<Uuid, &str> = all.iter().filter_map(|row| Some((row.uuid()?, row.text("name")?))).collect();
    let bound = |row: &Row| {
        let host = row.uuids("chassis").first().and_then(|uuid| names.get(uuid)).map(|name| (*name).to_owned());
        Some((row.text("logical_port")?.to_owned(), host))
    };
    Ok(Southern {
        chassis: all.iter().filter_map(seen).collect(),
        told: global.first().and_then(|row| row.integer("nb_cfg")).unwrap_or_default(),
        bound: bindings.iter().filter_map(bound).collect(),
    })
}

/// The physical networks of a chassis, out of its `ovn-bridge-mappings`.
fn reaches(chassis: &Row) -> Vec<String> {
    // OVN before 20.12 has it in the other column.
    let mappings = ["other_config", "external_ids"].map(|column| chassis.texts(column));
    let mappings = mappings.iter().find_map(|texts| texts.get("ovn-bridge-mappings").copied());
    let mappings = mappings.unwrap_or_default();
    mappings.split(',').filter_map(|it| Some(it.split_once(':')?.0.trim().to_owned())).collect()
}

impl Driver {
    /// The network of a port of this host, whoever makes it.
    pub(crate) fn network_of_port(&self, port: &KnownPort) -> Option<NetworkName> {
        let on_ovn = || {
            let record = self.port_record_on_ovn(&port.dev).ok().flatten()?;
            record.network.parse::<Network>().ok()?.name.parse().ok()
        };
        port.network.clone().or_else(on_ovn)
    }
}
