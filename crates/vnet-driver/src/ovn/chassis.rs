//! This host as a chassis of OVN: what its Open vSwitch says (ovn-controller(8)).

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use vnet_host::switch_socket;
use vnet_ovsdb::{Condition, Database, DatabaseOperation as Operation, Datum, Error, OperationResult, Refusal, Remote};
use vnet_ovsdb::{Row, TlsFiles, Until};
use vnet_types::{InterfaceName, Uuid};

use super::controller::Controller;
use super::failure::OvnFailure;

/// How long OVN may take to connect a port.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the southbound database may take for what is only told to people.
const GLANCE: Duration = Duration::from_secs(2);
/// How long BFD may take to begin, and the pause between two looks at it.
const HANDSHAKE: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(100);
/// The bridge of guests, unless `external_ids:ovn-bridge` says otherwise.
const BRIDGE: &str = "br-int";

/// This host as OVN knows it.
pub(crate) struct Chassis {
    database: Database,
    /// `system-id`
    pub(crate) name: String,
    /// The bridge that guests are ports of.
    pub(super) bridge: String,
    southbound: String,
    /// What ovn-controller proves itself by, too.
    tls: Option<TlsFiles>,
}

impl Chassis {
    /// Asks this host's Open vSwitch.
    pub(crate) fn here() -> Result<Self, OvnFailure> {
        let mut database = Database::new([Remote::Unix(switch_socket())], "Open_vSwitch").of_one_server();
        let own = Operation::select("Open_vSwitch", [], &["external_ids"]);
        let ssl = Operation::select("SSL", [], &["private_key", "certificate", "ca_cert"]);
        let mut results = database.transact(&[own, ssl]).map_err(failed)?.into_iter().map(OperationResult::rows);
        let rows = results.next().unwrap_or_default();
        let tls = results.next().unwrap_or_default().first().and_then(|row| {
            Some(TlsFiles::new(row.text("private_key")?, row.text("certificate")?, row.text("ca_cert")?))
        });
        let ids = rows.first().map(|row| row.texts("external_ids")).unwrap_or_default();
        let id = |key: &'static str| ids.get(key).map(|it| (*it).to_owned()).ok_or(OvnFailure::NoChassis(key));
        let (name, southbound) = (id("system-id")?, id("ovn-remote")?);
        for needed in ["ovn-encap-type", "ovn-encap-ip"] {
            id(needed)?;
        }
        let bridge = (*ids.get("ovn-bridge").unwrap_or(&BRIDGE)).to_owned();
        Ok(Self { database, name, bridge, southbound, tls })
    }

    /// Waits until OVN has connected a port of this host, with all that follows from it.
    pub(super) fn wait_for(&mut self, dev: &InterfaceName, port: Uuid) -> Result<(), OvnFailure> {
        match self.is_connected(dev, port, PATIENCE)? {
            true => Ok(()),
            false => {
                let why = self.why_not(port);
                Err(OvnFailure::NotUp { dev: dev.clone(), seconds: PATIENCE.as_secs(), why })
            }
        }
    }

