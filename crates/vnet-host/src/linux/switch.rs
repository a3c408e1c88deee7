//! Ports of Open vSwitch, as rows of its database (ovs-vswitchd.conf.db(5)). The rows of an
//! interface are those that libvirt writes.

mod found;
mod operations;

use std::sync::Arc;
use std::time::{Duration, Instant};

use vnet_ovsdb::{
    Condition, Database, DatabaseOperation as Operation, Error as DatabaseError, OperationResult, Refusal, Remote, Row,
    Until,
};
use vnet_plan::SwitchPort;
use vnet_types::{InterfaceName, KnownSwitch};

pub(super) use self::found::SwitchRows;
use self::found::{Found, mark};
use self::operations::{change, creation, removal};
use super::switch_socket::switch_socket;
use super::{Kind, LinuxHost};
use crate::{Error, Fact, Lock, Namespace};

const DATABASE: &str = "Open_vSwitch";
/// How long Open vSwitch may take for what it was told, which is libvirt's limit.
const PATIENCE: Duration = Duration::from_secs(5);
/// The key of a port's `external_ids` that marks it as vnet's, with the network namespace.
const MARK: &str = "vnet-namespace";

fn database() -> Database {
    Database::new([Remote::Unix(switch_socket())], DATABASE).of_one_server().with_time(PATIENCE)
}

/// Asks Open vSwitch for its bridges.
pub fn known_switch() -> KnownSwitch {
    let known = |row: &Row| {
        let datapath = row.text("datapath_type").unwrap_or_default();
        Some((row.text("name")?.to_owned(), datapath.to_owned()))
    };
    match database().select("Bridge", [], &["name", "datapath_type"]) {
        Ok(rows) => KnownSwitch::Bridges(rows.iter().filter_map(known).collect()),
        Err(error) => {
            let why = [Some(error.to_string()), error.help()];
            KnownSwitch::Unusable(why.into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
    }
}

impl LinuxHost {
    fn switch<T>(&self, action: &str, ask: impl FnOnce(&mut Database) -> Result<T, DatabaseError>) -> Result<T, Error> {
        let mut known = self.switch.borrow_mut();
        ask(known.get_or_insert_with(database)).map_err(|error| refused(action, error))
    }

    fn all_switch_rows(&self) -> Result<SwitchRows, DatabaseError> {
        SwitchRows::read(self.switch.borrow_mut().get_or_insert_with(database), None)
    }

    /// The ports of Open vSwitch that vnet made for links that are gone: those of this network
    /// namespace, and those from before the host booted. Empty where Open vSwitch is not there.
    ///
    /// # Errors
    /// [`Error::Switch`] where it cannot be asked; [`Error::Netlink`].
    pub fn stale_switch_ports(&self) -> Result<Vec<InterfaceName>, Error> {
        if !switch_socket().exists() {
            return Ok(Vec::new());
        }
        let rows = self.switch("tell its ports", |database| database.select("Port", [], &["name", "external_ids"]))?;
        let here = Namespace::this()?;
        let mut stale = Vec::new();
        for row in &rows {
            let (Some(of), Some(Ok(name))) = (mark(row), row.text("name").map(str::parse::<InterfaceName>)) else {
                continue;
            };
            if of.is_of_an_earlier_boot(&here) || of.is(&here) && self.netlink.link(&name)?.is_none() {
                stale.push(name);
            }
        }
        Ok(stale)
    }

    /// Removes a port that is among the [stale](Self::stale_switch_ports) ones, with its limits.
    ///
    /// # Errors
    /// [`Error::Switch`].
    pub fn remove_stale_switch_port(&self, _: &Lock, port: &InterfaceName) -> Result<(), Error> {
        self.switch(&format!("remove the port {port}"), |database| {
            let Some(found) = Found::read(database, port)? else { return Ok(()) };
            database.transact(&found.removal(port)).map(drop)
        })
    }
}

impl Kind for SwitchPort {
    /// A port that vnet made before the host booted is gone: its link is.
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        const ACTION: &str = "tell its ports";
        let here = Namespace::this()?;
        let found = match &host.seen {
            // Those who look at many ports ask once.
            Some(seen) => match seen.switch.get_or_init(|| host.all_switch_rows().map_err(Arc::new)) {
                Ok(rows) => Ok(rows.of(&self.link)),
                Err(error) => Err(Error::Switch { action: ACTION.to_owned(), source: Box::new(error.clone()) }),
            },
            None => host.switch(ACTION, |database| Found::read(database, &self.link)),
        };
        let found = found.map(|found| {
            let found = found.filter(|found| !found.is_of_an_earlier_boot(&here));
            found.map(|found| found.as_port(self))
        });
        host.found_or(self, found)
    }

    fn create(&self, host: &LinuxHost) -> Result<Option<Fact>, Error> {
        let action = format!("make {} a port of {}", self.link, self.bridge);
        let here = Namespace::this()?;
        let operations = creation(self, &as_mark(&here));
        let begun = host.switch(&action, |database| match database.transact(&operations) {
            Err(error) if is_refused_at(&error, 1) => match Found::read(database, &self.link)? {
                Some(found) if found.is_of_an_earlier_boot(&here) => {
                    database.transact(&found.removal(&self.link))?;
                    database.transact(&operations)
                }
                _ => Err(error),
            },
            begun => begun,
        });
        let results = match begun {
            Err(Error::Switch { source, .. }) if is_refused_at(&*source, 0) => {
                return Err(Error::NoSwitchBridge { bridge: self.bridge.clone() });
            }
            result => result?,
        };
        if let Err(error) = self.settle(host, &action, &results) {
            // The first error is the one to report.
            let _ = self.delete(host, None);
            return Err(error);
        }
        Ok(None)
    }

    /// Changes what differs, in one transaction. A port of another bridge is made anew in it.
    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        let action = format!("change the port {}", to.link);
        let mark = as_mark(&Namespace::this()?);
        let results = host.switch(&action, |database| {
            let found = Found::read(database, &to.link)?;
            let port = found.as_ref().and_then(|found| found.port.uuid());
            let guest = self.guest_id.to_string();
            let operations = match &found {
                Some(found) if found.bridge.as_deref() == Some(to.bridge.as_str()) => change(self, to),
                _ => {
                    let mut operations = removal(&to.link, port, &guest);
                    operations
                        .extend(creation(to, &mark).into_iter().filter(|it| !matches!(it, Operation::Wait { .. })));
                    operations
                }
            };
            database.transact(&operations)
        })?;
        to.settle(host, &action, &results)?;
        Ok(None)
    }

    /// Removes the port, unless somebody else has made another one of this name.
    fn delete(&self, host: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        host.switch(&format!("remove the port {}", self.link), |database| {
            let port = match Found::read(database, &self.link)? {
                Some(found) => {
                    let interface = found.interface.texts("external_ids");
                    if interface.get("iface-id").and_then(|id| id.parse().ok()) != Some(self.interface_id) {
                        return Ok(());
                    }
                    found.port.uuid()
                }
                // Its limits stay when others have removed it.
                None if self.shaper.is_some() => None,
                None => return Ok(()),
            };
            database.transact(&removal(&self.link, port, &self.guest_id.to_string())).map(drop)
        })
    }
}

