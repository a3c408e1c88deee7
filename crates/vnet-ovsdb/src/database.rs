//! A database, over whichever of its servers can be used.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::monitor::{self, RowUpdate, TableMonitor};
use crate::operation::{NoResults, results};
use crate::session::Session;
use crate::tls;
use crate::{Condition, DatabaseOperation, Error, OperationResult, Remote, Row, TlsFiles, Unusable};

/// The database in which each server tells of its databases.
const SERVER: &str = "_Server";
/// The beginning of what a server answers that does not have the database.
const UNKNOWN: &str = "unknown database";
/// How long a call may take, unless the caller says otherwise.
const TIME: Duration = Duration::from_secs(5);
/// The pause before all servers are tried again while a cluster elects its leader.
const PAUSE: Duration = Duration::from_millis(50);

/// A database of one server or of a cluster.
///
/// The servers are tried in the order given. A connection that ends is replaced at the next call,
/// and a call that only reads is made again by itself.
pub struct Database {
    name: String,
    remotes: Vec<Remote>,
    time: Duration,
    leader_only: bool,
    /// Whether a server is asked for its state before it is used.
    asks_state: bool,
    files: Option<TlsFiles>,
    session: Option<Session>,
    /// Whether a connection with monitors has ended, and the caller was not told yet.
    has_lost_monitors: bool,
}

impl Database {
    /// Connects to the first server that can be used. In a cluster that is one with a majority; the
    /// leader where [`at_leader`](Self::at_leader) was asked for.
    ///
    /// # Errors
    /// [`Error::NoServer`] with the reason for each server.
    pub fn open(remotes: impl Into<Vec<Remote>>, name: &str) -> Result<Self, Error> {
        let mut database = Self::new(remotes, name);
        database.connect(Instant::now() + database.time)?;
        Ok(database)
    }

