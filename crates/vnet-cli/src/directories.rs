//! The folders of state, definitions and leases.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;
use vnet_driver::{Driver, UserFolders};

use crate::failure;
use crate::notes::noted;
use crate::output::note;
use crate::time::duration;

/// The program of this process, even when another one has taken its place.
const THIS_PROGRAM: &str = "/proc/self/exe";

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
        let (state, definitions, data) = (self.state_dir.clone(), self.config_dir.clone(), self.data_dir.clone());
        let mut driver = Driver::of_user(&UserFolders { state, definitions, data })?;
        if let Some(limit) = self.hook_timeout {
            driver = driver.with_hook_limit(limit);
        }
        if self.libvirt_hooks {
            driver = driver.with_libvirt_hooks();
        }
        Ok(driver.with_waiting(failure::waiting).with_ignored_hook(failure::ignored_hook).with_deputy(THIS_PROGRAM))
    }

    /// Tells an ordinary user who has no networks where those of root are. An empty table alone
    /// would say that this host has none.
    pub(crate) fn tell_of_root(&self) {
        let of_root = UserFolders::STATE_OF_ROOT;
        if self.state_dir.is_none() && !Uid::effective().is_root() && Path::new(of_root).is_dir() {
            let told = format!("these are your own networks; `--state-dir {of_root}` is for those of root");
            note(noted(told));
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
