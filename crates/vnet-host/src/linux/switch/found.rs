//! What Open vSwitch has of ports.

use std::collections::BTreeMap;

use vnet_ovsdb::{
    Condition, Database, DatabaseOperation as Operation, Datum, Error as DatabaseError, OperationResult, Row, Uuid,
};
use vnet_plan::{SwitchPolicer, SwitchPort, SwitchShaper, SwitchVlans};
use vnet_types::{InterfaceName, MacAddr};

use super::MARK;
use super::operations::removal;
use crate::Namespace;

/// The columns of a port that vnet decides.
const PORT: [&str; 7] = ["_uuid", "name", "tag", "trunks", "vlan_mode", "qos", "external_ids"];
const INTERFACE: [&str; 4] = ["name", "external_ids", "ingress_policing_rate", "ingress_policing_burst"];

/// The rows of one port, or of all.
pub(in crate::linux) struct SwitchRows {
    /// By name.
    ports: BTreeMap<String, Row>,
    interfaces: BTreeMap<String, Row>,
    /// The names of bridges, by their ports.
    bridges: BTreeMap<Uuid, String>,
    shapers: BTreeMap<Uuid, Row>,
    /// By the port's name.
    queues: BTreeMap<String, Row>,
}

impl SwitchRows {
    /// Reads the rows of one port, or of all, in one transaction.
    pub(super) fn read(database: &mut Database, link: Option<&InterfaceName>) -> Result<Self, DatabaseError> {
        let named: Vec<_> = link.map(|link| Condition::equal("name", link.as_str())).into_iter().collect();
        let of = |link: &InterfaceName| Condition::includes("external_ids", Datum::map([("ifname", link.as_str())]));
        let ids: Vec<_> = link.map(of).into_iter().collect();
        let results = database.transact(&[
            Operation::select("Port", named.clone(), &PORT),
            Operation::select("Interface", named, &INTERFACE),
            Operation::select("Bridge", [], &["name", "ports"]),
            Operation::select("QoS", ids.clone(), &["_uuid", "other_config"]),
            Operation::select("Queue", ids, &["other_config", "external_ids"]),
        ])?;
        let mut rows = results.into_iter().map(OperationResult::rows);
        let mut next = || rows.next().unwrap_or_default();
        let (ports, interfaces, bridges, shapers, queues) = (next(), next(), next(), next(), next());
        let name = |row: &Row| row.text("name").map(str::to_owned);
        let with_ports = bridges.iter().filter_map(|bridge| Some((name(bridge)?, bridge.uuids("ports"))));
        let mut of_ports = BTreeMap::new();
        for queue in queues {
            if let Some(port) = queue.texts("external_ids").get("ifname").map(|name| (*name).to_owned()) {
                of_ports.entry(port).or_insert(queue);
            }
        }
        Ok(Self {
            bridges: with_ports
                .flat_map(|(name, ports)| ports.into_iter().map(move |port| (port, name.clone())))
                .collect(),
            ports: ports.into_iter().filter_map(|row| Some((name(&row)?, row))).collect(),
            interfaces: interfaces.into_iter().filter_map(|row| Some((name(&row)?, row))).collect(),
            shapers: shapers.into_iter().filter_map(|row| Some((row.uuid()?, row))).collect(),
            queues: of_ports,
        })
    }

    /// Those of a port, if Open vSwitch has it.
    pub(super) fn of(&self, link: &InterfaceName) -> Option<Found> {
        let port = self.ports.get(link.as_str())?.clone();
        let qos = port.uuids("qos").first().copied();
        Some(Found {
            bridge: port.uuid().and_then(|uuid| self.bridges.get(&uuid).cloned()),
            interface: self.interfaces.get(link.as_str()).cloned().unwrap_or_default(),
            qos: qos.and_then(|qos| self.shapers.get(&qos).cloned()),
            queue: self.queues.get(link.as_str()).cloned(),
            port,
        })
    }
}

/// The rows of a port.
pub(super) struct Found {
    pub(super) bridge: Option<String>,
    pub(super) port: Row,
    pub(super) interface: Row,
    qos: Option<Row>,
    queue: Option<Row>,
}

impl Found {
    pub(super) fn read(database: &mut Database, link: &InterfaceName) -> Result<Option<Self>, DatabaseError> {
        Ok(SwitchRows::read(database, Some(link))?.of(link))
    }

    pub(super) fn is_of_an_earlier_boot(&self, here: &Namespace) -> bool {
        mark(&self.port).is_some_and(|of| of.is_of_an_earlier_boot(here))
    }

    pub(super) fn removal(&self, link: &InterfaceName) -> Vec<Operation> {
        let interface = self.interface.texts("external_ids");
        removal(link, self.port.uuid(), interface.get("vm-id").copied().unwrap_or_default())
    }

    /// The port as it is. What cannot be read of it is different from what is expected.
    pub(super) fn as_port(&self, expected: &SwitchPort) -> SwitchPort {
        let texts = self.interface.texts("external_ids");
        let id = |key: &str| texts.get(key).and_then(|text| text.parse().ok()).unwrap_or(Uuid([0; 16]));
        let is_active = texts.get("iface-status") == Some(&"active");
        let mut trunks: Vec<u16> =
            self.port.integers("trunks").into_iter().filter_map(|it| it.try_into().ok()).collect();
        trunks.sort_unstable();
        let limits = [&self.qos, &self.queue].map(|row| row.as_ref().map(shaper));
        let shaper = limits.into_iter().find(|limit| *limit != expected.shaper).unwrap_or(expected.shaper);
        let number = |column| self.interface.integer(column).and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
        let (rate, burst) = (number("ingress_policing_rate"), number("ingress_policing_burst"));
        SwitchPort {
            link: expected.link.clone(),
            bridge: self.bridge.as_ref().and_then(|name| name.parse().ok()).unwrap_or_else(|| expected.link.clone()),
            mac: texts.get("attached-mac").and_then(|mac| mac.parse().ok()).unwrap_or(MacAddr([0; 6])),
            interface_id: id("iface-id"),
            guest_id: if is_active { id("vm-id") } else { Uuid([0; 16]) },
            profile: texts.get("port-profile").map(|profile| (*profile).to_owned()),
            vlans: SwitchVlans {
                tag: self.port.integer("tag").and_then(|tag| tag.try_into().ok()),
                trunks,
                mode: self.port.text("vlan_mode").map(str::to_owned),
            },
            shaper,
            policer: (rate != 0 || burst != 0).then_some(SwitchPolicer { rate, burst }),
        }
    }
}

fn shaper(row: &Row) -> SwitchShaper {
    let texts = row.texts("other_config");
    let number = |key: &str| texts.get(key).and_then(|text| text.parse().ok());
    SwitchShaper {
        min_rate: number("min-rate").unwrap_or_default(),
        max_rate: number("max-rate"),
        burst: number("burst"),
    }
}

/// The network namespace that a port of vnet's was made in.
pub(super) fn mark(port: &Row) -> Option<Namespace> {
    serde_json::from_str(port.texts("external_ids").get(MARK)?).ok()
}
