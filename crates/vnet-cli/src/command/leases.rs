//! `vnet leases [NAME] [MAC]`: lists the addresses of guests.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::Serialize;
use vnet_dnsmasq::ParseLeasesError;
use vnet_driver::{AddressOfGuest, AddressSource, Driver, Leases, NetworkName};
use vnet_types::MacAddr;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure::{self, apart};
use crate::output::{Answer, Format, FormatOption, note, plain, print, print_json};
use crate::style::WARNING;
use crate::table::table;
use crate::time::{duration, utc};

/// List the addresses of guests, of one network or of all that run; times are in UTC
///
/// An address comes from a lease of DHCP, from a reservation in the definition for a guest that has
/// no lease, or from a guest that has answered there and never asked DHCP (arp).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name, and the MAC address of a guest
    #[arg(value_name = "NAME|MAC", num_args = 0..=2)]
    words: Vec<String>,
    /// The MAC address of a guest
    #[arg(long, value_name = "MAC")]
    mac: Option<MacAddr>,
    /// Where addresses come from [default: all]
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    source: Vec<Source>,
    /// Wait until this guest has a lease, and print it
    #[arg(long, value_name = "MAC", conflicts_with_all = ["mac", "source"])]
    wait: Option<MacAddr>,
    /// How long to wait: 30s, 2m; then the exit code is 1
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, requires = "wait")]
    timeout: Duration,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Source {
    /// DHCP gave it
    Lease,
    /// The definition reserves it
    Reservation,
    /// A guest has answered there
    Arp,
}

/// What is known of the addresses of guests.
struct Found {
    addresses: Vec<AddressOfGuest>,
    /// The lines of dnsmasq's files that cannot be read.
    lines: Vec<String>,
    /// The networks that cannot be read.
    unread: Vec<anyhow::Error>,
}

#[derive(Serialize)]
struct Report {
    network: Option<String>,
    leases: Vec<AddressJson>,
    /// The lines of dnsmasq's files that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

#[derive(Serialize)]
struct AddressJson {
    network: String,
    source: AddressSource,
    /// Seconds since 1970. `None`: it never expires.
    expires: Option<u64>,
    mac: Option<String>,
    family: &'static str,
    address: IpAddr,
    prefix: Option<u8>,
    hostname: Option<String>,
    client_id: Option<String>,
    port: Option<String>,
    guest: Option<String>,
}

impl Args {
    /// Reads and prints the addresses.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let (network, mac) = self.words()?;
        if let Some(guest) = self.wait {
            let found = driver.wait_for_lease(network.as_ref(), guest, Instant::now() + self.timeout)?;
            let Some(found) = found else {
                let where_to = network.map(|name| format!(" in network `{name}`")).unwrap_or_default();
                let message = format!("{guest} got no lease{where_to} within {:?}", self.timeout);
                return failure::refuse(failure::advised(message, "`vnet doctor` says what keeps guests from one"));
            };
            self.print(network.as_ref(), &[found], Vec::new())?;
            return Ok(Answer::Yes);
        }
        let Found { mut addresses, lines, unread } = match self.addresses(&driver, network.as_ref()) {
            Ok(found) => found,
            Err(error) => return failure::answer(error),
        };
        let reading = failure::tell_unread(unread, false)?;
        addresses.retain(|address| mac.is_none() || address.mac == mac);
        addresses.sort_by_key(|address| (address.network.to_string(), address.mac, address.ip));
        self.print(network.as_ref(), &addresses, lines)?;
        Ok(reading)
    }

    /// The network and the MAC address. The words may name one of them, or both.
    fn words(&self) -> anyhow::Result<(Option<NetworkName>, Option<MacAddr>)> {
        Ok(match &self.words[..] {
            [] => (None, self.mac),
            [word] => match word.parse() {
                Ok(mac) => (None, Some(mac)),
                Err(_) => (Some(network_name(word)?), self.mac),
            },
            [network, mac, ..] => (Some(network_name(network)?), Some(mac.parse()?)),
        })
    }

