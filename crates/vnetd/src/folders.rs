//! The folders of networks: those that the program `vnet` has for the same user.

use std::path::PathBuf;

use nix::unistd::Uid;
use vnet_driver::{Driver, UserFolders};

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
        let (state, definitions, data) = (self.state_dir.clone(), self.config_dir.clone(), self.data_dir.clone());
        Ok(Driver::of_user(&UserFolders { state, definitions, data })?)
    }
}

/// Whether the networks are those of an ordinary user.
pub(crate) fn is_session() -> bool {
    !Uid::effective().is_root()
}
