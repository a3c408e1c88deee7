//! The folders of state and definitions.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, bail};
use nix::unistd::Uid;
use vnet_driver::Driver;
use vnet_types::NetworkName;

use crate::failure;

/// The options for the folders of state and definitions.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Directories {
    /// The folder for the state of running networks [default: /run/vnet for root, else
    /// $XDG_RUNTIME_DIR/vnet]
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
}

impl Directories {
    /// The folder of the state of running networks.
    pub(crate) fn state(&self) -> anyhow::Result<PathBuf> {
        let directory = match &self.state_dir {
            Some(directory) => directory.clone(),
            None if Uid::effective().is_root() => PathBuf::from("/run/vnet"),
            // If no session has set the variable, its usual value is used: plans work, and a start
            // reports what is missing.
            None => match env::var_os("XDG_RUNTIME_DIR") {
                Some(_) => directory("XDG_RUNTIME_DIR").context("no folder for state: give --state-dir")?.join("vnet"),
                None => PathBuf::from(format!("/run/user/{}/vnet", Uid::effective())),
            },
        };
        std::path::absolute(&directory).with_context(|| format!("the folder `{}` cannot be used", directory.display()))
    }

    /// The driver for this state and these definitions.
    pub(crate) fn driver(&self) -> anyhow::Result<Driver> {
        let mut driver = Driver::open(self.state()?)?;
        // Without a home there are no definitions and no hooks.
        if let Ok(config) = self.config() {
            driver = driver.with_definitions(config);
        }
        if self.libvirt_hooks {
            driver = driver.with_libvirt_hooks();
        }
        Ok(driver.with_waiting(failure::waiting).with_ignored_hook(failure::ignored_hook))
    }

    /// The file that defines a network of this name.
    pub(crate) fn definition(&self, name: &NetworkName) -> anyhow::Result<PathBuf> {
        Ok(self.config()?.join("networks").join(format!("{}.xml", name.file_name())))
    }

    /// The folder of definitions and hooks.
    fn config(&self) -> anyhow::Result<PathBuf> {
        Ok(match &self.config_dir {
            Some(directory) => directory.clone(),
            None if Uid::effective().is_root() => PathBuf::from("/etc/vnet"),
            None => match directory("XDG_CONFIG_HOME") {
                Ok(directory) => directory.join("vnet"),
                Err(_) => {
                    directory("HOME").context("no folder for definitions: give --config-dir")?.join(".config/vnet")
                }
            },
        })
    }
}

fn directory(variable: &str) -> anyhow::Result<PathBuf> {
    match env::var_os(variable).map(PathBuf::from) {
        Some(path) if path.is_absolute() => Ok(path),
        Some(_) => bail!("${variable} is not an absolute path"),
        None => bail!("${variable} is not set"),
    }
}