    /// Whether OVN has connected a port of this host, within a time.
    pub(crate) fn is_connected(&mut self, dev: &InterfaceName, port: Uuid, time: Duration) -> Result<bool, OvnFailure> {
        let installed = Datum::map([("ovn-installed", "true"), ("iface-id", &port.to_string())]);
        let is_up = Operation::Wait {
            table: "Interface".to_owned(),
            conditions: vec![Condition::equal("name", dev.as_str()), Condition::includes("external_ids", installed)],
            columns: vec!["name".to_owned()],
            until: Until::Equal,
            rows: vec![Row::new().with("name", dev.as_str())],
            time,
        };
        match self.database.transact(&[is_up]) {
            Ok(_) => Ok(true),
            Err(error) if error.refusal() == Some(&Refusal::NotAsExpected) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The ids of all ports of this host's Open vSwitch.
    pub(super) fn ports(&mut self) -> Result<Vec<Uuid>, OvnFailure> {
        let rows = self.database.select("Interface", [], &["external_ids"]).map_err(failed)?;
        Ok(rows.iter().filter_map(|row| row.texts("external_ids").get("iface-id")?.parse().ok()).collect())
    }

    /// Whether another host does not answer this one by BFD, which OVN has the hosts of a network
    /// do that has several hosts for its gateway. It takes some seconds to begin.
    pub(super) fn is_without_answer(&mut self, host: &str) -> bool {
        let deadline = Instant::now() + HANDSHAKE;
        while self.asks_in_vain(host).unwrap_or(false) {
            if Instant::now() > deadline {
                return true;
            }
            thread::sleep(PAUSE);
        }
        false
    }

    fn asks_in_vain(&mut self, host: &str) -> Result<bool, Error> {
        let results = self.database.transact(&[
            Operation::select("Port", [], &["external_ids", "interfaces"]),
            Operation::select("Interface", [], &["_uuid", "bfd_status"]),
        ])?;
        let mut results = results.into_iter().map(OperationResult::rows);
        let (ports, interfaces) = (results.next().unwrap_or_default(), results.next().unwrap_or_default());
        // `HOST@ADDRESS` of the tunnel's other end.
        let is_to = |port: &&Row| {
            let end = port.texts("external_ids").get("ovn-chassis-id").and_then(|id| id.rsplit_once('@'));
            end.is_some_and(|(name, _)| name == host)
        };
        let tunnels: BTreeSet<_> = ports.iter().filter(is_to).flat_map(|port| port.uuids("interfaces")).collect();
        let mut tunnels = interfaces.iter().filter(|row| row.uuid().is_some_and(|uuid| tunnels.contains(&uuid)));
        Ok(tunnels.any(|tunnel| tunnel.texts("bfd_status").get("forwarding") == Some(&"false")))
    }

    /// Why OVN cannot connect ports of this host now. `None` where nothing is seen to be missing.
    pub(crate) fn trouble(&self) -> Option<String> {
        let Self { name, southbound, .. } = self;
        match Controller::ask() {
            Controller::Follows => None,
            Controller::Alone => Some(format!(
                "ovn-controller of this host is not connected to the southbound database at {southbound}; see its log"
            )),
            Controller::Ended => Some("ovn-controller of this host does not run".to_owned()),
            Controller::Unseen => match self.ask(Uuid([0; 16])) {
                Err(why) => Some(unasked(&why)),
                Ok((None, _)) => Some(no_chassis(name, southbound)),
                Ok(_) => None,
            },
        }
    }

    /// Why a port is not connected, as the southbound database tells.
    fn why_not(&self, port: Uuid) -> String {
        let Self { name, southbound, .. } = self;
        match self.ask(port) {
            Err(why) => unasked(&why),
            Ok((None, _)) => no_chassis(name, southbound),
            Ok((_, None)) => "ovn-northd has not taken the port over; see that it runs, and its log".to_owned(),
            Ok((Some(own), Some(Some(bound)))) if own != bound => {
                "another host has connected it; detach the guest there".to_owned()
            }
            Ok(_) => "ovn-controller of this host has not connected it yet; see its log".to_owned(),
        }
    }

    /// The southbound database, as this host's ovn-controller reaches it.
    pub(super) fn southbound(&self) -> Result<Database, String> {
        let remotes = Remote::list(&self.southbound).map_err(|error| error.to_string())?;
        let database = Database::new(remotes, "OVN_Southbound").with_time(GLANCE);
        Ok(match &self.tls {
            Some(tls) => database.with_tls(tls.clone()),
            None => database,
        })
    }

    /// The chassis of this host, and whether the port is known there and to which chassis it is
    /// bound.
    #[allow(clippy::type_complexity, reason = "for one caller")]
    fn ask(&self, port: Uuid) -> Result<(Option<Uuid>, Option<Option<Uuid>>), String> {
        let mut database = self.southbound()?;
        let results = database.transact(&[
            Operation::select("Chassis", [Condition::equal("name", self.name.as_str())], &["_uuid"]),
            Operation::select("Port_Binding", [Condition::equal("logical_port", port.to_string())], &["chassis"]),
        ]);
        let mut results = results.map_err(|error| error.to_string())?.into_iter().map(OperationResult::rows);
        let mut first = || results.next().unwrap_or_default().into_iter().next();
        let own = first().and_then(|row| row.uuid());
        Ok((own, first().map(|row| row.uuids("chassis").first().copied())))
    }
}

fn unasked(why: &str) -> String {
    format!("the southbound database cannot be asked from here ({why}); see `external_ids:ovn-remote`")
}

fn no_chassis(name: &str, southbound: &str) -> String {
    format!(
        "ovn-controller has not made this host a chassis `{name}` at {southbound}; see that it runs, its log, and that \
         no other host has this `system-id` or `ovn-encap-ip`"
    )
}

fn failed(source: Error) -> OvnFailure {
    OvnFailure::Database { what: "cannot ask Open vSwitch of this host".to_owned(), source: Box::new(source) }
}
