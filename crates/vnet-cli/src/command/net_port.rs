//! virsh's commands for one port of a network.

use std::path::Path;

use anyhow::{Context, bail};
use vnet_driver::{Driver, InterfaceName};
use vnet_xml::NetworkPort;

use super::detach::detach;
use super::words::fill;
use crate::definition::network_name;
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::{self, readable, refuse};
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

/// Record a port whose device another program makes
///
/// What the port is attached to is decided and printed: the network's bridge, or a device of its
/// pool. A floor of its bandwidth is kept on the bridge. `vnet attach` makes the device, too.
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The network's name, and a `<networkport>`: a file, or `-` for stdin
    #[arg(value_name = "NETWORK FILE", num_args = 0..=2)]
    words: Vec<String>,
    #[arg(long, value_name = "NETWORK", hide = true)]
    network: Option<String>,
    #[arg(long, value_name = "FILE", hide = true)]
    file: Option<String>,
    /// Refuse parts that are not understood, too
    #[arg(long)]
    validate: bool,
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
    /// Records it and prints it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let [network, file] = fill(&self.words, [&self.network, &self.file])?;
        let network = network_name(&network.context("the network is missing")?)?;
        let document = Document::read(Path::new(&file.context("the file is missing")?))?;
        let parsed = NetworkPort::parse(&document.bytes);
        if let Some(problem) = parsed.problems.first().filter(|_| self.validate) {
            bail!("`{}` is not valid: {} at {}", document.name, problem.message, problem.path);
        }
        let cannot = || format!("`{}` is not a network port", document.name);
        let port = parsed.into_result().with_context(cannot)?;
        let made = directories.driver()?.create_port(&network, &port)?;
        print_exact(&made.to_string())?;
        Ok(Answer::Yes)
    }
}

impl OnePort {
    /// The port's device and its record.
    fn find(&self, driver: &Driver) -> anyhow::Result<Option<(InterfaceName, String)>> {
        let [network, port] = fill(&self.words, [&self.network, &self.port])?;
        let network = network_name(&network.context("the network is missing")?)?;
        let wanted = port.context("the port is missing")?;
        let ports = readable(driver.ports()?).into_iter();
        for status in ports.filter(|status| status.port.network.as_ref() == Some(&network)) {
            let dev = status.port.dev;
            let Some(record) = driver.port_record(&dev)? else { continue };
            if dev.as_str() == wanted || record.uuid.to_string() == wanted {
                return Ok(Some((dev, record.to_string())));
            }
        }
        Ok(None)
    }

    fn absent(&self) -> anyhow::Result<Answer> {
        refuse(failure::advised("the network has no such port", "`vnet ports` shows all"))
    }
}
