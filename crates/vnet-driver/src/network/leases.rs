//! The addresses that guests got by DHCP.

use std::fs;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use vnet_dnsmasq::{Lease, parse_leases};
use vnet_plan::{Files, LinkAddress, Resource};
use vnet_types::NetworkName;

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

/// How often the file is read again while dnsmasq writes it.
const ATTEMPTS: usize = 5;

impl Driver {
    /// The valid leases of a network, by client.
    ///
    /// # Errors
    /// [`Error::NotRunning`]; [`Error::Read`], [`Error::Kept`] when dnsmasq's file cannot be read.
    pub fn leases(&self, network: &NetworkName) -> Result<Vec<LeaseOfNetwork>, Error> {
        let receipt = self.store.receipt(network)?.ok_or_else(|| Error::NotRunning(network.clone()))?;
        let of_network = |lease: Lease| {
            let prefix = receipt.owned.iter().find_map(|resource| match resource {
                Resource::Address(LinkAddress { address, .. }) if address.net.contains(&lease.ip) => {
                    Some(address.net.prefix_len())
                }
                _ => None,
            });
            LeaseOfNetwork { lease, prefix }
        };
        Ok(self.current_leases(network)?.into_iter().map(of_network).collect())
    }

    /// The valid leases. dnsmasq rewrites the file in place, so an incomplete file is read again.
    pub(super) fn current_leases(&self, network: &NetworkName) -> Result<Vec<Lease>, Error> {
        let path = Files::new(&self.store.directory(network)).leases;
        let read = || match fs::read_to_string(&path) {
            Ok(text) => parse_leases(&text).map_err(|error| {
                let path = path.clone();
                Error::Kept { path, what: "a list of leases", source: error.into() }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(Error::Read { path: path.clone(), source }),
        };
        let mut result = read();
        for _ in 1..ATTEMPTS {
            if result.is_ok() {
                break;
            }
            result = read();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
        let mut leases = result?;
        leases.retain(|lease| lease.expiry.is_none_or(|expiry| expiry >= now));
        leases.sort_by_cached_key(|lease| (lease.client.to_string(), lease.ip));
        Ok(leases)
    }
}
