//! DHCP: one row for each subnet and time of a lease, named by the ports whose address it gives.

use std::net::IpAddr;

use vnet_types::{Ipv4Net, MacAddr};
use vnet_xml::network::{Dhcp, Ip, Lease, LeaseUnit};

use crate::dhcp_value::{DhcpText, DhcpValue};
use crate::lower::{Context, MTU, OvnError, port_of};
use crate::{NorthboundTable, OvnGuest, dns};

/// The time of a lease where the definition has none, as dnsmasq has it.
const HOUR: u32 = 3600;

pub(crate) fn options(context: &mut Context<'_>) -> Result<(), OvnError> {
    for at in 0..context.subnets.len() {
        let (ip, net) = context.subnets[at];
        let Some(dhcp) = ip.dhcp.as_ref().filter(|_| ip.has_dhcp()) else { continue };
        for guest in context.guests {
            let Some(address) = guest.addresses.iter().find(|it| net.contains(*it)) else { continue };
            let time = lease(dhcp, guest, *address);
            let (role, column) = match address {
                IpAddr::V4(_) => (format!("dhcp {} {time}", net.trunc()), "dhcpv4_options"),
                IpAddr::V6(_) => (format!("dhcp {}", net.trunc()), "dhcpv6_options"),
            };
            let options = match ip.address {
                IpAddr::V4(_) => ipv4(context, ip, dhcp, time)?,
                IpAddr::V6(_) => ipv6(context, ip)?,
            };
            let row = context.row(NorthboundTable::DhcpOptions).text("cidr", net.trunc());
            let row = context.add(&role, row.map("options", options));
            context.refer(&port_of(guest), column, row);
        }
    }
    Ok(())
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
    let servers = dns::servers(context.network, ip.address);
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
    let own = context.network.routes.iter().filter_map(|route| match route.destination()? {
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
    let server = dns::servers(context.network, ip.address).into_iter().next();
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
