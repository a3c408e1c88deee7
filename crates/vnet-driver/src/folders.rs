//! The folders of a user: the system's for root, those of the XDG Base Directory Specification for
//! another user.

use std::env;
use std::path::{self, Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::driver::Driver;
use crate::error::Error;

/// vnet's folder in a folder of a user.
const OURS: &str = "vnet";

/// Folders that a user has chosen. Where one is `None`, the usual one of the user is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFolders {
    /// The state of running networks: `/run/vnet` for root, else `$XDG_RUNTIME_DIR/vnet`. Another
    /// one has its own definitions and leases, within it.
    pub state: Option<PathBuf>,
    /// Definitions, as `networks/NAME.xml`: `/etc/vnet` for root, else `$XDG_CONFIG_HOME/vnet`.
    pub definitions: Option<PathBuf>,
    /// What outlasts a stop: `/var/lib/vnet` for root, else `$XDG_STATE_HOME/vnet`.
    pub data: Option<PathBuf>,
}

/// The variable that names the folder of a user's sockets is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("$XDG_RUNTIME_DIR is not an absolute path")]
pub struct RuntimeFolderError;

impl UserFolders {
    /// The folder of root's state.
    pub const STATE_OF_ROOT: &str = "/run/vnet";

    /// The folder of this user's sockets. `None` when no session has set one.
    ///
    /// # Errors
    /// [`RuntimeFolderError`].
    pub fn runtime() -> Result<Option<PathBuf>, RuntimeFolderError> {
        match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
            Some(path) if !path.is_absolute() => Err(RuntimeFolderError),
            path => Ok(path),
        }
    }
}

impl Driver {
    /// A driver that has the networks of the user of this process.
    ///
    /// # Errors
    /// [`Error::RuntimeFolder`] when no folder of state was chosen; [`Error::Folder`] for a
    /// relative path when the current folder is gone.
    pub fn of_user(chosen: &UserFolders) -> Result<Self, Error> {
        let usual = usual_state();
        let state = match &chosen.state {
            Some(state) => absolute(state)?,
            None => usual.clone().map_err(Error::RuntimeFolder)?,
        };
        let has_own = !Uid::effective().is_root() && usual.is_ok_and(|usual| usual == state);
        let folder = |chosen: &Option<PathBuf>, variable, below_home| match chosen {
            Some(folder) => absolute(folder).map(Some),
            None => Ok(has_own.then(|| of_home(variable, below_home)).flatten()),
        };
        let mut driver = Self::open(state)?;
        if let Some(folder) = folder(&chosen.definitions, "XDG_CONFIG_HOME", ".config")? {
            driver = driver.with_definitions(folder);
        }
        if let Some(folder) = folder(&chosen.data, "XDG_STATE_HOME", ".local/state")? {
            driver = driver.with_data(folder);
        }
        Ok(driver)
    }
}

fn usual_state() -> Result<PathBuf, RuntimeFolderError> {
    if Uid::effective().is_root() {
        return Ok(PathBuf::from(UserFolders::STATE_OF_ROOT));
    }
    // If no session has set the variable, its usual value is used: plans work, and a start reports
    // what is missing.
    let usual = || PathBuf::from(format!("/run/user/{}", Uid::effective()));
    Ok(UserFolders::runtime()?.unwrap_or_else(usual).join(OURS))
}

/// vnet's folder in one of the folders in this user's home.
fn of_home(variable: &str, below_home: &str) -> Option<PathBuf> {
    let given = |variable| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let known = || User::from_uid(Uid::effective()).ok().flatten().map(|user| user.dir);
    let folder = given(variable).or_else(|| Some(given("HOME").or_else(known)?.join(below_home)));
    folder.map(|folder| folder.join(OURS))
}

/// A folder by its whole path.
pub(crate) fn absolute(folder: &Path) -> Result<PathBuf, Error> {
    path::absolute(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })
}
