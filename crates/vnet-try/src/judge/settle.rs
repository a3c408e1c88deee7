//! Lets guests get their addresses and routes.

use std::net::IpAddr;
use std::time::Instant;

use vnet_lab::{dhcp4, dhcp6};
use vnet_types::{Family, IpNet, Ipv4Net, contiguous_prefix};

use crate::error::{Failed, Result};
use crate::guest::{Addressing, Guest};
use crate::world::Station;

/// The configuration of a guest.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) lease: Option<dhcp4::Lease>,
    /// Its addresses, in the order of its [`Addressing`]s.
    pub(super) addresses: Vec<Option<IpAddr>>,
}

/// What a guest takes of a DHCP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// A lease, which is written down with the guest's name.
    Lease,
    /// The offer of one, of which nothing stays.
    Offer,
}

/// Lets a guest get its addresses. Its routes come from DHCP or router advertisements. A configured
/// guest uses the network's own address as its gateway.
pub(super) fn settle(
    subnets: &[IpNet],
    guest: &Guest,
    station: &Station,
    takes: Takes,
    deadline: Instant,
) -> Result<Told> {
    let mut told = Told::default();
    for how in &guest.addresses {
        let got = match how {
            Addressing::Configured(net) => {
                station.add_address(*net)?;
                Some(net.addr())
            }
            Addressing::Advertised(net) => station.advertised(*net, deadline)?,
            Addressing::Leased(Family::Ipv4, _)
            | Addressing::Reserved(IpAddr::V4(_))
            | Addressing::Told(IpAddr::V4(_), _) => {
                told.lease = lease4(guest, station, takes, deadline)?;
                told.lease.as_ref().map(|lease| lease.address.into())
            }
            Addressing::Leased(Family::Ipv6, _)
            | Addressing::Reserved(IpAddr::V6(_))
            | Addressing::Told(IpAddr::V6(_), _) => lease6(subnets, guest, station, takes, deadline)?,
        };
        told.addresses.push(got);
    }
    // Only now: a guest without another address would ask for DHCP from this one.
    guest.behind.iter().try_for_each(|address| station.own(*address))?;
    told.addresses.iter().flatten().try_for_each(|address| station.wait_usable(*address, deadline))?;
    for how in &guest.addresses {
        let Addressing::Configured(net) = how else { continue };
        if let Some(own) = subnets.iter().find(|subnet| subnet.contains(&net.addr())) {
            station.default_route(own.addr())?;
        }
    }
    Ok(told)
}

fn lease4(guest: &Guest, station: &Station, takes: Takes, deadline: Instant) -> Result<Option<dhcp4::Lease>> {
    let client = dhcp4::Client { mac: guest.mac, hostname: guest.name.clone() };
    let lease = station.namespace.run(|| match takes {
        Takes::Lease => client.lease(&station.device, deadline),
        Takes::Offer => client.offer(&station.device, deadline),
    });
    let Some(lease) = lease.map_err(Failed::doing("cannot ask for DHCP"))? else { return Ok(None) };
    let prefix = lease.netmask.and_then(contiguous_prefix).unwrap_or(32);
    let net = Ipv4Net::new(lease.address, prefix).expect("at most 32 bits");
    station.add_address(net.into())?;
    if let Some(router) = lease.router {
        if !net.contains(&router) {
            // A router outside the subnet is on the link, as passt announces with a route of its
            // own (RFC 3442).
            station.on_link(router.into())?;
        }
        station.default_route(router.into())?;
    }
    Ok(Some(lease))
}

fn lease6(
    subnets: &[IpNet],
    guest: &Guest,
    station: &Station,
    takes: Takes,
    deadline: Instant,
) -> Result<Option<IpAddr>> {
    let own = || dhcp6::Client::new(guest.mac, guest.name.clone());
    // No client sends an identity that is not a DUID, so this guest uses its own.
    let client = guest.duid.as_deref().filter(|id| is_duid(id)).and_then(|id| own().with_duid(id));
    let client = client.unwrap_or_else(own);
    let lease = station.namespace.run(|| match takes {
        Takes::Lease => client.lease(station.index, deadline),
        Takes::Offer => client.offer(station.index, deadline),
    });
    let Some(address) = lease.map_err(Failed::doing("cannot ask for DHCPv6"))?.map(IpAddr::V6) else {
        return Ok(None);
    };
    // DHCPv6 does not tell the subnet: the router advertises it later. It is known from the
    // definition.
    let subnet = subnets.iter().find(|net| net.contains(&address));
    let prefix = subnet.map_or(128, IpNet::prefix_len);
    station.add_address(IpNet::new(address, prefix).expect("the prefix of a subnet"))?;
    Ok(Some(address))
}

/// Whether a text in libvirt's spelling is an identity that clients use (RFC 8415, section 11; RFC
/// 6355).
pub(super) fn is_duid(text: &str) -> bool {
    let bytes: Option<Vec<u8>> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let Some([0, kind, rest @ ..]) = bytes.as_deref() else { return false };
    match kind {
        // A link-layer address with a hardware type and a time.
        1 => rest.len() > 6,
        2 => rest.len() > 4,
        3 => rest.len() > 2,
        4 => rest.len() == 16,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_of_clients() {
        let duids = ["00:03:00:01:52:54:00:77:06:02", "0:1:0:1:18:aa:41:fe:52:54:0:96:f4:1e"];
        assert!(duids.into_iter().all(is_duid));
        assert!(!["01:52:54:00:77:06:01", "0:4:1", "", "0:3:xx:1:2"].into_iter().any(is_duid));
    }
}
