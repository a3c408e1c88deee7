//! A change that is undone unless it is confirmed: for those who reach the host through the network
//! that they change.
//!
//! A record of the definition before the change is kept in the state folder. Whoever removes the
//! record first has decided: a confirmation keeps the change, a waiting process undoes it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vnet_types::NetworkName;
use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::obstacle::Obstacle;

/// The folder of records, below that of state. No network folder begins with this character.
const FOLDER: &str = "@unconfirmed";
/// The ends of the names of a record whose change is being undone, and of one that is being
/// written. No file name of a network ends so.
const UNDOING: &str = "%undoing";
const NEW: &str = "%new";
/// How long after its time a change that nobody has undone is overdue.
const GRACE: Duration = Duration::from_secs(10);

/// A change that waits for a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unconfirmed {
    network: NetworkName,
    /// When it is undone.
    pub until: SystemTime,
    /// The definition before. `None`: the network did not run.
    before: Option<Network>,
}

impl Unconfirmed {
    /// Whether its time is over and nobody has undone it.
    fn is_overdue(&self) -> bool {
        SystemTime::now().duration_since(self.until).is_ok_and(|over| over > GRACE)
    }
}

impl Driver {
    /// Notes how a network runs, before a change that has to be confirmed. Until then no other
    /// change of it is accepted. The caller sees to it that
    /// [`undo_unconfirmed`](Self::undo_unconfirmed) is called when the time is over, and then calls
    /// [`apply_unconfirmed`](Self::apply_unconfirmed).
    ///
    /// # Errors
    /// [`Error::Unconfirmed`] when an earlier change of it is not confirmed; [`Error::Record`];
    /// [`Error::Ovn`] for a network of OVN that is not as it is kept.
    pub fn await_confirmation(&self, network: &NetworkName, until: SystemTime) -> Result<(), Error> {
        let lock = self.lock()?;
        self.is_confirmed(network)?;
        let before = match self.as_it_runs(network)? {
            Some(before) => Some(before),
            None => self.before_on_ovn(network)?,
        };
        let path = self.record(network);
        let failed = |source: io::Error| Error::Record { path: path.clone(), source };
        let seconds = until.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = format!("{seconds}\n{network}\n{}", before.map(|before| before.to_string()).unwrap_or_default());
        let new = self.file(network, NEW);
        fs::create_dir_all(self.state().join(FOLDER)).map_err(failed)?;
        fs::write(&new, text).and_then(|()| fs::File::open(&new)?.sync_all()).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        drop(lock);
        Ok(())
    }

    /// Applies a definition that [`await_confirmation`](Self::await_confirmation) was called for.
    /// When that fails, nothing is left to confirm.
    ///
    /// # Errors
    /// Those of [`apply`](Self::apply).
    pub fn apply_unconfirmed(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        let applied = match network.is_on_ovn() {
            true => self.apply_unconfirmed_on_ovn(network),
            false => {
                let mut host = self.host()?;
                let lock = self.lock();
                self.apply_as(network, None, &mut host, lock).map(|applied| applied.outcome)
            }
        };
        if !matches!(&applied, Err(Error::PortStays { .. } | Error::PortsStay { .. } | Error::Hook { .. }))
            && applied.as_ref().map_or(true, NetworkOutcome::is_empty)
        {
            self.forget_record(&network_name(&network.name)?)?;
        }
        applied
    }

    /// The change of a network that waits for a confirmation.
    ///
    /// # Errors
    /// [`Error::Record`], [`Error::Kept`] when the record cannot be read.
    pub fn unconfirmed(&self, network: &NetworkName) -> Result<Option<Unconfirmed>, Error> {
        self.read_record(self.record(network))
    }

    /// Keeps the last change of a network.
    ///
    /// # Errors
    /// [`Error::Confirmed`] when none waits for a confirmation; [`Error::Record`].
    pub fn confirm(&self, network: &NetworkName) -> Result<(), Error> {
        if !self.forget_record(network)? {
            return Err(Error::Confirmed(network.clone()));
        }
        // Whoever releases the lock removes an empty folder of state.
        drop(self.lock()?);
        Ok(())
    }

