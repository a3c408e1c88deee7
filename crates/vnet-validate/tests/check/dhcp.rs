//! `<dhcp>`: ranges, hosts, leases, bootp.

use rstest::rstest;
use vnet_types::MacAddr;
use vnet_xml::network::{Bootp, Dhcp, DhcpHost, Lease, LeaseUnit};
use vnet_xml::{Network, Severity};

use crate::{addr, assert_found, dhcp, ip};

fn ranges(network: &mut Network, ranges: &[(&str, &str)]) {
    network.ips[0].dhcp = Some(dhcp(ranges));
}

fn subnet(network: &mut Network, text: &str, ranges: &[(&str, &str)]) {
    network.ips[0] = ip(text);
    network.ips[0].dhcp = Some(dhcp(ranges));
}

fn ranges_ipv6(network: &mut Network, ranges: &[(&str, &str)]) {
    network.ips[1].dhcp = Some(dhcp(ranges));
}

fn lease(network: &mut Network, expiry: u64, unit: LeaseUnit) {
    network.ips[0].dhcp.as_mut().unwrap().ranges[0].lease = Some(Lease { expiry, unit });
}

/// A host with `mac id name`, `-` for none.
fn host(network: &mut Network, index: usize, ip: &str, known_by: &str) {
    let mut host = DhcpHost::new(addr(ip));
    let words: Vec<_> = known_by.split(' ').map(|word| (word != "-").then(|| word.to_owned())).collect();
    host.mac = words[0].as_ref().map(|mac| mac.parse().unwrap());
    (host.id, host.name) = (words[1].clone(), words[2].clone());
    network.ips[index].dhcp.get_or_insert_default().hosts.push(host);
}

fn bootp(network: &mut Network, index: usize, file: &str, server: Option<&str>) {
    let bootp = Bootp { file: file.into(), server: server.map(addr) };
    network.ips[index].dhcp.get_or_insert_default().bootp = Some(bootp);
}

#[rstest]
#[case::two_subnets(|n: &mut Network| { n.ips.push(ip("10.1.0.1/24")); n.ips[2].dhcp = Some(dhcp(&[("10.1.0.2", "10.1.0.9")])) },
    &["VN0221 /network/ip[3]/dhcp"])]
#[case::two_families(|n: &mut Network| ranges_ipv6(n, &[("fd00:100::10", "fd00:100::ff")]), &[])]
#[case::two_subnets_one_empty(|n: &mut Network| { n.ips.push(ip("10.1.0.1/24")); n.ips[2].dhcp = Some(Dhcp::default()) }, &[])]
#[case::range_ipv6(|n: &mut Network| ranges(n, &[("fd00:100::10", "fd00:100::ff")]), &["VN0222 /network/ip[1]/dhcp/range[1]/@start"])]
#[case::range_mixed(|n: &mut Network| ranges(n, &[("192.168.100.2", "fd00::1")]), &["VN0222 /network/ip[1]/dhcp/range[1]/@end"])]
#[case::range_outside(|n: &mut Network| ranges(n, &[("192.168.101.2", "192.168.101.9")]),
    &["VN0223 /network/ip[1]/dhcp/range[1]/@start"])]
#[case::range_leaves(|n: &mut Network| ranges(n, &[("192.168.100.2", "192.168.101.9")]),
    &["VN0223 /network/ip[1]/dhcp/range[1]/@end"])]
#[case::range_reversed(|n: &mut Network| ranges(n, &[("192.168.100.9", "192.168.100.2")]),
    &["VN0224 /network/ip[1]/dhcp/range[1]/@start"])]
#[case::range_one_address(|n: &mut Network| ranges(n, &[("192.168.100.9", "192.168.100.9")]), &[])]
#[case::range_network_address(|n: &mut Network| ranges(n, &[("192.168.100.0", "192.168.100.9")]),
    &["VN0225 /network/ip[1]/dhcp/range[1]/@start"])]
#[case::range_broadcast(|n: &mut Network| ranges(n, &[("192.168.100.9", "192.168.100.255")]),
    &["VN0225 /network/ip[1]/dhcp/range[1]/@end"])]
