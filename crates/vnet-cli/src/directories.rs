//! The folders of state, definitions and leases.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::unistd::{Uid, User};
use vnet_driver::Driver;

use crate::failure;
use crate::output::note;
use crate::style::{BOLD, WARNING};
use crate::time::duration;

/// The folder of root's state.
const OF_ROOT: &str = "/run/vnet";

/// The options for the folders of state, definitions and leases.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Directories {
    /// The folder for the state of running networks [default: /run/vnet for root, else
    /// $XDG_RUNTIME_DIR/vnet]; another one has its own definitions and leases, within it
    #[arg(
        long,
        global = true,
        env = "VNET_STATE_DIR",
        value_name = "DIR",
        hide_env = true,
        help_heading = "Directories"
    )]
    state_dir: Option<PathBuf>,
    /// The folder for definitions, as networks/NAME.xml [default: /etc/vnet for root, else
    /// $XDG_CONFIG_HOME/vnet]
    #[arg(
        long,
        global = true,
        env = "VNET_CONFIG_DIR",
        value_name = "DIR",
        hide_env = true,
        help_heading = "Directories"
    )]
    config_dir: Option<PathBuf>,
    /// The folder for leases, as NAME/leases [default: /var/lib/vnet for root, else
    /// $XDG_STATE_HOME/vnet]
    #[arg(
        long,
        global = true,
        env = "VNET_DATA_DIR",
        value_name = "DIR",
        hide_env = true,
        help_heading = "Directories"
    )]
    data_dir: Option<PathBuf>,
    /// Run libvirt's hooks too: /etc/libvirt/hooks/network and those in network.d
    #[arg(
        long,
        global = true,
        env = "VNET_LIBVIRT_HOOKS",
        hide_env = true,
        value_parser = clap::builder::FalseyValueParser::new(),
        help_heading = "Hooks"
    )]
    libvirt_hooks: bool,
    /// How long a hook may run [default: 30s]
    #[arg(
        long,
        global = true,
        env = "VNET_HOOK_TIMEOUT",
        value_name = "TIME",
        hide_env = true,
        value_parser = duration,
        help_heading = "Hooks"
    )]
    hook_timeout: Option<Duration>,
}

impl Directories {
    /// The driver for these folders.
    pub(crate) fn driver(&self) -> anyhow::Result<Driver> {
        let usual = usual_state();
        let state = match &self.state_dir {
            Some(given) => absolute(given.clone())?,
            None => usual.as_ref().map(PathBuf::clone).map_err(|error| anyhow!("{error}: give --state-dir"))?,
        };
        let is_usual = usual.is_ok_and(|usual| usual == state);
        let mut driver = Driver::open(state)?;
        let own = |variable, below_home| match is_usual && !Uid::effective().is_root() {
            true => of_user(variable, below_home),
            false => None,
        };
        if let Some(folder) = self.config_dir.clone().or_else(|| own("XDG_CONFIG_HOME", ".config")) {
            driver = driver.with_definitions(absolute(folder)?);
        }
        if let Some(folder) = self.data_dir.clone().or_else(|| own("XDG_STATE_HOME", ".local/state")) {
            driver = driver.with_data(absolute(folder)?);
        }
        if let Some(limit) = self.hook_timeout {
            driver = driver.with_hook_limit(limit);
        }
        if self.libvirt_hooks {
            driver = driver.with_libvirt_hooks();
        }
        Ok(driver.with_waiting(failure::waiting).with_ignored_hook(failure::ignored_hook))
    }

    /// Tells an ordinary user who has no networks where those of root are. An empty table alone
    /// would say that this host has none.
    pub(crate) fn tell_of_root(&self) {
        if self.state_dir.is_none() && !Uid::effective().is_root() && Path::new(OF_ROOT).is_dir() {
            let told = format!("these are your own networks; `--state-dir {OF_ROOT}` is for those of root");
            note(format!("{WARNING}note{WARNING:#}{BOLD}: {told}{BOLD:#}\n"));
        }
    }

    /// The options again, for another process of this program.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let folders =
            [("--state-dir", &self.state_dir), ("--config-dir", &self.config_dir), ("--data-dir", &self.data_dir)];
        let given = folders
            .into_iter()
            .filter_map(|(option, folder)| Some([OsString::from(option), folder.as_ref()?.clone().into_os_string()]));
        let hooks = self.libvirt_hooks.then(|| OsString::from("--libvirt-hooks"));
        given.flatten().chain(hooks).collect()
    }
}

/// The folder of state of this user.
fn usual_state() -> anyhow::Result<PathBuf> {
    if Uid::effective().is_root() {
        return Ok(PathBuf::from(OF_ROOT));
    }
    match env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path.join("vnet")),
        Some(_) => bail!("$XDG_RUNTIME_DIR is not an absolute path"),
        // If no session has set the variable, its usual value is used: plans work, and a start
        // reports what is missing.
        None => Ok(PathBuf::from(format!("/run/user/{}/vnet", Uid::effective()))),
    }
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

fn absolute(path: PathBuf) -> anyhow::Result<PathBuf> {
    std::path::absolute(&path).with_context(|| format!("the folder `{}` cannot be used", path.display()))
}
