//! The addresses that guests got by DHCP.

use vnet_dnsmasq::Client;
use vnet_driver::{Driver, Error, LeaseOfNetwork};
use vnet_rpc::{ErrorCode, NetworkRef, RemoteLease, Reply};
use vnet_types::MacAddr;

use super::known::find;
use super::only_flags;
use crate::refusal::{self, Refusal};

pub(super) fn leases(
    driver: &Driver,
    network: &NetworkRef,
    mac: Option<&str>,
    need_results: bool,
    flags: u32,
) -> Result<Reply, Refusal> {
    only_flags(flags, 0, "networkGetDHCPLeases")?;
    let bad = |text: &str| refusal::network(ErrorCode::InvalidMac, text);
    let wanted = mac.map(|text| text.parse::<MacAddr>().map_err(|_| bad(text))).transpose()?;
    let known = find(driver, network)?;
    let leases = match driver.leases(&known.name) {
        Ok(leases) if known.is_active => leases.leases,
        Ok(_) | Err(Error::NotRunning(_)) => Vec::new(),
        Err(error) => return Err(refusal::other(error)),
    };
    let bridge = driver.info(&known.name).map_err(refusal::other)?.bridge;
    let bridge = bridge.map(|bridge| bridge.to_string()).unwrap_or_default();
    let is_wanted = |lease: &LeaseOfNetwork| wanted.is_none_or(|wanted| lease.lease.client == Client::Mac(wanted));
    let leases: Vec<RemoteLease> = leases.into_iter().filter(is_wanted).map(|lease| remote(lease, &bridge)).collect();
    let count = u32::try_from(leases.len()).unwrap_or(u32::MAX);
    Ok(Reply::Leases { leases: if need_results { leases } else { Vec::new() }, count })
}

fn remote(lease: LeaseOfNetwork, bridge: &str) -> RemoteLease {
    let LeaseOfNetwork { lease, prefix, .. } = lease;
    let is_v6 = lease.ip.is_ipv6();
    let (mac, iaid) = match &lease.client {
        Client::Iaid(_) | Client::TemporaryIaid(_) => (None, Some(lease.client.to_string())),
        _ => (Some(lease.client.to_string()), None),
    };
    RemoteLease {
        interface: bridge.to_owned(),
        expiry: lease.expiry.map_or(0, |expiry| i64::try_from(expiry).unwrap_or(i64::MAX)),
        family: i32::from(is_v6),
        mac,
        iaid,
        ip: lease.ip.to_string(),
        prefix: prefix.map_or(if is_v6 { 128 } else { 32 }, u32::from),
        hostname: lease.hostname,
        client_id: lease.client_id,
    }
}
