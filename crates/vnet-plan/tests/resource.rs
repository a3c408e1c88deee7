//! Receipts hold resources as JSON: a later version has to understand what an earlier one wrote.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use rstest::rstest;
use vnet_plan::Resource;

#[rstest]
#[case::vf(
    r#"{"resource":"vf","card":"eth0","settings":{"number":3,"mac":"52:54:00:00:00:01","vlan":7},"was":{"number":3,"mac":null,"vlan":null}}"#
)]
#[case::borrowed(r#"{"resource":"borrowed","link":"eth1","mac":"52:54:00:00:00:01","was":"52:54:00:00:00:02"}"#)]
#[case::link(
    r#"{"resource":"link","name":"virbr0","kind":{"bridge":{"stp":true,"forward_delay":200,"vlan_filtering":false}},"mac":"52:54:00:00:00:01","mtu":null,"up":true}"#
)]
#[case::vlan_filtering(r#"{"resource":"vlan-filtering","bridge":"br0","on":true}"#)]
#[case::port(
    r#"{"resource":"port","link":"vnet0","port":{"bridge":"virbr0","learning":true,"unicast_flood":true,"isolated":false,"neigh_suppress":false}}"#
)]
#[case::vlans(r#"{"resource":"vlans","link":"vnet0","vlans":[{"first":7,"last":7,"pvid":true,"untagged":true}]}"#)]
#[case::fdb(r#"{"resource":"fdb","mac":"52:54:00:00:00:01","port":"vnet0","vlan":null,"origin":"static"}"#)]
#[case::coalesce(r#"{"resource":"coalesce","link":"vnet0","rx_frames":8}"#)]
#[case::sysctl(r#"{"resource":"sysctl","switch":{"accept-ra":"virbr0"},"value":0}"#)]
#[case::shared_sysctl(r#"{"resource":"sysctl","switch":"ipv4-forward","value":1}"#)]
#[case::zone(r#"{"resource":"zone","link":"virbr0","zone":"libvirt","was":null}"#)]
#[case::resolver(
    r#"{"resource":"resolver","link":"virbr0","servers":["192.0.2.1"],"domains":["~lab.test"],"default_route":false}"#
)]
#[case::ruleset(r#"{"resource":"ruleset","network":"lab","ruleset":{"network":"lab","sets":[],"chains":[]}}"#)]
#[case::address(r#"{"resource":"address","link":"virbr0","address":{"net":"192.0.2.1/24","broadcast":"192.0.2.255"}}"#)]
#[case::route(
    r#"{"resource":"route","destination":"198.51.100.0/24","gateway":"192.0.2.2","link":"virbr0","metric":1,"protocol":"static"}"#
)]
#[case::qdisc(
    r#"{"resource":"qdisc","link":"vnet0","parent":{"major":65535,"minor":65535},"handle":{"major":1,"minor":0},"kind":{"htb":{"default":1}}}"#
)]
#[case::class(
    r#"{"resource":"class","link":"vnet0","parent":{"major":1,"minor":0},"handle":{"major":1,"minor":1},"rate":1000,"ceil":1000,"burst":null,"quantum":87,"remainder":false}"#
)]
#[case::filter(
    r#"{"resource":"filter","link":"vnet0","parent":{"major":1,"minor":0},"priority":1,"handle":1,"matches":"mark","action":{"class":{"major":1,"minor":1}}}"#
)]
#[case::container(
    r#"{"resource":"container","link":"veth0","namespace":"/run/netns/c1","device":4,"inode":4026532001,"interface":"eth0","mac":"52:54:00:00:00:01","addresses":["192.0.2.2/24"],"gateways":["192.0.2.1"],"up":true,"without_tree":"virbr0","tap":{"name":"tap0","options":{"owner":107,"group":107,"multi_queue":false,"vnet_hdr":true}},"fills_in_checksums":true}"#
)]
#[case::file(r#"{"resource":"file","path":"/run/vnet/lab/dnsmasq.conf","contents":"port=0\n","mode":384}"#)]
#[case::process(
    r#"{"resource":"process","program":"dnsmasq","args":["--conf-file=/run/vnet/lab/dnsmasq.conf"],"pid_file":"/run/vnet/lab/dnsmasq.pid","restart_on":"0123456789abcdef","reload_on":"fedcba9876543210"}"#
)]
#[case::passt(
    r#"{"resource":"passt","connection":"stream","lifetime":"one-guest","socket":"/run/vnet/p/passt.socket","pid_file":null,"mtu":null,"interface":null,"log_file":null,"hostname":null,"fqdn":null,"addresses":[],"forwards":[],"options":{"process":"background","verbosity":"normal","log_size":null,"run_as":null,"pcap":null,"mac":null,"gateways":[],"outbound":[],"outbound_ipv4":null,"outbound_ipv6":null,"dns":"of-host","dns_forward":[],"dns_host":[],"search":"of-host","map_host_loopback":"default","map_guest_addr":"default","only":null,"without":[]}}"#
)]
fn a_resource_reads_as_it_was_written(#[case] text: &str) {
    let resource: Resource = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&resource).unwrap(), text);
}