    /// Names a database, and connects at the first call.
    pub fn new(remotes: impl Into<Vec<Remote>>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            remotes: remotes.into(),
            time: TIME,
            leader_only: false,
            asks_state: true,
            files: None,
            session: None,
            has_lost_monitors: false,
        }
    }

    /// Changes how long a call may take, which is five seconds by default. A `wait` adds its own
    /// time.
    #[must_use]
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// From now on, uses the leader of the cluster only: for those who decide by what they read.
    /// Another server may still have the state of a moment ago.
    #[must_use]
    pub fn at_leader(mut self) -> Self {
        self.leader_only = true;
        self
    }

    /// From now on, does not ask a server whether it has the database and is of use, which saves a
    /// request: for a database that is never clustered, as that of Open vSwitch.
    #[must_use]
    pub fn of_one_server(mut self) -> Self {
        self.asks_state = false;
        self
    }

    /// Names the files of connections over TLS, which addresses with `ssl:` take.
    #[must_use]
    pub fn with_tls(mut self, files: TlsFiles) -> Self {
        self.files = Some(files);
        self
    }

    /// The server that is in use, if one is.
    pub fn remote(&self) -> Option<&Remote> {
        self.session.as_ref().map(|session| &session.remote)
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// [`Error::Refused`] when nothing is done; [`Error::Ended`] and [`Error::TimedOut`] when
    /// whether it is done is not known.
    pub fn transact(&mut self, operations: &[DatabaseOperation]) -> Result<Vec<OperationResult>, Error> {
        let mut params = vec![Value::from(self.name.as_str())];
        params.extend(operations.iter().map(DatabaseOperation::to_json));
        let waits = operations.iter().map(DatabaseOperation::time).fold(Duration::ZERO, Duration::saturating_add);
        let again = operations.iter().all(DatabaseOperation::only_reads);
        let reply = self.call("transact", params.into(), waits, again)?;
        match results(operations, &reply) {
            Ok(results) => Ok(results),
            Err(NoResults::Refused(error)) => Err(error),
            Err(NoResults::Malformed(error)) => Err(self.protocol(&error.to_string())),
        }
    }

    /// Reads rows of one table.
    ///
    /// # Errors
    /// Those of [`transact`](Self::transact).
    pub fn select(
        &mut self,
        table: &str,
        conditions: impl Into<Vec<Condition>>,
        columns: &[&str],
    ) -> Result<Vec<Row>, Error> {
        let results = self.transact(&[DatabaseOperation::select(table, conditions, columns)])?;
        Ok(results.into_iter().flat_map(OperationResult::rows).collect())
    }

    /// Asks for a lock. Returns whether it is ours; where it is not, the server keeps the request.
    /// It is lost with the connection, so an [`Assert`](DatabaseOperation::Assert) belongs into
    /// each transaction that needs it.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Ended`], [`Error::Call`].
    pub fn lock(&mut self, lock: &str) -> Result<bool, Error> {
        let reply = self.call("lock", json!([lock]), Duration::ZERO, false)?;
        match reply.get("locked").and_then(Value::as_bool) {
            Some(locked) => Ok(locked),
            None => Err(self.protocol("its answer to `lock` has no `locked`")),
        }
    }

    /// Watches rows, and returns those that there are. [`updates`](Self::updates) tells what
    /// happens to them. The changes of an own transaction are there when its results are.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::Ended`], [`Error::Call`].
    pub fn monitor(&mut self, tables: &[TableMonitor]) -> Result<Vec<RowUpdate>, Error> {
        let method = if monitor::has_conditions(tables) { "monitor_cond" } else { "monitor" };
        let number = self.session.as_ref().map_or(0, |session| session.monitors);
        let params = json!([self.name, number, monitor::requests(tables)]);
        let reply = self.call(method, params, Duration::ZERO, true)?;
        let Some(session) = &mut self.session else { return Err(Error::MonitorsLost) };
        session.monitors += 1;
        monitor::updates(&reply).map_err(Error::value(&session.remote))
    }

    /// What happened to watched rows. Waits at most for `time`; empty where nothing happened.
    ///
    /// # Errors
    /// [`Error::MonitorsLost`] where the connection has ended: the monitors are gone with it.
    pub fn updates(&mut self, time: Duration) -> Result<Vec<RowUpdate>, Error> {
        if std::mem::take(&mut self.has_lost_monitors) {
            return Err(Error::MonitorsLost);
        }
        let Some(session) = &mut self.session else { return Err(Error::MonitorsLost) };
        if let Err(error) = session.wait(Instant::now() + time) {
            self.session = None;
            return Err(if matches!(error, Error::Ended { .. }) { Error::MonitorsLost } else { error });
        }
        Ok(session.updates.drain(..).collect())
    }

    fn protocol(&mut self, what: &str) -> Error {
        let remote = self.session.take().map(|session| session.remote);
        match remote.or_else(|| self.remotes.first().cloned()) {
            Some(remote) => Error::Protocol { remote, what: what.to_owned() },
            None => Error::NoServer { database: self.name.clone(), tried: Vec::new() },
        }
    }

    /// Makes a call; `again` where it may be made a second time when its connection ends.
    fn call(&mut self, method: &'static str, params: Value, more: Duration, again: bool) -> Result<Value, Error> {
        let deadline = Instant::now() + self.time.saturating_add(more);
        self.connect(deadline)?;
        let first = params.clone();
        match self.call_once(method, first, deadline) {
            Err(Error::Ended { .. }) if again => {
                self.connect(deadline)?;
                self.call_once(method, params, deadline)
            }
            result => result,
        }
    }

    fn call_once(&mut self, method: &'static str, params: Value, deadline: Instant) -> Result<Value, Error> {
        let Some(session) = &mut self.session else {
            return Err(Error::NoServer { database: self.name.clone(), tried: Vec::new() });
        };
        let result = session.call(method, params, deadline);
        if result.as_ref().is_err_and(Error::ends_connection) {
            self.drop_session();
        }
        result.map_err(|error| match error {
            Error::Call { remote, message, .. } if message.starts_with(UNKNOWN) => {
                Error::NoServer { database: self.name.clone(), tried: vec![(remote, Unusable::NoDatabase)] }
            }
            error => error,
        })
    }

    fn drop_session(&mut self) {
        let had = self.session.take().is_some_and(|session| session.monitors > 0);
        self.has_lost_monitors |= had;
    }

    /// Sees to a connection of use.
    fn connect(&mut self, deadline: Instant) -> Result<(), Error> {
        if let Some(session) = &mut self.session {
            let is_of_use = session.catch_up(deadline) && !has_lost(session, self.leader_only);
            if is_of_use {
                return Ok(());
            }
            self.drop_session();
        }
        loop {
            let mut tried = Vec::new();
            for (at, remote) in self.remotes.iter().enumerate() {
                // A server that hangs must leave time for the others.
                let share = deadline.saturating_duration_since(Instant::now())
                    / u32::try_from(self.remotes.len() - at).unwrap_or(1);
                let until = Instant::now() + share;
                let session = Session::connect(remote, self.files.as_ref(), until);
                let session = match self.asks_state {
                    true => session.and_then(|session| use_server(session, &self.name, self.leader_only, until)),
                    false => session,
                };
                match session {
                    Ok(session) => {
                        self.session = Some(session);
                        return Ok(());
                    }
                    Err(why) => tried.push((remote.clone(), why)),
                }
            }
            // While a cluster elects its leader, no server is one.
            let is_electing = tried.iter().any(|(_, why)| matches!(why, Unusable::NotLeader | Unusable::NoMajority));
            if !is_electing || self.remotes.len() < 2 || Instant::now() + PAUSE >= deadline {
                return Err(Error::NoServer { database: self.name.clone(), tried });
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Asks a server whether it has the database, in the state that is needed.
fn use_server(mut session: Session, database: &str, leader_only: bool, deadline: Instant) -> Result<Session, Unusable> {
    // By TLS 1.3, a server refuses a certificate after the client has begun to speak.
    let failed = |error| {
        match &error {
            Error::Ended { source: Some(source), .. } => tls::failure(source).map(Unusable::Tls),
            _ => None,
        }
        .unwrap_or_else(|| Unusable::Failed(Box::new(error)))
    };
    // Without it, the server ends the connection when the state of a database changes.
    session.tell("set_db_change_aware", json!([true]));
    let request = TableMonitor::new("Database", &["name", "model", "connected", "leader"]);
    let params = json!([SERVER, Session::own_monitor(), monitor::requests(&[request])]);
    let state = match session.call("monitor", params, deadline) {
        Ok(state) => state,
        // A server before 2.9 knows neither call.
        Err(Error::Call { .. }) => {
            let names = session.call("list_dbs", json!([]), deadline).map_err(failed)?;
            let has_it = names.as_array().is_some_and(|names| names.iter().any(|name| name == database));
            return if has_it { Ok(session) } else { Err(Unusable::NoDatabase) };
        }
        Err(error) => return Err(failed(error)),
    };
    let rows = monitor::updates(&state).map_err(|error| failed(Error::value(&session.remote)(error)))?;
    let is_it = |update: &&RowUpdate| match &update.change {
        monitor::RowChange::Is(row) => monitor::is_of(row, database),
        _ => false,
    };
    let Some(row) = rows.iter().find(is_it) else { return Err(Unusable::NoDatabase) };
    if monitor::told(row, "connected") == Some(false) {
        return Err(Unusable::NoMajority);
    }
    if leader_only && monitor::told(row, "leader") == Some(false) {
        return Err(Unusable::NotLeader);
    }
    session.row = Some(row.uuid);
    Ok(session)
}

/// Whether a server can no longer be used for its database.
fn has_lost(session: &mut Session, leader_only: bool) -> bool {
    let row = session.row;
    let is_lost = |update: RowUpdate| {
        let is_it = Some(update.uuid) == row;
        let gone = update.change == monitor::RowChange::Gone || monitor::told(&update, "connected") == Some(false);
        is_it && (gone || leader_only && monitor::told(&update, "leader") == Some(false))
    };
    session.of_server.drain(..).any(is_lost)
}
