//! DHCP: one row for each subnet and time of a lease, named by the ports whose address it gives.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vnet_types::{IpNet, Ipv4Net, MacAddr};
use vnet_xml::network::{Dhcp, Ip, Lease, LeaseUnit};

use crate::dhcp_value::{DhcpText, DhcpValue};
use crate::identity::row_of;
use crate::lower::{Context, MTU, OvnError, port_of};
use crate::{NorthboundTable, OvnGuest, dns, router};

/// The time of a lease where the definition has none, as dnsmasq has it.
const HOUR: u32 = 3600;

/// The rows of each subnet, one for each time that a lease of it can have, whether or not there is
/// a guest with it.
pub(crate) fn options(context: &mut Context<'_>) -> Result<(), OvnError> {
    for at in 0..context.subnets.len() {
        let (ip, net) = context.subnets[at];
        let Some(dhcp) = ip.dhcp.as_ref().filter(|_| ip.has_dhcp()) else { continue };
        for time in times(ip.address, dhcp) {
            let options = match ip.address {
                IpAddr::V4(_) => ipv4(context, ip, dhcp, time)?,
                IpAddr::V6(_) => ipv6(context, ip)?,
            };
            let row = context.row(NorthboundTable::DhcpOptions).text("cidr", net.trunc());
            context.add(&role(net, time), row.map("options", options));
        }
        for guest in context.guests {
            let Some(address) = guest.addresses.iter().find(|it| net.contains(*it)) else { continue };
            let column = if address.is_ipv4() { "dhcpv4_options" } else { "dhcpv6_options" };
            let row = row_of(context.uuid, &role(net, lease(dhcp, guest, *address)));
            context.refer(&port_of(guest), column, row);
        }
    }
    Ok(())
}

/// Leases of IPv6 have no time.
fn role(net: IpNet, time: u32) -> String {
    match net {
        IpNet::V4(net) => format!("dhcp {} {time}", net.trunc()),
        IpNet::V6(net) => format!("dhcp {}", net.trunc()),
    }
}

fn times(gateway: IpAddr, dhcp: &Dhcp) -> BTreeSet<u32> {
    if gateway.is_ipv6() {
        return BTreeSet::from([HOUR]);
    }
    let of = |lease: Option<Lease>| lease.map_or(HOUR, seconds);
    let ranges = dhcp.ranges.iter().map(|range| of(range.lease));
    // A reservation without a time has that of the range around it.
    ranges.chain(dhcp.hosts.iter().map(|host| of(host.lease))).chain([HOUR]).collect()
}

type Values = Vec<(String, DhcpValue)>;

fn ipv4(context: &Context<'_>, ip: &Ip, dhcp: &Dhcp, time: u32) -> Result<Values, OvnError> {
    let IpAddr::V4(gateway) = ip.address else { return Ok(Vec::new()) };
    let mtu = context.network.mtu.unwrap_or(MTU);
    let mut values = vec![
        ("server_id", DhcpValue::Address(gateway)),
        ("server_mac", DhcpValue::Mac(context.router_mac)),
        ("lease_time", DhcpValue::Seconds(time)),
        ("mtu", DhcpValue::Size(u16::try_from(mtu).unwrap_or(u16::MAX))),
    ];
    // libvirt tells guests of an isolated network no router.
    if context.outside.is_some() {
        values.push(("router", DhcpValue::Address(gateway)));
    }
    let servers = dns::name_servers(context.network, ip.address);
    if !servers.is_empty() {
        values.push(("dns_server", DhcpValue::Addresses(servers)));
    }
    if let Some(domain) = &context.network.domain {
        values.push(("domain_name", DhcpValue::Text(DhcpText::new(&domain.name)?)));
    }
    if let Some(bootp) = &dhcp.bootp {
        values.push(("bootfile_name", DhcpValue::Text(DhcpText::new(&bootp.file)?)));
        values.extend(bootp.server.and_then(v4).map(|it| ("next_server", DhcpValue::Address(it))));
    }
    let routes = routes(context, gateway);
    if !routes.is_empty() {
        values.push(("classless_static_route", DhcpValue::Routes(routes.clone())));
        values.push(("ms_classless_static_route", DhcpValue::Routes(routes)));
    }
    Ok(values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The routes that lead to guests, told to the others. A client that is told routes ignores the
/// router, so that is among them.
fn routes(context: &Context<'_>, gateway: std::net::Ipv4Addr) -> Vec<(Ipv4Net, std::net::Ipv4Addr)> {
    let own = router::routes(context.network).filter_map(|(_, route)| match route.destination()? {
        vnet_types::IpNet::V4(net) => Some((net, v4(route.gateway)?)),
        vnet_types::IpNet::V6(_) => None,
    });
    let mut routes: Vec<_> = own.collect();
    if !routes.is_empty() && context.outside.is_some() && routes.iter().all(|(net, _)| net.prefix_len() > 0) {
        routes.push((Ipv4Net::default(), gateway));
    }
    routes
}

fn ipv6(context: &Context<'_>, ip: &Ip) -> Result<Values, OvnError> {
    let mut values = vec![("server_id".to_owned(), DhcpValue::Mac(context.router_mac))];
    let server = dns::name_servers(context.network, ip.address).into_iter().next();
    values.extend(server.map(|it| ("dns_server".to_owned(), DhcpValue::Addresses(vec![it]))));
    if let Some(domain) = &context.network.domain {
        values.push(("domain_search".to_owned(), DhcpValue::Text(DhcpText::new(&domain.name)?)));
    }
    Ok(values)
}

fn v4(ip: IpAddr) -> Option<std::net::Ipv4Addr> {
    if let IpAddr::V4(ip) = ip { Some(ip) } else { None }
}

/// The time of the lease of an address: that of its reservation or of its range.
fn lease(dhcp: &Dhcp, guest: &OvnGuest, address: IpAddr) -> u32 {
    let is_it = |mac: MacAddr| mac == guest.mac;
    let host = dhcp.hosts.iter().find(|host| host.ip == address || host.mac.as_ref().is_some_and(|it| is_it(it.get())));
    let range = dhcp.ranges.iter().find(|range| range.start <= address && address <= range.end);
    let lease = host.and_then(|host| host.lease).or(range.and_then(|range| range.lease));
    lease.map_or(HOUR, seconds)
}

/// OVN has no word for a lease that never ends, but DHCP's number for it.
fn seconds(lease: Lease) -> u32 {
    let unit = match lease.unit {
        LeaseUnit::Seconds => 1,
        LeaseUnit::Minutes => 60,
        LeaseUnit::Hours => 3600,
    };
    if lease.expiry == 0 { u32::MAX } else { u32::try_from(lease.expiry.saturating_mul(unit)).unwrap_or(u32::MAX) }
}
