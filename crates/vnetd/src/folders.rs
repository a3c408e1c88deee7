//! The folders of networks: those that the program `vnet` has for the same user.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use nix::unistd::{Uid, User};
use vnet_driver::Driver;

/// The folder of root's state.
const OF_ROOT: &str = "/run/vnet";

/// The options for the folders of state, definitions and leases.
#[derive(Debug, clap::Args)]
pub(crate) struct Folders {
    /// The folder for the state of running networks [default: /run/vnet for root, else
    /// $XDG_RUNTIME_DIR/vnet]; another one has its own definitions and leases, within it
    #[arg(long, env = "VNET_STATE_DIR", value_name = "DIR", hide_env = true)]
    state_dir: Option<PathBuf>,
    /// The folder for definitions, as networks/NAME.xml [default: /etc/vnet for root, else
    /// $XDG_CONFIG_HOME/vnet]
    #[arg(long, env = "VNET_CONFIG_DIR", value_name = "DIR", hide_env = true)]
    config_dir: Option<PathBuf>,
    /// The folder for leases, as NAME/leases [default: /var/lib/vnet for root, else
    /// $XDG_STATE_HOME/vnet]
    #[arg(long, env = "VNET_DATA_DIR", value_name = "DIR", hide_env = true)]
    data_dir: Option<PathBuf>,
}

impl Folders {
    /// The driver for these folders.
    pub(crate) fn driver(&self) -> anyhow::Result<Driver> {
        let usual = usual_state();
        let state = match &self.state_dir {
            Some(given) => absolute(given)?,
            None => usual.as_ref().map(PathBuf::clone).map_err(|error| anyhow!("{error}: give --state-dir"))?,
        };
        let has_own = is_session() && usual.is_ok_and(|usual| usual == state);
        let own = |variable, below_home| has_own.then(|| of_user(variable, below_home)).flatten();
        let mut driver = Driver::open(state)?;
        if let Some(folder) = self.config_dir.clone().or_else(|| own("XDG_CONFIG_HOME", ".config")) {
            driver = driver.with_definitions(absolute(&folder)?);
        }
        if let Some(folder) = self.data_dir.clone().or_else(|| own("XDG_STATE_HOME", ".local/state")) {
            driver = driver.with_data(absolute(&folder)?);
        }
        Ok(driver)
    }
}

/// Whether the networks are those of an ordinary user.
pub(crate) fn is_session() -> bool {
    !Uid::effective().is_root()
}

/// The folder of this user's sockets, if a session has set one.
pub(crate) fn of_runtime() -> anyhow::Result<Option<PathBuf>> {
    match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path) if !path.is_absolute() => bail!("$XDG_RUNTIME_DIR is not an absolute path"),
        path => Ok(path),
    }
}

fn usual_state() -> anyhow::Result<PathBuf> {
    if !is_session() {
        return Ok(PathBuf::from(OF_ROOT));
    }
    let folder = of_runtime()?.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", Uid::effective())));
    Ok(folder.join("vnet"))
}

/// vnet's folder in one of this user's folders (the XDG Base Directory Specification).
fn of_user(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    let home = || {
        let known = || User::from_uid(Uid::effective()).ok().flatten().map(|user| user.dir);
        absolute(env::var_os("HOME").map(PathBuf::from)).or_else(known)
    };
    let folder = absolute(env::var_os(variable).map(PathBuf::from)).or_else(|| Some(home()?.join(below_home)));
    folder.map(|folder| folder.join("vnet"))
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("the folder `{}` cannot be used", path.display()))
}
