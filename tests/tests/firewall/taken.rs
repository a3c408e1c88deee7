//! libvirt's rules go network by network, and its tables with the last one.

use vnet_firewall::{Firewall, LibvirtRules};
use vnet_tests::isolate;
use vnet_xml::Network;

use crate::*;

const NAT: &str = "<network><name>a</name><forward><nat ipv6='yes'/></forward><bridge name='virbr0'/>
    <ip address='192.168.122.1' prefix='23'/><ip address='2001:db8:ca2:2::1' prefix='64' family='ipv6'/></network>";
/// Its subnet begins as that of the first one does.
const OTHER: &str = "<network><name>b</name><forward mode='nat'/><bridge name='virbr1'/>
    <ip address='192.168.122.1' prefix='24'/></network>";
const ISOLATED: &str = "<network><name>c</name><bridge name='virbr10'/><ip address='10.0.0.1' prefix='8'/></network>";

/// Removes libvirt's rules for a network.
fn take(network: &Network) {
    let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref()).unwrap();
    let subnets = network.ips.iter().filter_map(|ip| ip.net()).collect();
    let rules = LibvirtRules { bridge: bridge.to_string().parse().unwrap(), subnets };
    let firewall = Firewall::open().unwrap();
    assert!(firewall.has_rules_of_libvirt(&rules).unwrap());
    firewall.remove_rules_of_libvirt(&rules).unwrap();
    assert!(!firewall.has_rules_of_libvirt(&rules).unwrap());
    firewall.remove_rules_of_libvirt(&rules).unwrap();
}

/// The rules of libvirt's tables, without handles and counts.
fn theirs() -> Vec<String> {
    let listed = |family| run("nft", &["--stateless", "list", "table", family, "libvirt_network"]);
    ["ip", "ip6"].map(listed).concat().lines().map(str::to_owned).collect()
}

#[test]
fn each_network_alone() {
    isolate!();
    let networks = [NAT, OTHER, ISOLATED].map(|text| text.parse::<Network>().unwrap());
    ["virbr0", "virbr1", "virbr10"].into_iter().for_each(bridge);
    let [nat, other, isolated] = &networks;
    load(&libvirt::commands(&[other, isolated]));
    let without = theirs();
    load(&libvirt::rules(nat));
    assert_ne!(theirs(), without);
    take(nat);
    assert_eq!(theirs(), without);
    take(isolated);
    take(other);
    assert_eq!(tables(), "");
}

/// A rule that somebody has added stays, with the table.
#[test]
fn others_keep_the_table() {
    isolate!();
    bridge("virbr1");
    let network: Network = OTHER.parse().unwrap();
    load(&(libvirt::commands(&[&network]) + "add rule ip libvirt_network forward oifname \"vpn0\" drop\n"));
    take(&network);
    assert!(theirs().iter().any(|line| line.contains("vpn0")));
}
