//! Each rule, with a network that breaks it and one that almost does.

#![allow(clippy::unwrap_used)]

mod dhcp;
mod dns;
mod documents;
mod driver;
mod egress;
mod forward;
mod host;
mod interfaces;
mod ip;
mod network;
mod network_ports;
mod open_vswitch;
mod ovn;
mod route;
mod rules;
mod together;

use std::net::IpAddr;

use vnet_validate::{Finding, check};
use vnet_xml::Network;
use vnet_xml::network::{Dhcp, DhcpRange, Dns, Forward, ForwardMode, Ip, Mask, Route};

/// A valid network: 192.168.100.1/24 and fd00:100::1/64 behind NAT, with DHCP for IPv4.
fn nat() -> Network {
    let mut network = Network::new("lab");
    network.forward = Some(Forward::new(ForwardMode::Nat));
    let mut ip = Ip::new("192.168.100.1/24".parse().unwrap());
    ip.dhcp = Some(dhcp(&[("192.168.100.10", "192.168.100.99")]));
    network.ips = vec![ip, Ip::new("fd00:100::1/64".parse().unwrap())];
    network
}

fn dhcp(ranges: &[(&str, &str)]) -> Dhcp {
    let mut dhcp = Dhcp::default();
    dhcp.ranges = ranges.iter().map(|(start, end)| DhcpRange::new(addr(start), addr(end))).collect();
    dhcp
}

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// `192.168.100.1/24`, and an invalid prefix for any text that is not a prefix.
fn ip(text: &str) -> Ip {
    let (address, prefix) = text.split_once('/').unwrap();
    let mut ip = Ip::new(if address.contains(':') { "fd00::1/64" } else { "10.0.0.1/8" }.parse().unwrap());
    ip.address = addr(address);
    ip.mask = Some(Mask::Prefix(prefix.parse().unwrap()));
    ip
}

/// `10.30.0.0/16 via 192.168.100.2`, whatever the address.
fn route(text: &str) -> Route {
    let (destination, gateway) = text.split_once(" via ").unwrap();
    let (address, prefix) = destination.split_once('/').unwrap();
    let gateway = addr(gateway);
    let mut route = Route::new(if gateway.is_ipv6() { "::/0" } else { "0.0.0.0/0" }.parse().unwrap(), gateway);
    route.address = Some(addr(address));
    route.mask = Some(Mask::Prefix(prefix.parse().unwrap()));
    route
}

fn dns(network: &mut Network) -> &mut Dns {
    network.dns.get_or_insert_default()
}

/// `VN0101 /network/name` for each finding.
fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {}", finding.code, finding.path)).collect()
}

/// Checks the good network with a change.
#[track_caller]
fn assert_found(change: fn(&mut Network), expected: &[&str]) {
    let mut network = nat();
    change(&mut network);
    let findings = check(&network);
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.help.is_some()), "all have help: {findings:#?}");
}
