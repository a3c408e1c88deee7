//! `<dhcp>`: the addresses that guests get. `reservation` checks those that are reserved for one
//! guest.

use std::net::{IpAddr, Ipv6Addr};

use vnet_types::{Family, IpNet};
use vnet_xml::network::{Bootp, Dhcp, DhcpRange, Ip};
use vnet_xml::{Edit, Network, NodePath};

use crate::finding::Finding;
use crate::subnets::{hosts, ips, overlapping, reserved};
use crate::{lease, reservation, rules, words};

/// The maximum number of addresses in a range.
const LARGEST_RANGE: u32 = 65_536;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut findings = two_subnets(network, root);
    for (path, ip) in ips(network, root) {
        let Some(dhcp) = &ip.dhcp else { continue };
        let path = path.element("dhcp");
        findings.extend(ranges(ip, dhcp, &path));
        findings.extend(reservation::check(ip, dhcp, &path));
        findings.extend(bootp(ip, dhcp, &path));
    }
    findings
}

/// dnsmasq serves one subnet of each family of a network.
fn two_subnets(network: &Network, root: &NodePath) -> Vec<Finding> {
    let serves = |ip: &Ip| ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty());
    let mut findings = Vec::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        let mut serving = ips(network, root).filter(|(_, ip)| Family::of(ip.address) == family && serves(ip));
        let Some((first, _)) = serving.next() else { continue };
        findings.extend(serving.map(|(path, _)| {
            let message = format!("a second {family} subnet with DHCP: only one of each family can have it");
            Finding::new(rules::DHCP_TWO_SUBNETS, path.element("dhcp"), message)
                .related(first.element("dhcp"), "the first one is here")
                .help("move the ranges and hosts to the first one, or make a second network")
        }));
    }
    findings
}

fn ranges(ip: &Ip, dhcp: &Dhcp, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sound = Vec::new();
    for (index, range) in dhcp.ranges.iter().enumerate() {
        let path = path.nth("range", index);
        findings.extend(range.lease.and_then(|lease| lease::check(lease, &path)));
        let wrong = range_itself(ip, range, &path);
        sound.push(wrong.is_none().then_some((range.start, range.end)));
        findings.extend(wrong);
    }
    findings.extend(overlapping(&sound).into_iter().map(|(index, other)| {
        let (range, earlier) = (&dhcp.ranges[index], &dhcp.ranges[other]);
        let message = format!(
            "the range {} to {} overlaps the range {} to {}",
            range.start, range.end, earlier.start, earlier.end
        );
        Finding::new(rules::DHCP_RANGES_OVERLAP, path.nth("range", index).attribute("start"), message)
            .related(path.nth("range", other).attribute("start"), "the other range is here")
            .help("make one range of both, or let one end before the other starts")
    }));
    findings.extend(contains_bridge(ip, dhcp, path, &sound));
    findings
}

fn range_itself(ip: &Ip, range: &DhcpRange, path: &NodePath) -> Option<Finding> {
    let DhcpRange { start, end, .. } = *range;
    let family = Family::of(ip.address);
    let ends = [("start", start), ("end", end)];
    if let Some((name, address)) = ends.into_iter().find(|(_, address)| Family::of(*address) != family) {
        let message = format!("the {name} of the range, `{address}`, is not {family} as the subnet is");
        let finding = Finding::new(rules::DHCP_RANGE_FAMILY, path.attribute(name), message);
        return Some(finding.help(format!("move the range to an `<ip>` of family {}", Family::of(address))));
    }
    let net = ip.net()?;
    if let Some((name, address)) = ends.into_iter().find(|(_, address)| !net.contains(address)) {
        let message = format!("the {name} of the range, `{address}`, is outside the subnet {}", net.trunc());
        let (first, last) = hosts(net);
        let finding = Finding::new(rules::DHCP_RANGE_OUTSIDE_SUBNET, path.attribute(name), message);
        return Some(finding.help(format!("the addresses of the subnet are `{first}` to `{last}`")));
    }
    if end < start {
        let message = format!("the range is reversed: `{start}` comes after `{end}`");
        let finding = Finding::new(rules::DHCP_RANGE_REVERSED, path.attribute("start"), message);
        let finding = finding.help(format!("write `start='{end}' end='{start}'`"));
        let finding = finding.fix(Edit::attribute(path.attribute("start"), end));
        return Some(finding.fix(Edit::attribute(path.attribute("end"), start)));
    }
    let mut reserved_ends = ends.into_iter().filter_map(|end| Some((end, reserved(net, end.1)?)));
    if let Some(((name, address), what)) = reserved_ends.next() {
        let message = format!("the {name} of the range, `{address}`, is the {what} of {}", net.trunc());
        let finding = Finding::new(rules::DHCP_RANGE_RESERVED_ADDRESS, path.attribute(name), message);
        let (first, last) = hosts(net);
        let help = match name {
            "start" => format!("write `start='{first}'`"),
            _ => format!("write `end='{last}'`"),
        };
        return Some(finding.help(help));
    }
    if let Some(last) = last_of_largest(start).filter(|last| *last < end) {
        let message = format!("the range has more than {LARGEST_RANGE} addresses");
        let finding = Finding::new(rules::DHCP_RANGE_TOO_LARGE, path.attribute("end"), message);
        return Some(finding.help(format!("write `end='{last}'` or less")));
    }
    None
}