    /// Undoes the last change of a network: it is as before, or stopped if it did not run.
    ///
    /// # Errors
    /// [`Error::Confirmed`] when none waits for a confirmation; those of [`apply`](Self::apply) and
    /// [`stop`](Self::stop), after which the call can be repeated.
    pub fn undo_unconfirmed(&self, network: &NetworkName) -> Result<(), Error> {
        let (record, undoing) = (self.record(network), self.undoing(network));
        // One that was killed here is continued.
        match fs::rename(&record, &undoing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && undoing.exists() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Confirmed(network.clone())),
            renamed => renamed.map_err(|source| Error::Record { path: record, source })?,
        }
        let before = self.read_record(undoing.clone())?.and_then(|change| change.before);
        match before {
            Some(before) => drop(self.apply(&before)?),
            None => match self.stop(network) {
                Err(Error::NotRunning(_)) => {}
                stopped => drop(stopped?),
            },
        }
        self.forget_record(network)?;
        drop(self.lock()?);
        Ok(())
    }

    /// Keeps a process out of the cgroup of this one, which may end with a session.
    ///
    /// # Errors
    /// [`Error::Host`].
    pub fn outlive_session(&self, network: &NetworkName, pid: i32) -> Result<(), Error> {
        self.host()?.put_in_scope(&self.record(network), "confirm", pid);
        Ok(())
    }

    /// Undoes what nobody has confirmed or undone in time: the process that waited has ended.
    pub(crate) fn undo_overdue(&self) -> Vec<Error> {
        let files = fs::read_dir(self.state().join(FOLDER)).into_iter().flatten().flatten();
        let records = files.filter_map(|file| self.read_record(file.path()).ok().flatten());
        let networks: Vec<NetworkName> = records.filter(Unconfirmed::is_overdue).map(|change| change.network).collect();
        networks.iter().filter_map(|network| self.undo_unconfirmed(network).err()).collect()
    }

    /// Refuses a change of a network while its last one is not confirmed.
    pub(crate) fn is_confirmed(&self, network: &NetworkName) -> Result<(), Error> {
        match self.unconfirmed(network)? {
            Some(_) => Err(Error::Unconfirmed(network.clone())),
            None => Ok(()),
        }
    }

    /// Removes the records of a network. Returns whether one waited for a confirmation.
    pub(crate) fn forget_record(&self, network: &NetworkName) -> Result<bool, Error> {
        let remove = |path: PathBuf| match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true).map_err(|source| Error::Record { path, source }),
        };
        let waited = remove(self.record(network))?;
        remove(self.undoing(network))?;
        // The records of other networks may be there.
        let _ = fs::remove_dir(self.state().join(FOLDER));
        Ok(waited)
    }

    /// What a change that is not confirmed means for who looks at the network.
    pub(crate) fn unconfirmed_obstacle(&self, network: &NetworkName) -> Result<Option<Obstacle>, Error> {
        let Some(change) = self.unconfirmed(network)? else { return Ok(None) };
        let left = change.until.duration_since(SystemTime::now()).unwrap_or_default().as_secs();
        let reason = match change.is_overdue() {
            true => "its last change was not confirmed, and who was to undo it has ended".to_owned(),
            false => format!("its last change is undone in {left} s unless it is confirmed"),
        };
        let remedy =
            format!("`vnet confirm {network}` keeps the change, `vnet confirm --undo {network}` undoes it now");
        Ok(Some(Obstacle::by("the network stays as it is", reason, remedy)))
    }

    fn record(&self, network: &NetworkName) -> PathBuf {
        self.file(network, "")
    }

    fn undoing(&self, network: &NetworkName) -> PathBuf {
        self.file(network, UNDOING)
    }

    fn file(&self, network: &NetworkName, end: &str) -> PathBuf {
        self.state().join(FOLDER).join(format!("{}{end}", network.file_name()))
    }

    fn read_record(&self, path: PathBuf) -> Result<Option<Unconfirmed>, Error> {
        let text = match fs::read_to_string(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            text => text.map_err(|source| Error::Record { path: path.clone(), source })?,
        };
        let damaged = |source: Box<dyn std::error::Error + Send + Sync>| Error::Kept {
            path: path.clone(),
            what: "a record of a change",
            source,
        };
        let mut lines = text.splitn(3, '\n');
        let mut line = || lines.next().unwrap_or_default();
        let (until, network, before) = (line(), line(), line());
        let network = network.parse().map_err(|source| damaged(Box::new(source)))?;
        // Without a time it is over.
        let until = UNIX_EPOCH + Duration::from_secs(until.parse().unwrap_or_default());
        let before = Some(before).filter(|before| !before.is_empty()).map(str::parse::<Network>).transpose();
        let before = before.map_err(|error: vnet_xml::Refused| damaged(error.into()))?;
        Ok(Some(Unconfirmed { network, until, before }))
    }
}