trait Settles {
    fn settle(&self, host: &LinuxHost, action: &str, results: &[OperationResult]) -> Result<(), Error>;
}

impl Settles for SwitchPort {
    /// Waits until Open vSwitch has done what the database says, and looks whether it could.
    fn settle(&self, host: &LinuxHost, action: &str, results: &[OperationResult]) -> Result<(), Error> {
        let asked = results.last().cloned().map(OperationResult::rows).unwrap_or_default();
        let number = |rows: &[Row], column| rows.first().and_then(|row| row.integer(column)).unwrap_or_default();
        let (wanted, mut done) = (number(&asked, "next_cfg"), number(&asked, "cur_cfg"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let time = deadline.saturating_duration_since(Instant::now());
            let named = [Condition::equal("name", self.link.as_str())];
            let mut operations = vec![
                Operation::select("Open_vSwitch", [], &["cur_cfg"]),
                Operation::select("Interface", named, &["ofport", "error"]),
            ];
            if done < wanted {
                let (columns, rows) = (vec!["cur_cfg".to_owned()], vec![Row::new().with("cur_cfg", done)]);
                let table = "Open_vSwitch".to_owned();
                let wait =
                    Operation::Wait { table, conditions: Vec::new(), columns, until: Until::NotEqual, rows, time };
                operations.insert(0, wait);
            }
            let answer = host.switch(action, |database| database.transact(&operations));
            let mut answer = match answer {
                Err(Error::Switch { source, .. }) if is_refused_at(&*source, 0) => {
                    return Err(Error::SwitchHangs { action: action.to_owned(), seconds: PATIENCE.as_secs() });
                }
                answer => answer?,
            };
            let interface = answer.pop().map(OperationResult::rows).unwrap_or_default();
            done = number(&answer.pop().map(OperationResult::rows).unwrap_or_default(), "cur_cfg");
            if done < wanted {
                continue;
            }
            let Some(interface) = interface.first() else { return Ok(()) };
            let refused = interface.text("error").filter(|error| !error.is_empty());
            return match (refused, interface.integer("ofport")) {
                (None, Some(1..)) => Ok(()),
                (why, _) => {
                    let why = why.unwrap_or("it gives no reason; see its log, ovs-vswitchd.log").to_owned();
                    Err(Error::SwitchRefuses { link: self.link.clone(), why })
                }
            };
        }
    }
}

/// Whether a transaction was refused because its operation at this place is not as expected.
fn is_refused_at(error: &(dyn std::error::Error + Send + Sync + 'static), at: usize) -> bool {
    matches!(
        error.downcast_ref::<DatabaseError>(),
        Some(DatabaseError::Refused { operation: Some(operation), refusal: Refusal::NotAsExpected, .. })
            if *operation == at
    )
}

fn as_mark(namespace: &Namespace) -> String {
    serde_json::to_string(namespace).unwrap_or_default()
}

fn refused(action: &str, error: DatabaseError) -> Error {
    Error::Switch { action: action.to_owned(), source: Box::new(error) }
}