#[case::range_whole_subnet(|n: &mut Network| ranges(n, &[("192.168.100.2", "192.168.100.254")]), &[])]
#[case::range_too_large(|n: &mut Network| subnet(n, "10.0.0.1/8", &[("10.0.0.2", "10.1.0.2")]),
    &["VN0226 /network/ip[1]/dhcp/range[1]/@end"])]
#[case::range_largest(|n: &mut Network| subnet(n, "10.0.0.1/8", &[("10.0.0.2", "10.1.0.1")]), &[])]
#[case::range_at_the_end(|n: &mut Network| subnet(n, "223.255.255.1/24", &[("223.255.255.2", "223.255.255.254")]), &[])]
#[case::range_ipv6_too_large(|n: &mut Network| ranges_ipv6(n, &[("fd00:100::fff0", "fd00:100::1:10")]),
    &["VN0226 /network/ip[2]/dhcp/range[1]/@end"])]
#[case::ranges_overlap(|n: &mut Network| ranges(n, &[("192.168.100.2", "192.168.100.9"), ("192.168.100.9", "192.168.100.20")]),
    &["VN0227 /network/ip[1]/dhcp/range[2]/@start"])]
#[case::ranges_overlap_backwards(|n: &mut Network| ranges(n, &[("192.168.100.9", "192.168.100.20"), ("192.168.100.2", "192.168.100.9")]),
    &["VN0227 /network/ip[1]/dhcp/range[2]/@start"])]
#[case::ranges_touch(|n: &mut Network| ranges(n, &[("192.168.100.2", "192.168.100.9"), ("192.168.100.10", "192.168.100.20")]), &[])]
#[case::range_contains_bridge(|n: &mut Network| ranges(n, &[("192.168.100.1", "192.168.100.9")]),
    &["VN0228 /network/ip[1]/dhcp/range[1]/@start"])]
#[case::subnet_unknown(|n: &mut Network| subnet(n, "10.0.0.1/33", &[("10.0.0.9", "10.0.0.2"), ("192.168.0.1", "192.168.0.9")]),
    &["VN0202 /network/ip[1]/@prefix"])]
fn of_ranges(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[rstest]
#[case::seconds(|n: &mut Network| lease(n, 119, LeaseUnit::Seconds), &["VN0229 /network/ip[1]/dhcp/range[1]/lease/@expiry"])]
#[case::minutes(|n: &mut Network| lease(n, 1, LeaseUnit::Minutes), &["VN0229 /network/ip[1]/dhcp/range[1]/lease/@expiry"])]
#[case::hours(|n: &mut Network| lease(n, 1, LeaseUnit::Hours), &[])]
#[case::least(|n: &mut Network| lease(n, 2, LeaseUnit::Minutes), &[])]
#[case::for_ever(|n: &mut Network| lease(n, 0, LeaseUnit::Seconds), &["VN0245 /network/ip[1]/dhcp/range[1]/lease/@expiry"])]
#[case::most(|n: &mut Network| lease(n, 2_147_483_647, LeaseUnit::Seconds), &[])]
#[case::long(|n: &mut Network| lease(n, u64::MAX, LeaseUnit::Hours), &["VN0230 /network/ip[1]/dhcp/range[1]/lease/@expiry"])]
#[case::of_a_host(|n: &mut Network| {
    host(n, 0, "192.168.100.5", "- - web");
    n.ips[0].dhcp.as_mut().unwrap().hosts[0].lease = Some(Lease { expiry: 1, unit: LeaseUnit::Seconds });
}, &["VN0229 /network/ip[1]/dhcp/host[1]/lease/@expiry"])]
fn of_leases(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[rstest]
#[case::mac(|n: &mut Network| host(n, 0, "192.168.100.5", "52:54:00:00:00:05 - -"), &[])]
#[case::name(|n: &mut Network| host(n, 0, "192.168.100.5", "- - web.lab"), &[])]
#[case::inside_a_range(|n: &mut Network| host(n, 0, "192.168.100.15", "52:54:00:00:00:05 - web"), &[])]
#[case::nobody(|n: &mut Network| host(n, 0, "192.168.100.5", "- - -"), &["VN0231 /network/ip[1]/dhcp/host[1]"])]
#[case::id_alone(|n: &mut Network| host(n, 0, "192.168.100.5", "- 01:52 -"), &["VN0231 /network/ip[1]/dhcp/host[1]"])]
#[case::nobody_ipv6(|n: &mut Network| host(n, 1, "fd00:100::5", "- - -"), &["VN0231 /network/ip[2]/dhcp/host[1]"])]
#[case::id_ipv6(|n: &mut Network| host(n, 1, "fd00:100::5", "- 0:3:0:1:0:16:3e:11:22:33 -"), &[])]
#[case::id_uuid(|n: &mut Network| host(n, 1, "fd00:100::5", "- 0:4:7e:7d:f0:7d:a8:bc:c5:d2:13:32:11:ed:16:ea:84:63 -"), &[])]
#[case::id_time(|n: &mut Network| host(n, 1, "fd00:100::5", "- 0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66 -"), &[])]
#[case::id_of_ipv4(|n: &mut Network| host(n, 1, "fd00:100::5", "- 01:52:54:00:12:34:56 -"), &["VN0246 /network/ip[2]/dhcp/host[1]/@id"])]
#[case::id_is_mac(|n: &mut Network| host(n, 1, "fd00:100::5", "- 52:54:00:12:34:56 -"), &["VN0246 /network/ip[2]/dhcp/host[1]/@id"])]
#[case::id_short(|n: &mut Network| host(n, 1, "fd00:100::5", "- 00:04:7e:7d:f0 -"), &["VN0246 /network/ip[2]/dhcp/host[1]/@id"])]
#[case::id_without_colons(|n: &mut Network| host(n, 1, "fd00:100::5", "- 00030001525400123456 -"), &["VN0246 /network/ip[2]/dhcp/host[1]/@id"])]
#[case::mac_ipv6(|n: &mut Network| host(n, 1, "fd00:100::5", "52:54:00:00:00:05 - web"), &["VN0232 /network/ip[2]/dhcp/host[1]/@mac"])]
#[case::mac_multicast(|n: &mut Network| host(n, 0, "192.168.100.5", "53:54:00:00:00:05 - -"),
    &["VN0233 /network/ip[1]/dhcp/host[1]/@mac"])]
