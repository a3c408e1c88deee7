//! `vnet forward list`: the ports of the host that lead to guests of a network.

use std::net::IpAddr;

use serde::Serialize;
use vnet_driver::{Driver, Error, Network, NetworkName};

use crate::directories::Directories;
use crate::failure;
use crate::named::OneNetwork;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::table;

/// List the ports of the host that lead to guests: of the network as it runs, or as it is kept if
/// it does not run
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    network: OneNetwork,
    /// List those of the kept definition
    #[arg(long)]
    config: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    forwards: Vec<ForwardJson>,
}

/// A range of ports.
#[derive(Serialize)]
struct ForwardJson {
    protocol: &'static str,
    /// `None`: every address of the host but the loopback ones.
    address: Option<IpAddr>,
    /// `None`: any, and the host itself.
    dev: Option<String>,
    start: u16,
    end: u16,
    guest: String,
    /// The guest's addresses.
    guest_addresses: Vec<IpAddr>,
    /// The guest's port for the first port of the host.
    to: u16,
}

impl Args {
    /// Prints the forwards.
    pub(super) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let found = self.network.find(&driver).and_then(|name| self.definition(&driver, &name));
        let network = match found {
            Ok(found) => found,
            Err(error) => return failure::answer(error),
        };
        let forwards = forwards(&network);
        match self.format.format {
            Format::Json => print_json(&Report { network: network.name, forwards })?,
            Format::Human => {
                let header = ["Protocol", "Address", "Device", "Ports", "Guest", "Guest's addresses", "Guest's ports"];
                print(table(header, &forwards.iter().map(ForwardJson::row).collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }

    fn definition(&self, driver: &Driver, name: &NetworkName) -> Result<Network, Error> {
        let kept = || driver.kept(name)?.ok_or_else(|| Error::NotDefined(name.clone()));
        match self.config {
            true => kept(),
            false => match driver.definition(name) {
                Err(Error::NotRunning(_)) => kept(),
                running => running,
            },
        }
    }
}

fn forwards(network: &Network) -> Vec<ForwardJson> {
    let forwards = network.extensions.port_forwards.iter().flat_map(|it| {
        let forward = &it.forward;
        let is_fit = |guest: &IpAddr| forward.address.is_none_or(|address| address.is_ipv4() == guest.is_ipv4());
        let addresses: Vec<IpAddr> = network.addresses_of(&it.guest).into_iter().filter(is_fit).collect();
        let row = move |(ports, to): (vnet_types::PortRange, u16)| ForwardJson {
            protocol: forward.protocol.word(),
            address: forward.address,
            dev: forward.dev.as_ref().map(ToString::to_string),
            start: ports.start(),
            end: ports.end(),
            guest: it.guest.to_string(),
            guest_addresses: addresses.clone(),
            to,
        };
        forward.leads().into_iter().map(row)
    });
    forwards.collect()
}

impl ForwardJson {
    fn row(&self) -> [String; 7] {
        let range = |start: u16| match self.end - self.start {
            0 => start.to_string(),
            more => format!("{start}-{}", start.saturating_add(more)),
        };
        let or_any = |text: Option<String>| text.unwrap_or_else(|| "any".to_owned());
        let addresses: Vec<String> = self.guest_addresses.iter().map(ToString::to_string).collect();
        [
            self.protocol.to_owned(),
            or_any(self.address.map(|address| address.to_string())),
            or_any(self.dev.clone()),
            range(self.start),
            self.guest.clone(),
            addresses.join(", "),
            range(self.to),
        ]
    }
}
