//! One network in the northbound database: what is there, what is wanted, and the transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use vnet_ovn::{Northbound, NorthboundGuests, NorthboundRow, OvnGuest, network_of, northbound_rows, transaction};
use vnet_ovsdb::{Condition, Database, DatabaseOperation as Operation, OperationResult, Refusal, Remote, Row};
use vnet_ovsdb::{TlsFiles, Until};
use vnet_types::{NetworkName, Uuid};
use vnet_xml::Network;
use vnet_xml::network::OvnGateway;

use super::change::{OvnChange, changes};
use super::failure::OvnFailure;
use crate::definitions::uuid_of;
use crate::driver::network_name;
use crate::error::Error;
use crate::findings::sound;

const DATABASE: &str = "OVN_Northbound";
/// How long the hosts may take to do what the database says.
const PATIENCE: Duration = Duration::from_secs(5);

/// A network that OVN makes, by its definition and over its northbound database.
pub struct OvnNetwork {
    pub(crate) network: Network,
    pub(super) name: NetworkName,
    pub(super) uuid: Uuid,
    database: Database,
    /// The group of hosts that the definition names, as it was read.
    groups: BTreeMap<String, Uuid>,
    rows_read: usize,
}

/// What brings a network to its definition. It is refused where another host changes the network
/// before it is carried out.
#[derive(Debug)]
#[non_exhaustive]
pub struct OvnPlan {
    /// The rows that are made, changed and removed.
    pub changes: Vec<OvnChange>,
    /// Whether the network is there already.
    pub is_there: bool,
    pub(super) wanted: BTreeMap<Uuid, NorthboundRow>,
    /// The rows that it is about. `None`: all of the network.
    of: Option<BTreeSet<Uuid>>,
    operations: Vec<Operation>,
}

impl OvnPlan {
    pub(super) fn new(observed: &Northbound, wanted: BTreeMap<Uuid, NorthboundRow>) -> Self {
        let operations = transaction(observed, &wanted);
        let changes = if operations.is_empty() { Vec::new() } else { changes(observed, &wanted) };
        Self { changes, is_there: !observed.rows.is_empty(), wanted, of: None, operations }
    }

    /// The same for some rows of a network.
    pub(super) fn of_some(observed: &Northbound, wanted: BTreeMap<Uuid, NorthboundRow>) -> Self {
        let of = observed.rows.keys().chain(wanted.keys()).copied().collect();
        Self { of: Some(of), ..Self::new(observed, wanted) }
    }

    /// Whether the rows are as it wants them.
    fn is_done(&self, mut observed: Northbound) -> bool {
        observed.rows.retain(|uuid, _| self.of.as_ref().is_none_or(|of| of.contains(uuid)));
        observed.rows == self.wanted
    }

    /// The number of operations of its transaction: it grows with the change, not with the network.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }
}

impl OvnNetwork {
    /// The network of a definition that asks for OVN. No server is asked yet.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`OvnFailure::NotAsked`], [`OvnFailure::Remote`].
    pub fn open(network: &Network) -> Result<Self, Error> {
        sound(vnet_validate::check(network))?;
        let name = network_name(&network.name)?;
        let Some(engine) = &network.extensions.ovn else { return Err(OvnFailure::NotAsked(name).into()) };
        let remotes = Remote::list(&engine.northbound);
        let remotes = remotes.map_err(|source| OvnFailure::Remote { network: name.clone(), source })?;
        // What a server of a cluster has read is decided on.
        let mut database = Database::new(remotes, DATABASE).at_leader();
        if let Some(tls) = &engine.tls {
            database = database.with_tls(TlsFiles::new(&tls.key, &tls.certificate, &tls.ca));
        }
        Ok(Self {
            network: network.clone(),
            uuid: uuid_of(network),
            name,
            database,
            groups: BTreeMap::new(),
            rows_read: 0,
        })
    }

    /// Changes how long the database may take for an answer.
    pub(crate) fn patient_for(mut self, time: Duration) -> Self {
        self.database = self.database.with_time(time);
        self
    }

