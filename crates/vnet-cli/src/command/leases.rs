//! `vnet leases NAME`: the addresses that guests have from DHCP.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use vnet_dnsmasq::{Client, Lease, parse_leases};
use vnet_plan::{Files, HostState, LinkAddress, Resource};

use crate::definition::network_name;
use crate::directories::Directories;
use crate::host::Here;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::table::table;
use crate::time::{now, utc};

/// List the addresses that guests of a network have from DHCP; times are in UTC
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
}

#[derive(Serialize)]
struct LeaseJson {
    /// Seconds since 1970; `None`: never.
    expires: Option<u64>,
    mac: Option<String>,
    family: &'static str,
    address: IpAddr,
    prefix: Option<u8>,
    hostname: Option<String>,
    client_id: Option<String>,
}

impl Args {
    /// Reads and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = Here::open(directories)?;
        let name = network_name(&self.network)?;
        let Some(running) = here.running(&name)? else { return Here::refuse_absent(&name) };
        let current = current(&directories.store()?.directory(&name))?;
        let leases: Vec<LeaseJson> = current.iter().map(|lease| LeaseJson::new(lease, &running.desired)).collect();
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), leases })?,
            Format::Human => {
                let header = ["Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID"];
                print(table(header, &leases.iter().map(LeaseJson::row).collect::<Vec<_>>()))?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// The leases of a network that have not ended, by client. dnsmasq rewrites the file in place; what is read in the
/// middle of that is read again.
pub(crate) fn current(directory: &Path) -> anyhow::Result<Vec<Lease>> {
    const ATTEMPTS: usize = 5;
    let file = Files::new(directory).leases;
    let read = || -> anyhow::Result<Vec<Lease>> {
        match fs::read_to_string(&file) {
            Ok(text) => Ok(parse_leases(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    };
    let mut result = read();
    for _ in 1..ATTEMPTS {
        if result.is_ok() {
            break;
        }
        result = read();
    }
    let mut leases = result.with_context(|| format!("the leases in `{}` cannot be read", file.display()))?;
    leases.retain(|lease| lease.expiry.is_none_or(|expiry| expiry >= now()));
    leases.sort_by_cached_key(|lease| (lease.client.to_string(), lease.ip));
    Ok(leases)
}

impl LeaseJson {
    fn new(lease: &Lease, desired: &HostState) -> Self {
        let prefix = desired.iter().find_map(|resource| match resource {
            Resource::Address(LinkAddress { address, .. }) if address.net.contains(&lease.ip) => {
                Some(address.net.prefix_len())
            }
            _ => None,
        });
        Self {
            expires: lease.expiry,
            mac: match &lease.client {
                Client::Mac(mac) => Some(mac.to_string()),
                _ => None,
            },
            family: if lease.ip.is_ipv4() { "ipv4" } else { "ipv6" },
            address: lease.ip,
            prefix,
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
