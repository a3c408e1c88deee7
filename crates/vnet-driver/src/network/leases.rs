//! The addresses that guests got by DHCP.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vnet_dnsmasq::{Lease, ParseLeasesError, parse_leases};
use vnet_plan::{LinkAddress, Resource};
use vnet_types::{IpNet, NetworkName};
use vnet_xml::network::Ip;

use crate::driver::Driver;
use crate::error::Error;

/// A lease, with the prefix of its subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseOfNetwork {
    /// The lease.
    pub lease: Lease,
    /// The prefix length of the network's subnet that contains the address.
    pub prefix: Option<u8>,
}

/// The leases of a network, and the lines of its file that are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leases {
    /// The valid leases, by client.
    pub leases: Vec<LeaseOfNetwork>,
    /// The file.
    pub file: PathBuf,
    /// The lines of it that cannot be read.
    pub unreadable: Vec<ParseLeasesError>,
}

/// How often the file is read again while dnsmasq writes it.
const ATTEMPTS: usize = 5;

impl Driver {
    /// The valid leases of a network that runs or is defined.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Read`] when dnsmasq's file cannot be read; those of
    /// [`kept`](Self::kept).
    pub fn leases(&self, network: &NetworkName) -> Result<Leases, Error> {
        let subnets = self.subnets(network)?;
        let of_network = |lease: Lease| {
            let prefix = prefix_of(&subnets, lease.ip);
            LeaseOfNetwork { lease, prefix }
        };
        let file = self.lease_file(network);
        let (leases, unreadable) = current(&file)?;
        Ok(Leases { leases: leases.into_iter().map(of_network).collect(), file, unreadable })
    }

    /// The subnets of a network, with the host's address in them.
    pub(super) fn subnets(&self, network: &NetworkName) -> Result<Vec<IpNet>, Error> {
        if let Some(receipt) = self.store.receipt(network)? {
            let addresses = receipt.owned.iter().filter_map(|resource| match resource {
                Resource::Address(LinkAddress { address, .. }) => Some(address.net),
                _ => None,
            });
            return Ok(addresses.collect());
        }
        let kept = self.kept(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        Ok(kept.ips.iter().filter_map(Ip::net).collect())
    }

    /// The number of valid leases.
    pub(super) fn count_leases(&self, network: &NetworkName) -> Result<usize, Error> {
        Ok(self.current_leases(network)?.len())
    }

    /// The valid leases.
    pub(crate) fn current_leases(&self, network: &NetworkName) -> Result<Vec<Lease>, Error> {
        Ok(current(&self.lease_file(network))?.0)
    }

    /// dnsmasq's file.
    pub(crate) fn lease_file(&self, network: &NetworkName) -> PathBuf {
        self.data.leases(network)
    }
}

/// The valid leases of a file, and its lines that are none. dnsmasq rewrites the file in place, so
/// a file with such lines is read again.
fn current(file: &Path) -> Result<(Vec<Lease>, Vec<ParseLeasesError>), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
    let (mut leases, mut unreadable) = (Vec::new(), Vec::new());
    for _ in 0..ATTEMPTS {
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|source| Error::Read { path: file.to_owned(), source })?,
        };
        (leases, unreadable) = (Vec::new(), Vec::new());
        for line in parse_leases(&text) {
            match line {
                Ok(lease) => leases.push(lease),
                Err(error) => unreadable.push(error),
            }
        }
        if unreadable.is_empty() {
            break;
        }
    }
    leases.retain(|lease| lease.expiry.is_none_or(|expiry| expiry >= now));
    leases.sort_by_cached_key(|lease| (lease.client.to_string(), lease.ip));
    Ok((leases, unreadable))
}

/// The prefix length of the subnet that contains an address.
pub(super) fn prefix_of(subnets: &[IpNet], ip: IpAddr) -> Option<u8> {
    subnets.iter().find(|subnet| subnet.contains(&ip)).map(IpNet::prefix_len)
}