    fn addresses(&self, driver: &Driver, network: Option<&NetworkName>) -> Result<Found, vnet_driver::Error> {
        let sources: Vec<AddressSource> = match &self.source[..] {
            [] => AddressSource::ALL.to_vec(),
            some => some.iter().map(|source| source.of_driver()).collect(),
        };
        if let Some(network) = network {
            let addresses = driver.addresses(network, &sources)?;
            return Ok(Found { addresses, lines: unreadable(driver.leases(network)?), unread: Vec::new() });
        }
        let mut networks = driver.networks()?;
        // An empty table would say that there is no address.
        if networks.iter().all(Result::is_err)
            && let Some(Err(unreadable)) = networks.pop()
        {
            return Err(unreadable.error.into());
        }
        let (networks, unread) = apart(networks);
        let mut found = Found { addresses: Vec::new(), lines: Vec::new(), unread };
        for network in networks {
            match driver.addresses(&network.name, &sources) {
                // It was stopped meanwhile.
                Err(vnet_driver::Error::NotRunning(_)) => {}
                some => {
                    found.addresses.extend(some?);
                    found.lines.extend(driver.leases(&network.name).into_iter().flat_map(unreadable));
                }
            }
        }
        Ok(found)
    }

    fn print(
        &self,
        network: Option<&NetworkName>,
        addresses: &[AddressOfGuest],
        unreadable: Vec<String>,
    ) -> anyhow::Result<()> {
        let leases: Vec<AddressJson> = addresses.iter().map(AddressJson::of).collect();
        match self.format.format {
            Format::Json => {
                print_json(&Report { network: network.map(ToString::to_string), leases, unreadable })?;
            }
            Format::Human => {
                for line in unreadable {
                    note(format_args!("{WARNING}warning{WARNING:#}: this is no lease: {}\n", plain(&line)));
                }
                let header = [
                    "Expiry Time",
                    "MAC address",
                    "Protocol",
                    "IP address",
                    "Hostname",
                    "Client ID or DUID",
                    "Guest",
                    "Network",
                    "Source",
                ];
                print(table(header, &leases.iter().map(AddressJson::row).collect::<Vec<_>>()))?;
            }
        }
        Ok(())
    }
}

/// What is wrong with the lines of dnsmasq's file that are no leases.
fn unreadable(leases: Leases) -> Vec<String> {
    let file = leases.file.display();
    let line = |error: &ParseLeasesError| format!("`{file}`, line {}: {}", error.line, error.source);
    leases.unreadable.iter().map(line).collect()
}

impl Source {
    fn of_driver(self) -> AddressSource {
        match self {
            Self::Lease => AddressSource::Lease,
            Self::Reservation => AddressSource::Reservation,
            Self::Arp => AddressSource::Arp,
        }
    }
}

impl AddressJson {
    fn of(address: &AddressOfGuest) -> Self {
        let lease = address.lease.as_ref();
        Self {
            network: address.network.to_string(),
            source: address.source,
            expires: lease.and_then(|lease| lease.expiry),
            mac: address.mac.map(|mac| mac.to_string()),
            family: if address.ip.is_ipv4() { "ipv4" } else { "ipv6" },
            address: address.ip,
            prefix: address.prefix,
            hostname: address.hostname.clone(),
            client_id: lease.and_then(|lease| lease.client_id.clone()),
            port: address.port.as_ref().map(ToString::to_string),
            guest: address.guest.clone(),
        }
    }

    fn row(&self) -> [String; 9] {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let (source, never) = match self.source {
            AddressSource::Lease => ("lease", "never"),
            AddressSource::Reservation => ("reservation", "-"),
            _ => ("arp", "-"),
        };
        [
            self.expires.map_or_else(|| never.to_owned(), utc),
            or_dash(&self.mac),
            self.family.to_owned(),
            self.prefix.map_or_else(|| self.address.to_string(), |prefix| format!("{}/{prefix}", self.address)),
            or_dash(&self.hostname),
            or_dash(&self.client_id),
            // A guest without a name is known by its port.
            or_dash(if self.guest.is_some() { &self.guest } else { &self.port }),
            self.network.clone(),
            source.to_owned(),
        ]
    }
}