/// The last address of the largest range from `start`. libvirt requires the ends of an IPv6 range
/// to be equal except for the last group.
fn last_of_largest(start: IpAddr) -> Option<IpAddr> {
    match start {
        IpAddr::V4(v4) => Some(IpAddr::V4(v4.to_bits().checked_add(LARGEST_RANGE - 1)?.into())),
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from(v6.to_bits() | 0xffff))),
    }
}

fn contains_bridge(ip: &Ip, dhcp: &Dhcp, path: &NodePath, sound: &[Option<(IpAddr, IpAddr)>]) -> Option<Finding> {
    let net = ip.net()?;
    let contains = |range: &Option<(IpAddr, IpAddr)>| range.is_some_and(|(a, b)| a <= ip.address && ip.address <= b);
    let index = sound.iter().position(contains).filter(|_| reserved(net, ip.address).is_none())?;
    let range = &dhcp.ranges[index];
    let message = format!("the range contains `{}`, the bridge's own address", ip.address);
    let around = path.parent().unwrap_or_else(|| path.clone()).attribute("address");
    let finding = Finding::new(rules::DHCP_RANGE_CONTAINS_BRIDGE, path.nth("range", index).attribute("start"), message)
        .related(around, "the bridge has this address");
    Some(finding.help(without(ip.address, net, range)))
}

/// The help for a range that has to leave out one of its addresses.
fn without(address: IpAddr, net: IpNet, range: &DhcpRange) -> String {
    let next = |step: i8| match address {
        IpAddr::V4(v4) => IpAddr::V4(v4.to_bits().saturating_add_signed(step.into()).into()),
        IpAddr::V6(v6) => IpAddr::V6(v6.to_bits().saturating_add_signed(step.into()).into()),
    };
    if range.start == range.end {
        format!("the subnet {} has other addresses for guests", net.trunc())
    } else if range.start == address {
        format!("write `start='{}'`", next(1))
    } else if range.end == address {
        format!("write `end='{}'`", next(-1))
    } else {
        format!("write two ranges: one to `{}`, one from `{}`", next(-1), next(1))
    }
}

fn bootp(ip: &Ip, dhcp: &Dhcp, path: &NodePath) -> Vec<Finding> {
    let Some(Bootp { file, server }) = &dhcp.bootp else { return Vec::new() };
    let path = path.element("bootp");
    if ip.address.is_ipv6() {
        let finding = Finding::new(rules::BOOTP_IN_IPV6, path, "`<bootp>` does nothing in an IPv6 subnet");
        return vec![finding.help("move it to the `<dhcp>` of an IPv4 `<ip>`, or leave it out")];
    }
    if dhcp.ranges.is_empty() && dhcp.hosts.is_empty() {
        let message = "`<bootp>` does nothing without a `<range>` or a `<host>` beside it";
        let help = "add the addresses that guests are given";
        return vec![Finding::new(rules::BOOTP_WITHOUT_DHCP, path, message).help(help)];
    }
    let wrong_server = server.filter(IpAddr::is_ipv6).map(|server| {
        let message = format!("guests boot over IPv4, but the server `{server}` is ipv6");
        Finding::new(rules::BOOTP_SERVER_FAMILY, path.attribute("server"), message)
            .help("write the server's IPv4 address, or leave `server` out when this host is the server")
    });
    let wrong_file = words::some_text(path.attribute("file"), "the boot file", file);
    wrong_file.into_iter().chain(wrong_server).collect()
}
