//! `<ip>`: the subnets of a network and the bridge's address in each.

use std::collections::HashMap;
use std::net::IpAddr;

use vnet_types::{Family, IpNet, contiguous_prefix};
use vnet_xml::network::{Ip, Mask};
use vnet_xml::{Edit, Network, NodePath};

use crate::finding::Finding;
use crate::subnets::{hosts, ips, mask_path, overlapping, reserved};
use crate::{rules, words};

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let has_dns = network.dns.as_ref().and_then(|dns| dns.enable) != Some(false);
    let mut findings = Vec::new();
    for (path, ip) in ips(network, root) {
        findings.extend(family(ip, &path));
        findings.extend(size(ip, &path).or_else(|| address(ip, &path)));
        findings.extend(autoconfiguration(network, ip, &path));
        findings.extend(tftp(ip, &path));
        findings.extend(ptr_zone(ip, &path).filter(|_| has_dns));
    }
    findings.extend(twice(network, root));
    findings.extend(overlaps(network, root));
    findings
}

fn twice(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut first = HashMap::new();
    let mut findings = Vec::new();
    for (index, ip) in network.ips.iter().enumerate() {
        let other = *first.entry(ip.address).or_insert(index);
        if other != index {
            let message = format!("the bridge is given the address `{}` twice", ip.address);
            let finding = Finding::new(rules::IP_ADDRESS_TWICE, root.nth("ip", index).attribute("address"), message);
            let finding = finding.related(root.nth("ip", other).attribute("address"), "the first one is here");
            let finding = finding.help("leave one `<ip>` out, or write another address");
            findings.push(finding.remove_if(*ip == network.ips[other], root.nth("ip", index)));
        }
    }
    findings
}

fn family(ip: &Ip, path: &NodePath) -> Option<Finding> {
    let actual = Family::of(ip.address);
    if ip.family.unwrap_or(Family::Ipv4) == actual {
        return None;
    }
    let message = match ip.family {
        Some(written) => format!("the family is {written}, but the address `{}` is {actual}", ip.address),
        None => format!("the address `{}` is {actual}, but without a family it has to be ipv4", ip.address),
    };
    let at = path.attribute(if ip.family.is_some() { "family" } else { "address" });
    let finding = Finding::new(rules::IP_FAMILY, at, message).help(format!("write `family='{actual}'`"));
    Some(finding.fix(Edit::attribute(path.attribute("family"), actual)))
}

/// Checks the netmask or prefix that gives the size of the subnet.
fn size(ip: &Ip, path: &NodePath) -> Option<Finding> {
    let at = mask_path(path, ip.mask);
    let bits = Family::of(ip.address).bits();
    match ip.mask {
        Some(Mask::Netmask(netmask)) if ip.address.is_ipv6() => {
            let message = format!("an IPv6 subnet has a prefix, not the netmask `{netmask}`");
            Some(Finding::new(rules::IP_NETMASK, at, message).help("write `prefix='64'`"))
        }
        Some(Mask::Netmask(netmask)) if netmask.is_unspecified() => {
            let message = format!("the netmask `{netmask}` makes all addresses there are the subnet");
            Some(Finding::new(rules::IP_NETMASK, at, message).help("write for example `netmask='255.255.255.0'`"))
        }
        Some(Mask::Netmask(netmask)) if contiguous_prefix(netmask).is_none() => Some(
            Finding::new(rules::IP_NETMASK, at, format!("the netmask `{netmask}` has holes")).help(no_holes(netmask)),
        ),
        Some(Mask::Prefix(prefix)) if prefix > bits.into() => {
            let message = format!("the prefix {prefix} is longer than an {} address", Family::of(ip.address));
            let usual = if ip.address.is_ipv4() { 24 } else { 64 };
            let help = format!("write 1 to {bits}, for example `prefix='{usual}'`");
            Some(Finding::new(rules::IP_PREFIX_TOO_LONG, at, message).help(help))
        }
        Some(Mask::Prefix(1..) | Mask::Netmask(_)) => None,
        Some(Mask::Prefix(0)) | None => by_class(ip, at),
    }
}

fn by_class(ip: &Ip, at: NodePath) -> Option<Finding> {
    let IpAddr::V4(address) = ip.address else { return None };
    // No host can have this address; that is the mistake to report.
    if address.is_unspecified() {
        return None;
    }
    match ip.net() {
        None => {
            let message =
                format!("the address `{address}` has neither netmask nor prefix, and its class has no default");
            Some(Finding::new(rules::IP_PREFIX_MISSING, at, message).help("write a unicast address and `prefix='24'`"))
        }
        Some(net) => {
            let message =
                format!("without netmask or prefix, `{address}` makes the whole of {} the subnet", net.trunc());
            let help =
                format!("say how large it is: `prefix='24'`, or `prefix='{}'` if that is meant", net.prefix_len());
            Some(Finding::new(rules::IP_PREFIX_BY_CLASS, at, message).help(help))
        }
    }
}

/// The contiguous netmask that was probably intended by a netmask with holes.
pub(crate) fn no_holes(netmask: std::net::Ipv4Addr) -> String {
    let ones = netmask.to_bits().leading_ones().max(1);
    let instead = std::net::Ipv4Addr::from(u32::MAX << (32 - ones));
    format!("the one bits of a netmask stand together on the left: `{instead}` is prefix {ones}")
}