    /// The server that was asked.
    pub(super) fn northbound(&self) -> String {
        self.database.remote().map(ToString::to_string).unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &NetworkName {
        &self.name
    }

    /// Its UUID: that of its definition, or else one made of its name, the same on every host.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Reads the rows that carry its mark.
    pub(super) fn read(&mut self) -> Result<Northbound, Error> {
        let results = self.read_with_group(Northbound::selects(self.uuid))?;
        let read = Northbound::read(self.uuid, results);
        Ok(read.map_err(|source| OvnFailure::Row { network: self.name.clone(), source })?)
    }

    /// Reads its guests, and no other rows. `None` where it has no switch.
    pub(super) fn read_guests(&mut self) -> Result<Option<NorthboundGuests>, Error> {
        let results = self.read_with_group(NorthboundGuests::selects(self.uuid))?;
        Ok(NorthboundGuests::read(self.uuid, results))
    }

    /// Reads the guests of networks in its database, without those that have no switch.
    pub(super) fn read_guests_of(
        &mut self,
        networks: &BTreeSet<Uuid>,
    ) -> Result<BTreeMap<Uuid, NorthboundGuests>, vnet_ovsdb::Error> {
        let selects: Vec<_> = networks.iter().map(|network| NorthboundGuests::selects(*network)).collect();
        let mut results = self.database.transact(&selects.concat())?.into_iter();
        let mut read = |network: Uuid, selects: Vec<Operation>| {
            NorthboundGuests::read(network, results.by_ref().take(selects.len()).collect()).map(|it| (network, it))
        };
        Ok(networks.iter().zip(selects).filter_map(|(network, selects)| read(*network, selects)).collect())
    }

    /// Whether another network is in the same database.
    pub(super) fn has_database_of(&self, other: &Self) -> bool {
        let [own, its] = [self, other].map(|it| it.network.extensions.ovn.as_ref().map(|it| (&it.northbound, &it.tls)));
        own == its
    }

    /// Reads these, and keeps the group of hosts that the definition names.
    fn read_with_group(&mut self, mut selects: Vec<Operation>) -> Result<Vec<OperationResult>, Error> {
        let own = selects.len();
        selects.extend(self.select_group());
        let mut results = self.transact("read", &selects)?;
        self.groups = results.split_off(own).into_iter().flat_map(OperationResult::rows).filter_map(group).collect();
        Ok(results)
    }

    /// How many rows of the database were read for it since it was opened.
    pub fn rows_read(&self) -> usize {
        self.rows_read
    }

    /// What reads the group of hosts that the definition names.
    fn select_group(&self) -> Option<Operation> {
        let outside = self.network.extensions.ovn.as_ref()?.outside.as_ref()?;
        let group = outside.gateways.iter().find_map(OvnGateway::as_group)?;
        let named = [Condition::equal("name", group)];
        Some(Operation::select("HA_Chassis_Group", named, &["_uuid", "name", "ha_chassis"]))
    }

    /// The rows of its definition with these guests.
    pub(super) fn rows(&self, guests: &[OvnGuest]) -> Result<BTreeMap<Uuid, NorthboundRow>, Error> {
        let rows = northbound_rows(&self.network, self.uuid, guests, &self.groups);
        Ok(rows.map_err(|source| OvnFailure::Rows { network: self.name.clone(), source })?)
    }

    /// What leads from guests that were read to others: the rows that differ, as they are and as
    /// they are wanted.
    pub(super) fn guests_change(
        &self,
        there: &NorthboundGuests,
        guests: &[OvnGuest],
    ) -> Result<(Northbound, BTreeMap<Uuid, NorthboundRow>), Error> {
        let change = there.change(&self.network, guests, &self.groups);
        Ok(change.map_err(|source| OvnFailure::Rows { network: self.name.clone(), source })?)
    }

    /// What brings the network to its definition, with the guests that are attached anywhere.
    ///
    /// # Errors
    /// [`Error::Ovn`]; [`Error::NameTaken`].
    pub fn plan(&mut self) -> Result<OvnPlan, Error> {
        self.plan_with(|| Ok(Vec::new()))
    }

    /// The same, also with the guests that are attached to this host and have lost their rows.
    pub(super) fn plan_with(&mut self, here: impl FnOnce() -> Result<Vec<OvnGuest>, Error>) -> Result<OvnPlan, Error> {
        let observed = self.read()?;
        let wanted = self.rows(&self.with_lost(observed.guests(), here()?))?;
        if observed.rows.is_empty() {
            self.is_free()?;
        }
        Ok(OvnPlan::new(&observed, wanted))
    }

    /// What removes the network.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Ovn`].
    pub fn removal(&mut self) -> Result<OvnPlan, Error> {
        let observed = self.read()?;
        if observed.rows.is_empty() {
            return Err(Error::NotRunning(self.name.clone()));
        }
        Ok(OvnPlan::new(&observed, BTreeMap::new()))
    }

    /// Carries a plan out: all of it, or nothing. Returns the number by which
    /// [`is_in_force`](Self::is_in_force) knows when hosts have done it; `None` where nothing was
    /// to be done.
    ///
    /// # Errors
    /// [`OvnFailure::ChangedMeanwhile`]; [`OvnFailure::Database`].
    pub fn carry_out(&mut self, plan: &OvnPlan) -> Result<Option<i64>, Error> {
        if plan.operations.is_empty() {
            return Ok(None);
        }
        let results = match self.database.transact(&plan.operations) {
            // The answer was lost: whether it is done is seen in the rows.
            Err(vnet_ovsdb::Error::Ended { .. }) if plan.is_done(self.read()?) => return Ok(None),
            Err(error) => return Err(self.refused(error).into()),
            Ok(results) => results,
        };
        let asked = results.into_iter().next_back().map(OperationResult::rows).unwrap_or_default();
        Ok(asked.first().and_then(|row| row.integer("nb_cfg")))
    }

    fn refused(&self, error: vnet_ovsdb::Error) -> OvnFailure {
        match error.refusal() {
            Some(Refusal::NotAsExpected | Refusal::DuplicateUuid) => OvnFailure::ChangedMeanwhile(self.name.clone()),
            _ => self.failed("change", error),
        }
    }

    fn failed(&self, act: &str, source: vnet_ovsdb::Error) -> OvnFailure {
        OvnFailure::Database { what: format!("cannot {act} network `{}` on OVN", self.name), source: Box::new(source) }
    }

    pub(super) fn transact(&mut self, act: &str, operations: &[Operation]) -> Result<Vec<OperationResult>, Error> {
        let results = self.database.transact(operations).map_err(|source| self.failed(act, source))?;
        let rows = |result: &OperationResult| if let OperationResult::Rows(rows) = result { rows.len() } else { 0 };
        self.rows_read += results.iter().map(rows).sum::<usize>();
        Ok(results)
    }

    /// Whether every host has done what the database says with this number, which may take five
    /// seconds.
    ///
    /// # Errors
    /// [`OvnFailure::Database`].
    pub fn is_in_force(&mut self, number: i64) -> Result<bool, Error> {
        let deadline = Instant::now() + PATIENCE;
        let look = Operation::select("NB_Global", [], &["hv_cfg"]);
        let mut operations = vec![look.clone()];
        loop {
            let results = match self.database.transact(&operations) {
                Err(error) if error.refusal() == Some(&Refusal::NotAsExpected) => return Ok(false),
                results => results.map_err(|source| self.failed("wait for", source))?,
            };
            let rows = results.into_iter().next_back().map(OperationResult::rows).unwrap_or_default();
            let done = rows.first().and_then(|row| row.integer("hv_cfg")).unwrap_or_default();
            if done >= number {
                return Ok(true);
            }
            let wait = Operation::Wait {
                table: "NB_Global".to_owned(),
                conditions: Vec::new(),
                columns: vec!["hv_cfg".to_owned()],
                until: Until::NotEqual,
                rows: vec![Row::new().with("hv_cfg", done)],
                time: deadline.saturating_duration_since(Instant::now()),
            };
            operations = vec![wait, look.clone()];
        }
    }

    /// Refuses a name that another network on this OVN has.
    fn is_free(&mut self) -> Result<(), Error> {
        let named = [Condition::equal("name", self.name.as_str())];
        let select = Operation::select("Logical_Switch", named, &["external_ids"]);
        let found = self.transact("read", &[select])?.into_iter().flat_map(OperationResult::rows);
        let other = found.filter_map(|row| network_of(&row)).find(|it| *it != self.uuid);
        match other {
            Some(uuid) => Err(Error::NameTaken { name: self.name.clone(), uuid }),
            None => Ok(()),
        }
    }
}

/// A group of hosts, if it has some.
fn group(row: Row) -> Option<(String, Uuid)> {
    let has_hosts = !row.uuids("ha_chassis").is_empty();
    has_hosts.then(|| Some((row.text("name")?.to_owned(), row.uuid()?))).flatten()
}
