//! The two files of hosts: the reserved addresses (`--dhcp-hostsfile`), and the names for addresses
//! (`--addn-hosts`).

use std::net::{IpAddr, Ipv4Addr};

use vnet_types::IpNet;

use crate::line::{Lines, in_quotes, name, only, refused};
use crate::{DhcpHost, DnsHost, Error, Field, LeaseTime};

/// One line of the DHCP hosts file.
pub(crate) fn dhcp_host(lines: &mut Lines, host: &DhcpHost, net: IpNet) -> Result<(), Error> {
    if host.ip.is_ipv4() != net.addr().is_ipv4() {
        return Err(Error::Family { field: Field::DhcpHostAddress, address: host.ip, net });
    }
    let (known_by, address) = match host.ip {
        IpAddr::V4(v4) => (host.mac.as_ref().map(ToString::to_string), v4.to_string()),
        IpAddr::V6(_) if host.mac.is_some() => return Err(Error::OnlyIpv4 { field: Field::DhcpHostMac, net }),
        IpAddr::V6(v6) => (host.id.as_deref().map(client_id).transpose()?, format!("[{v6}]")),
    };
    let hostname = host.name.as_deref().map(dhcp_name).transpose()?;
    if known_by.is_none() && hostname.is_none() {
        return Err(Error::UnknownGuest(host.ip));
    }
    let lease = host.lease.map(lease_time).transpose()?;
    // libvirt writes the name of an IPv4 host after the address if the host has a MAC address, and
    // before the address otherwise.
    let fields = match (known_by, host.ip) {
        (Some(mac), IpAddr::V4(_)) => [Some(mac), Some(address), hostname, lease],
        (known_by, _) => [known_by, hostname, Some(address), lease],
    };
    let fields: Vec<String> = fields.into_iter().flatten().collect();
    // Only the id can be long.
    lines.push(Field::DhcpHostId, format_args!("{}", fields.join(",")))
}

/// The names for addresses: one line for each address, in the order of their first names.
pub(crate) fn addn_hosts(hosts: &[DnsHost]) -> Result<String, Error> {
    let mut merged: Vec<(IpAddr, String)> = Vec::new();
    for host in hosts {
        let known = merged.iter().position(|(ip, _)| *ip == host.ip);
        let at = known.unwrap_or_else(|| {
            merged.push((host.ip, format!("{}\t", host.ip)));
            merged.len() - 1
        });
        for hostname in &host.hostnames {
            merged[at].1.push_str(name(Field::DnsHostname, hostname)?);
            merged[at].1.push('\t');
        }
    }
    Ok(merged.into_iter().map(|(_, line)| line + "\n").collect())
}

/// The lease time, if dnsmasq can count it.
pub(crate) fn lease_time(time: LeaseTime) -> Result<String, Error> {
    if time.is_countable() { Ok(time.to_string()) } else { Err(Error::LeaseTime(time)) }
}

fn client_id(id: &str) -> Result<String, Error> {
    only(Field::DhcpHostId, id, |c| c.is_ascii_hexdigit() || c == ':').map(|id| format!("id:{id}"))
}

/// Writes a name in a field where dnsmasq first looks for keywords, times and addresses. A name
/// that looks like one of these is quoted.
fn dhcp_name(hostname: &str) -> Result<String, Error> {
    let hostname = name(Field::DhcpHostName, hostname)?;
    if let Some(first) = hostname.chars().next().filter(|first| !first.is_ascii_alphanumeric()) {
        return Err(refused(Field::DhcpHostName, hostname, first));
    }
    let number = hostname.strip_suffix(['s', 'm', 'h', 'd', 'w', 'S', 'M', 'H', 'D', 'W']).unwrap_or(hostname);
    let is_time = number.bytes().all(|byte| byte.is_ascii_digit());
    let is_word = matches!(hostname, "infinite" | "ignore");
    if is_time || is_word || hostname.parse::<Ipv4Addr>().is_ok() {
        in_quotes(Field::DhcpHostName, hostname)
    } else {
        Ok(hostname.to_owned())
    }
}