/// Why a bridge cannot have the address.
fn address(ip: &Ip, path: &NodePath) -> Option<Finding> {
    let net = ip.net()?;
    let address = ip.address;
    let at = path.attribute("address");
    let what = if address.is_multicast() {
        "a multicast address"
    } else if address.is_unspecified() {
        "no address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if let Some(what) = reserved(net, address) {
        let (first, _) = hosts(net);
        let help = format!("write an address of a host in the subnet, such as `{first}`");
        let (rule, message) = match address == net.network() {
            // Linux lets a host use it since 5.14.
            true => (
                rules::IP_FIRST_ADDRESS,
                format!("`{address}` names the subnet {}: some systems do not send to it", net.trunc()),
            ),
            false => (
                rules::IP_ADDRESS_NOT_A_HOST,
                format!("the bridge cannot have `{address}`: it is the {what} of {}", net.trunc()),
            ),
        };
        return Some(Finding::new(rule, at, message).help(help));
    } else {
        return anycast(net, at);
    };
    let message = format!("the bridge cannot have `{address}`: it is {what}");
    let help = format!("write an address for private use, such as `{}`", private(address));
    Some(Finding::new(rules::IP_ADDRESS_NOT_A_HOST, at, message).help(help))
}

fn anycast(net: IpNet, at: NodePath) -> Option<Finding> {
    if net.addr().is_ipv4() || net.prefix_len() >= 127 || net.trunc() != net {
        return None;
    }
    let message = format!("`{}` is the anycast address of all routers of {net}", net.addr());
    let help = format!("write an address of one host, such as `{}`", hosts(net).0);
    Some(Finding::new(rules::IP_ADDRESS_ANYCAST, at, message).help(help))
}

/// Without DHCPv6, guests choose their own addresses, which works in a /64 only (RFC 4862, RFC
/// 7421).
fn autoconfiguration(network: &Network, ip: &Ip, path: &NodePath) -> Option<Finding> {
    let gives = ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty() || !dhcp.hosts.is_empty());
    let net = ip.net().filter(|net| net.addr().is_ipv6() && net.prefix_len() != 64)?;
    if gives || !network.forward_mode().has_own_bridge() {
        return None;
    }
    let message = format!("guests cannot make themselves an address in {}: that takes a prefix of 64", net.trunc());
    let finding = Finding::new(rules::IP_NO_AUTOCONFIGURATION, mask_path(path, ip.mask), message);
    Some(finding.help("write `prefix='64'`, or add `<dhcp>` with a range"))
}

fn private(like: IpAddr) -> &'static str {
    if like.is_ipv4() { "192.168.100.1" } else { "fd00:100::1" }
}

fn tftp(ip: &Ip, path: &NodePath) -> Option<Finding> {
    let root = ip.tftp_root.as_ref()?;
    let element = path.element("tftp");
    if ip.address.is_ipv6() {
        let finding = Finding::new(rules::IP_TFTP_FAMILY, element, "TFTP is for IPv4 subnets only");
        return Some(finding.help("move `<tftp>` to an IPv4 `<ip>`, or leave it out"));
    }
    words::some_text(element.attribute("root"), "the TFTP root", root)
}

/// A reverse zone ends at a whole octet or nibble of an address.
fn ptr_zone(ip: &Ip, path: &NodePath) -> Option<Finding> {
    if ip.local_ptr != Some(true) {
        return None;
    }
    let net = ip.net()?;
    let (step, last) = if net.addr().is_ipv4() { (8, 24) } else { (4, 124) };
    let prefix = net.prefix_len();
    if prefix % step == 0 && (step..=last).contains(&prefix) {
        return None;
    }
    let message = format!("there is no reverse DNS zone for just {}", net.trunc());
    let nearest = (prefix / step * step).clamp(step, last);
    let finding = Finding::new(rules::IP_PTR_ZONE, path.attribute("localPtr"), message);
    let help = format!("leave `localPtr` out, or use a prefix that is a multiple of {step}, such as {nearest}");
    Some(finding.help(help))
}

fn overlaps(network: &Network, root: &NodePath) -> Vec<Finding> {
    let span = |ip: &Ip| {
        // A subnet of prefix 0 would overlap every other one.
        let net = ip.net().filter(|net| net.prefix_len() > 0)?;
        Some((net.network(), net.broadcast()))
    };
    let spans: Vec<_> = network.ips.iter().map(span).collect();
    let finding = |(index, other): (usize, usize)| {
        let net = |index: usize| network.ips[index].net().map(|net| net.trunc());
        let (net, other_net) = (net(index)?, net(other)?);
        // A bridge may have two addresses in one subnet.
        if network.ips[index].address == network.ips[other].address {
            return None;
        }
        let message = format!("the subnet {net} overlaps {other_net}, another subnet of this network");
        let path = root.nth("ip", index).attribute("address");
        let finding = Finding::new(rules::IP_SUBNETS_OVERLAP, path, message);
        let finding = finding.related(root.nth("ip", other).attribute("address"), format!("{other_net} is here"));
        Some(finding.help("give each `<ip>` a subnet of its own, unless the bridge is to have two addresses in it"))
    };
    overlapping(&spans).into_iter().filter_map(finding).collect()
}
