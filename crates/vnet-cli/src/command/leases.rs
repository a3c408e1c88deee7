//! `vnet leases NAME`: lists the addresses that guests got by DHCP.

use std::net::IpAddr;

use serde::Serialize;
use vnet_dnsmasq::Client;
use vnet_driver::LeaseOfNetwork;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, Format, FormatOption, note, print, print_json};
use crate::style::WARNING;
use crate::table::table;
use crate::time::utc;

/// List the addresses that a network's guests got by DHCP; times are in UTC
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    leases: Vec<LeaseJson>,
    /// The lines of dnsmasq's file that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

#[derive(Serialize)]
struct LeaseJson {
    /// Seconds since 1970. `None`: the lease never expires.
    expires: Option<u64>,
    mac: Option<String>,
    family: &'static str,
    address: IpAddr,
    prefix: Option<u8>,
    hostname: Option<String>,
    client_id: Option<String>,
}

impl Args {
    /// Reads and prints the leases.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let name = network_name(&self.network)?;
        let found = match directories.driver()?.leases(&name) {
            Ok(leases) => leases,
            Err(error) => return failure::answer(error),
        };
        let leases: Vec<LeaseJson> = found.leases.iter().map(LeaseJson::of).collect();
        let unreadable: Vec<String> =
            found.unreadable.iter().map(|error| format!("line {}: {}", error.line, error.source)).collect();
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), leases, unreadable })?,
            Format::Human => {
                for line in unreadable {
                    let file = found.file.display();
                    note(format_args!("{WARNING}warning{WARNING:#}: `{file}` has a line that is no lease: {line}\n"));
                }
                let header = ["Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"];
                print(table(header, &leases.iter().map(LeaseJson::row).collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }
}

impl LeaseJson {
    fn of(LeaseOfNetwork { lease, prefix, .. }: &LeaseOfNetwork) -> Self {
        Self {
            expires: lease.expiry,
            mac: match &lease.client {
                Client::Mac(mac) => Some(mac.to_string()),
                _ => None,
            },
            family: if lease.ip.is_ipv4() { "ipv4" } else { "ipv6" },
            address: lease.ip,
            prefix: *prefix,
            hostname: lease.hostname.clone(),
            client_id: lease.client_id.clone(),
        }
    }

    fn row(&self) -> [String; 6] {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [
            self.expires.map_or_else(|| "never".to_owned(), utc),
            or_dash(&self.mac),
            self.family.to_owned(),
            self.prefix.map_or_else(|| self.address.to_string(), |prefix| format!("{}/{prefix}", self.address)),
            or_dash(&self.hostname),
            or_dash(&self.client_id),
        ]
    }
}
