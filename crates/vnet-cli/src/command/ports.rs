//! `vnet ports`: lists the attached interfaces of guests.

use std::path::Path;

use serde::Serialize;
use vnet_driver::{Definition, InterfaceName, KnownPort, NetworkName, Obstacle, PortStatus, State};
use vnet_xml::Severity;

use crate::definition::{is_file, network_name};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::{apart, tell_unread, warn};
use crate::guest::{Guest, Which};
use crate::notes;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{PortJson, place};
use crate::table::{table, words};

/// List the attached interfaces of guests
///
/// Of guests on OVN the northbound database is asked, too: whether it still has their ports, and
/// for this host. Where it does not answer, they are unsure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those of a network, by its name; or those of an `<interface>` or `<domain>`: a file, or
    /// `-` for stdin
    #[arg(value_name = "NETWORK|FILE")]
    of: Option<String>,
    #[arg(long = "network", id = "of_option", value_name = "NETWORK", hide = true, conflicts_with = "of")]
    option: Option<String>,
    /// Only print UUIDs, one on each line
    #[arg(long)]
    uuid: bool,
    /// Only those of a guest, by its name
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    ports: Vec<Port>,
}

#[derive(Serialize)]
struct Port {
    #[serde(flatten)]
    port: PortJson,
    state: State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obstacles: Vec<Obstacle>,
    #[serde(skip)]
    row: [String; 6],
}

/// The ports that are asked for.
enum Meant {
    All,
    OfNetwork(NetworkName),
    These(Vec<InterfaceName>),
}

impl Args {
    /// Lists them.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let (mut all, unread) = apart(driver.ports()?);
        let meant = self.meant(&all)?;
        let is_listed = |port: &KnownPort| meant.has(port) && (self.guest.is_none() || port.guest == self.guest);
        let only_uuids = self.uuid && self.format.format == Format::Human;
        for error in driver.look_at_ports_on_ovn(&mut all, |port| !only_uuids && is_listed(port)) {
            warn(error);
        }
        let (mut ports, mut devs) = (Vec::new(), Vec::new());
        for PortStatus { port, state, device, passt, obstacles, .. } in all {
            if !is_listed(&port) {
                continue;
            }
            let text = |name: Option<String>| name.unwrap_or_else(|| "-".to_owned());
            let row = [
                port.dev.to_string(),
                words(state).to_owned(),
                text(port.guest.clone()),
                port.mac.to_string(),
                text(port.network.as_ref().map(ToString::to_string)),
                place(&port, &device),
            ];
            devs.push(port.dev.clone());
            ports.push(Port { port: PortJson::of(&port, &device, passt.as_ref()), state, obstacles, row });
        }
        let reading = tell_unread(unread, ports.is_empty())?;
        match self.format.format {
            Format::Human if self.uuid => {
                for dev in devs {
                    let record = driver.port_record(&dev)?;
                    print(record.map(|record| format!("{}\n", record.uuid)).unwrap_or_default())?;
                }
            }
            Format::Json => print_json(&Report { ports })?,
            Format::Human => {
                let notes: String =
                    ports.iter().map(|port| notes::obstacles(&port.obstacles, Severity::Warning)).collect();
                let rows: Vec<_> = ports.into_iter().map(|port| port.row).collect();
                print(table(["Name", "State", "Guest", "MAC address", "Network", "On"], &rows) + &notes)?;
            }
        }
        Ok(reading)
    }

    /// The ports of the network or the document.
    fn meant(&self, all: &[PortStatus]) -> anyhow::Result<Meant> {
        Ok(match self.of.as_ref().or(self.option.as_ref()) {
            None => Meant::All,
            Some(file) if is_file(file) => {
                let document = Document::read(Path::new(file))?;
                let definition = Definition::parse(&document.bytes).into_result()?;
                let guest = Guest::of(&definition, &document, &Which::default())?;
                let ports = guest.attached(all.iter().map(|status| status.port.clone()).collect(), file)?;
                Meant::These(ports.into_iter().map(|port| port.dev).collect())
            }
            Some(network) => Meant::OfNetwork(network_name(network)?),
        })
    }
}

impl Meant {
    fn has(&self, port: &KnownPort) -> bool {
        match self {
            Self::All => true,
            Self::OfNetwork(network) => port.network.as_ref() == Some(network),
            Self::These(ports) => ports.contains(&port.dev),
        }
    }
}