#[case::id_word(|n: &mut Network| host(n, 1, "fd00:100::5", "- web -"), &["VN0234 /network/ip[2]/dhcp/host[1]/@id"])]
#[case::id_ipv4(|n: &mut Network| host(n, 0, "192.168.100.5", "52:54:00:00:00:05 01:52 -"),
    &["VN0235 /network/ip[1]/dhcp/host[1]/@id"])]
#[case::name_dash(|n: &mut Network| host(n, 0, "192.168.100.5", "- - -web"), &["VN0236 /network/ip[1]/dhcp/host[1]/@name"])]
#[case::name_injects(|n: &mut Network| host(n, 0, "192.168.100.5", "- - web,ignore"), &["VN0301 /network/ip[1]/dhcp/host[1]/@name"])]
#[case::name_umlaut(|n: &mut Network| host(n, 0, "192.168.100.5", "- - wüb"), &["VN0302 /network/ip[1]/dhcp/host[1]/@name"])]
#[case::family(|n: &mut Network| host(n, 0, "fd00:100::5", "- - web"), &["VN0237 /network/ip[1]/dhcp/host[1]/@ip"])]
#[case::outside(|n: &mut Network| host(n, 0, "192.168.10.5", "- - web"), &["VN0238 /network/ip[1]/dhcp/host[1]/@ip"])]
#[case::outside_ipv6(|n: &mut Network| host(n, 1, "fd00:101::5", "- - web"), &["VN0238 /network/ip[2]/dhcp/host[1]/@ip"])]
#[case::bridge(|n: &mut Network| host(n, 0, "192.168.100.1", "- - web"), &["VN0239 /network/ip[1]/dhcp/host[1]/@ip"])]
#[case::network_address(|n: &mut Network| host(n, 0, "192.168.100.0", "- - web"), &["VN0239 /network/ip[1]/dhcp/host[1]/@ip"])]
#[case::broadcast(|n: &mut Network| host(n, 0, "192.168.100.255", "- - web"), &["VN0239 /network/ip[1]/dhcp/host[1]/@ip"])]
#[case::same_ip(|n: &mut Network| { host(n, 0, "192.168.100.5", "- - a"); host(n, 0, "192.168.100.5", "- - b") },
    &["VN0240 /network/ip[1]/dhcp/host[2]/@ip"])]
