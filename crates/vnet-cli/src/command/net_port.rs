//! virsh's commands for one port of a network.

use anyhow::{Context, bail};
use vnet_driver::{Driver, InterfaceName};

use super::detach::detach;
use super::words::fill;
use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure::{readable, refuse};
use crate::output::{Answer, FormatOption, print_exact};

/// A port of a network.
#[derive(Debug, clap::Args)]
pub(crate) struct OnePort {
    /// The network's name, and the port's UUID or device
    #[arg(value_name = "NETWORK PORT", num_args = 0..=2)]
    words: Vec<String>,
    #[arg(long, value_name = "NETWORK", hide = true)]
    network: Option<String>,
    #[arg(long, value_name = "PORT", hide = true)]
    port: Option<String>,
}

/// Print the `<networkport>` of a port, by its UUID or device
#[derive(Debug, clap::Args)]
pub(crate) struct Dumpxml {
    #[command(flatten)]
    port: OnePort,
}

/// Detach a port of a network, by its UUID or device
#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    port: OnePort,
    #[command(flatten)]
    format: FormatOption,
}

/// Say how vnet makes ports
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    #[arg(value_name = "NETWORK FILE", num_args = 0.., allow_hyphen_values = true)]
    _words: Vec<String>,
}

impl Dumpxml {
    /// Prints it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        match self.port.find(&directories.driver()?)? {
            Some((_, xml)) => Ok(print_exact(&xml).map(|()| Answer::Yes)?),
            None => self.port.absent(),
        }
    }
}

impl Delete {
    /// Detaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        match self.port.find(&driver)? {
            Some((dev, _)) => detach(&driver, &[dev], self.format.format),
            None => self.port.absent(),
        }
    }
}

impl Create {
    /// Answers.
    pub(crate) fn run(&self) -> anyhow::Result<Answer> {
        bail!("vnet makes the port of a network with the guest's device: `vnet attach FILE` takes its `<interface>`")
    }
}

impl OnePort {
    /// The port's device and its record.
    fn find(&self, driver: &Driver) -> anyhow::Result<Option<(InterfaceName, String)>> {
        let [network, port] = fill(&self.words, [&self.network, &self.port])?;
        let network = network_name(&network.context("the network is missing")?)?;
        let wanted = port.context("the port is missing")?;
        for status in readable(driver.ports()?).filter(|status| status.port.network.as_ref() == Some(&network)) {
            let dev = status.port.dev;
            let Some(record) = driver.port_record(&dev)? else { continue };
            if dev.as_str() == wanted || record.uuid.to_string() == wanted {
                return Ok(Some((dev, record.to_string())));
            }
        }
        Ok(None)
    }

    fn absent(&self) -> anyhow::Result<Answer> {
        refuse(anyhow::anyhow!("the network has no such port; `vnet ports` shows all"))
    }
}
