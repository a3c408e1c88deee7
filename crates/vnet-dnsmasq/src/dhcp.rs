//! The options for DHCP and for booting.

use std::net::IpAddr;
use std::path::Path;

use vnet_types::{AddressRange, Family, IpNet};

use crate::hosts::{dhcp_host, lease_time};
use crate::line::{Lines, in_quotes, path, quoted};
use crate::{Boot, Dhcp, Error, Field, Subnet};

/// The subnets with DHCP: at most one of each family.
pub(crate) struct ActiveDhcp<'a> {
    v4: Option<(&'a Subnet, &'a Dhcp)>,
    v6: Option<(&'a Subnet, &'a Dhcp)>,
}

impl<'a> ActiveDhcp<'a> {
    pub(crate) fn find(subnets: &'a [Subnet]) -> Result<Self, Error> {
        let mut found = Self { v4: None, v6: None };
        for subnet in subnets {
            let Some(dhcp) = subnet.active_dhcp() else { continue };
            let family = Family::of(subnet.net.addr());
            let slot = match family {
                Family::Ipv4 => &mut found.v4,
                Family::Ipv6 => &mut found.v6,
            };
            if let Some((first, _)) = slot.replace((subnet, dhcp)) {
                return Err(Error::SecondDhcp { family, first: first.net, second: subnet.net });
            }
        }
        Ok(found)
    }

    /// Writes the options and returns the hosts file.
    pub(crate) fn render(&self, conf: &mut Lines, hosts_path: &Path) -> Result<String, Error> {
        let mut hosts = Lines::default();
        let mut addresses = 0;
        for (subnet, dhcp) in self.v4.iter().chain(&self.v6) {
            addresses += ranges(conf, subnet.net, dhcp)?;
            if subnet.net.addr().is_ipv4() {
                conf.plain("dhcp-no-override");
                conf.plain("dhcp-authoritative");
            }
            dhcp.boot.iter().try_for_each(|file| boot(conf, file, subnet.net))?;
            dhcp.hosts.iter().try_for_each(|host| dhcp_host(&mut hosts, host, subnet.net))?;
        }
        if addresses > 0 {
            conf.plain(&format!("dhcp-lease-max={addresses}"));
        }
        if self.v4.is_some() || self.v6.is_some() {
            path(conf, "dhcp-hostsfile", hosts_path)?;
        }
        Ok(hosts.text)
    }
}

pub(crate) fn tftp(conf: &mut Lines, subnets: &[Subnet]) -> Result<(), Error> {
    let roots = subnets.iter().filter_map(|subnet| subnet.tftp_root.as_deref().map(|root| (subnet.net, root)));
    for (number, (net, root)) in roots.enumerate() {
        if net.addr().is_ipv6() {
            return Err(Error::OnlyIpv4 { field: Field::TftpRoot, net });
        }
        if root.is_empty() {
            return Err(Error::Empty(Field::TftpRoot));
        }
        if number == 0 {
            conf.plain("enable-tftp");
        }
        conf.push(Field::TftpRoot, format_args!("tftp-root={}", quoted(Field::TftpRoot, root)?))?;
    }
    Ok(())
}

/// Writes the ranges and counts their addresses.
fn ranges(conf: &mut Lines, net: IpNet, dhcp: &Dhcp) -> Result<u64, Error> {
    let mask = match net {
        IpNet::V4(v4) => v4.netmask().to_string(),
        IpNet::V6(v6) => v6.prefix_len().to_string(),
    };
    let mut addresses = 0;
    for range in &dhcp.ranges {
        let (start, end) = (range.addresses.start(), range.addresses.end());
        if start.is_ipv4() != net.addr().is_ipv4() {
            return Err(Error::Family { field: Field::DhcpRange, address: start, net });
        }
        addresses += size(range.addresses)?;
        let lease = range.lease.map(lease_time).transpose()?.map_or(String::new(), |time| format!(",{time}"));
        conf.push(Field::DhcpRange, format_args!("dhcp-range={start},{end},{mask}{lease}"))?;
    }
    if dhcp.ranges.is_empty() {
        let mask = if net.addr().is_ipv4() { String::new() } else { format!(",{mask}") };
        conf.push(Field::DhcpRange, format_args!("dhcp-range={},static{mask}", net.addr()))?;
    }
    Ok(addresses)
}

fn size(range: AddressRange) -> Result<u64, Error> {
    let number = |address| match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let distance = number(range.end()) - number(range.start());
    match u16::try_from(distance) {
        Ok(distance) => Ok(u64::from(distance) + 1),
        Err(_) => Err(Error::RangeTooLarge { start: range.start(), end: range.end() }),
    }
}

fn boot(conf: &mut Lines, boot: &Boot, net: IpNet) -> Result<(), Error> {
    if net.addr().is_ipv6() {
        return Err(Error::OnlyIpv4 { field: Field::BootFile, net });
    }
    let is_tag = boot.file.starts_with("tag:") || boot.file.starts_with("net:");
    let file = match boot.file.as_str() {
        "" => return Err(Error::Empty(Field::BootFile)),
        tag if is_tag => in_quotes(Field::BootFile, tag)?.into(),
        file => quoted(Field::BootFile, file)?,
    };
    match boot.server {
        None => conf.push(Field::BootFile, format_args!("dhcp-boot={file}")),
        Some(IpAddr::V4(server)) => conf.push(Field::BootFile, format_args!("dhcp-boot={file},,{server}")),
        Some(address) => Err(Error::Family { field: Field::BootServer, address, net }),
    }
}

pub(crate) fn mtu(conf: &mut Lines, size: u32) -> Result<(), Error> {
    if size > u16::MAX.into() {
        return Err(Error::Mtu(size));
    }
    conf.plain(&format!("dhcp-option=option:mtu,{size}"));
    Ok(())
}

/// Writes the router advertisements. With DHCPv6 they are for its ranges; without DHCPv6, every
/// IPv6 subnet is announced for SLAAC.
pub(crate) fn router_advertisements(conf: &mut Lines, subnets: &[Subnet], dhcp: &ActiveDhcp<'_>) -> Result<(), Error> {
    if dhcp.v6.is_some() {
        conf.plain("enable-ra");
        return Ok(());
    }
    let v6 = subnets.iter().map(|subnet| subnet.net.addr()).filter(IpAddr::is_ipv6);
    v6.into_iter().try_for_each(|addr| conf.push(Field::DhcpRange, format_args!("dhcp-range={addr},ra-only")))
}