#[case::same_mac(|n: &mut Network| { host(n, 0, "192.168.100.5", "52:54:00:00:00:0A - a"); host(n, 0, "192.168.100.6", "52:54:0:0:0:a - b") },
    &["VN0240 /network/ip[1]/dhcp/host[2]/@mac"])]
#[case::same_id(|n: &mut Network| { host(n, 1, "fd00:100::5", "- 00:03:00:01:AA a"); host(n, 1, "fd00:100::6", "- 00:03:00:01:aa b") },
    &["VN0240 /network/ip[2]/dhcp/host[2]/@id"])]
#[case::same_name(|n: &mut Network| { host(n, 0, "192.168.100.5", "- - a"); host(n, 0, "192.168.100.6", "- - A") },
    &["VN0241 /network/ip[1]/dhcp/host[2]/@name"])]
#[case::same_name_other_family(|n: &mut Network| { host(n, 0, "192.168.100.5", "- - a"); host(n, 1, "fd00:100::5", "- - a") }, &[])]
#[case::twice(|n: &mut Network| (0..2).for_each(|_| host(n, 0, "192.168.100.5", "52:54:00:00:00:05 - a")),
    &["VN0240 /network/ip[1]/dhcp/host[2]/@ip"])]
fn of_hosts(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[rstest]
#[case::file(|n: &mut Network| bootp(n, 0, "pxelinux.0", Some("192.168.100.2")), &[])]
#[case::alone(|n: &mut Network| { ranges(n, &[]); bootp(n, 0, "pxelinux.0", None) }, &["VN0242 /network/ip[1]/dhcp/bootp"])]
#[case::ipv6(|n: &mut Network| { ranges_ipv6(n, &[("fd00:100::10", "fd00:100::ff")]); bootp(n, 1, "pxelinux.0", None) },
    &["VN0243 /network/ip[2]/dhcp/bootp"])]
#[case::server_ipv6(|n: &mut Network| bootp(n, 0, "pxelinux.0", Some("fd00:100::2")),
    &["VN0244 /network/ip[1]/dhcp/bootp/@server"])]
#[case::file_empty(|n: &mut Network| bootp(n, 0, "", None), &["VN0301 /network/ip[1]/dhcp/bootp/@file"])]
#[case::file_control(|n: &mut Network| bootp(n, 0, "a\0", None), &["VN0301 /network/ip[1]/dhcp/bootp/@file"])]
fn of_bootp(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[test]
fn suggestions_are_concrete() {
    let mut network = crate::nat();
    ranges(&mut network, &[("192.168.100.9", "192.168.100.2"), ("192.168.100.0", "192.168.100.1")]);
    let findings = vnet_validate::check(&network);
    let helps: Vec<_> = findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
    assert_eq!(helps, ["write `start='192.168.100.2' end='192.168.100.9'`", "write `start='192.168.100.1'`"]);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error));
}

#[rstest]
#[case("01:52:54:00:12:34:56")]
#[case("52:54:00:12:34:56")]
fn a_mac_address_is_made_a_duid(#[case] id: &str) {
    let mut network = crate::nat();
    host(&mut network, 1, "fd00:100::5", &format!("- {id} -"));
    let findings = vnet_validate::check(&network);
    let help = findings[0].help.as_deref();
    assert_eq!(help, Some("the DUID that is made of a MAC address is `id='00:03:00:01:52:54:00:12:34:56'`"));
}

#[test]
fn many_hosts_are_judged_in_one_pass() {
    let mut network = Network::new("large");
    network.ips.push(ip("10.0.0.1/8"));
    let hosts = network.ips[0].dhcp.get_or_insert_default();
    for number in 2..100_000_u32 {
        let mut host = DhcpHost::new(std::net::Ipv4Addr::from(0x0a00_0000 + number).into());
        let [_, a, b, c] = number.to_be_bytes();
        host.mac = Some(MacAddr::from_random([a, b, c]).into());
        hosts.hosts.push(host);
    }
    assert_eq!(vnet_validate::check(&network), []);
}
