//! Each setting, in the order of the command line.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rstest::rstest;
use vnet_passt::{
    Connection, Feature, GuestAddress, Lifetime, Mapping, Passt, PortForward, Process, Protocol, Resolvers, RunAs,
    Verbosity,
};
use vnet_types::Family;

const PLAIN: &str = "--one-off|--socket|/s";

/// The arguments in one line.
fn arguments(change: impl FnOnce(&mut Passt)) -> String {
    let mut passt = Passt::new("/s");
    change(&mut passt);
    passt.arguments().unwrap().join(OsStr::new("|")).into_string().unwrap()
}

fn refusal(change: impl FnOnce(&mut Passt)) -> String {
    let mut passt = Passt::new("/s");
    change(&mut passt);
    passt.arguments().unwrap_err().to_string()
}

fn address(text: &str) -> GuestAddress {
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    GuestAddress { ip: ip.parse().unwrap(), prefix: prefix.map(|prefix| prefix.parse().unwrap()) }
}

fn forward(protocol: Protocol, ports: &str) -> PortForward {
    PortForward::new(protocol, ports.parse().unwrap())
}

#[rstest]
#[case::nothing(|_: &mut Passt| (), "")]
#[case::mtu(|passt: &mut Passt| passt.mtu = Some(1400), "--mtu|1400")]
#[case::no_mtu(|passt: &mut Passt| passt.mtu = Some(0), "--mtu|0")]
#[case::interface(|passt: &mut Passt| passt.interface = Some("eth0".parse().unwrap()), "--interface|eth0")]
#[case::log_file(|passt: &mut Passt| passt.log_file = Some("/l".into()), "--log-file|/l")]
#[case::hostname(|passt: &mut Passt| passt.hostname = Some("vm1".to_owned()), "--hostname|vm1")]
#[case::fqdn(|passt: &mut Passt| passt.fqdn = Some("vm1.example.".to_owned()), "--fqdn|vm1.example.")]
#[case::pid_file(|passt: &mut Passt| passt.pid_file = Some("/p".into()), "--pid|/p")]
#[case::odd_path(|passt: &mut Passt| passt.log_file = Some("-a b,\n\"c\"".into()), "--log-file|-a b,\n\"c\"")]
#[case::address(|passt: &mut Passt| passt.addresses.push(address("10.1.1.1")), "--address|10.1.1.1")]
#[case::prefix(|passt: &mut Passt| passt.addresses.push(address("10.1.1.1/24")), "--address|10.1.1.1|--netmask|24")]
#[case::ipv6(|passt: &mut Passt| passt.addresses.push(address("2001:db8::1/64")), "--address|2001:db8::1")]
#[case::tcp(|passt: &mut Passt| passt.forwards.push(forward(Protocol::Tcp, "2222:22")), "--tcp-ports|2222:22")]
#[case::udp(|passt: &mut Passt| passt.forwards.push(forward(Protocol::Udp, "53")), "--udp-ports|53")]
#[case::all(|passt: &mut Passt| passt.forwards.push(forward(Protocol::Udp, "all")), "--udp-ports|all")]
#[case::one_port_on_two_addresses(
    |passt: &mut Passt| passt.forwards = vec![forward(Protocol::Tcp, "10.0.0.1/22"), forward(Protocol::Tcp, "::1/22")],
    "--tcp-ports|10.0.0.1/22|--tcp-ports|::1/22"
)]
#[case::one_port_of_two_protocols(
    |passt: &mut Passt| passt.forwards = vec![forward(Protocol::Tcp, "53"), forward(Protocol::Udp, "53")],
    "--tcp-ports|53|--udp-ports|53"
)]
#[case::foreground(|passt: &mut Passt| passt.options.process = Process::Foreground, "--foreground")]
#[case::quiet(|passt: &mut Passt| passt.options.verbosity = Verbosity::Quiet, "--quiet")]
#[case::debug(|passt: &mut Passt| passt.options.verbosity = Verbosity::Debug, "--debug")]
#[case::trace(|passt: &mut Passt| passt.options.verbosity = Verbosity::Trace, "--trace")]
#[case::log_size(|passt: &mut Passt| passt.options.log_size = Some(4096), "--log-size|4096")]
#[case::user(|passt: &mut Passt| passt.options.run_as = Some(RunAs { uid: 1, gid: None }), "--runas|1")]
#[case::group(|passt: &mut Passt| passt.options.run_as = Some(RunAs { uid: 1, gid: Some(2) }), "--runas|1:2")]
#[case::pcap(|passt: &mut Passt| passt.options.pcap = Some("/c".into()), "--pcap|/c")]
#[case::mac(
    |passt: &mut Passt| passt.options.mac = Some("52:54:00:00:00:01".parse().unwrap()),
    "--mac-addr|52:54:00:00:00:01"
)]
#[case::gateways(
    |passt: &mut Passt| passt.options.gateways = vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
    "--gateway|10.0.0.1|--gateway|2001:db8::1"
)]
#[case::outbound(|passt: &mut Passt| passt.options.outbound = vec!["10.0.0.1".parse().unwrap()], "--outbound|10.0.0.1")]
#[case::outbound_ipv4(
    |passt: &mut Passt| passt.options.outbound_ipv4 = Some("eth0".parse().unwrap()),
    "--outbound-if4|eth0"
)]
#[case::outbound_ipv6(
    |passt: &mut Passt| passt.options.outbound_ipv6 = Some("eth0".parse().unwrap()),
    "--outbound-if6|eth0"
)]
#[case::no_dns(|passt: &mut Passt| passt.options.dns = Resolvers::None, "--dns|none")]
#[case::dns(
    |passt: &mut Passt| passt.options.dns = Resolvers::Given(vec!["1.1.1.1".parse().unwrap(), "8.8.8.8".parse().unwrap()]),
    "--dns|1.1.1.1|--dns|8.8.8.8"
)]
#[case::dns_forward(
    |passt: &mut Passt| passt.options.dns_forward = vec!["10.0.0.1".parse().unwrap()],
    "--dns-forward|10.0.0.1"
)]
#[case::dns_host(|passt: &mut Passt| passt.options.dns_host = vec!["::1".parse().unwrap()], "--dns-host|::1")]
#[case::no_search(|passt: &mut Passt| passt.options.search = Resolvers::None, "--search|none")]
#[case::search(
    |passt: &mut Passt| passt.options.search = Resolvers::Given(vec!["lan".to_owned(), "none".to_owned()]),
    "--search|lan|--search|none."
)]
#[case::no_loopback(|passt: &mut Passt| passt.options.map_host_loopback = Mapping::None, "--map-host-loopback|none")]
#[case::loopback(
    |passt: &mut Passt| passt.options.map_host_loopback = Mapping::At(vec!["10.0.0.9".parse().unwrap()]),
    "--map-host-loopback|10.0.0.9"
)]
#[case::guest_address(
    |passt: &mut Passt| passt.options.map_guest_addr = Mapping::At(vec!["10.0.0.9".parse().unwrap()]),
    "--map-guest-addr|10.0.0.9"
)]
#[case::ipv4_only(|passt: &mut Passt| passt.options.only = Some(Family::Ipv4), "--ipv4-only")]
#[case::ipv6_only(|passt: &mut Passt| passt.options.only = Some(Family::Ipv6), "--ipv6-only")]
#[case::without(
    |passt: &mut Passt| passt.options.without = [
        Feature::DhcpSearch, Feature::DhcpDns, Feature::GatewayMapping, Feature::RouterAdvertisements, Feature::Dhcpv6,
        Feature::Ndp, Feature::Dhcp, Feature::Icmp, Feature::Udp, Feature::Tcp,
    ].into(),
    "--no-tcp|--no-udp|--no-icmp|--no-dhcp|--no-ndp|--no-dhcpv6|--no-ra|--no-map-gw|--no-dhcp-dns|--no-dhcp-search"
)]
fn features(#[case] change: fn(&mut Passt), #[case] added: &str) {
    let bar = if added.is_empty() { "" } else { "|" };
    assert_eq!(arguments(change), format!("{PLAIN}{bar}{added}"));
}

#[test]
fn flavours() {
    assert_eq!(arguments(|passt| passt.connection = Connection::VhostUser), format!("--vhost-user|{PLAIN}"));
    assert_eq!(arguments(|passt| passt.lifetime = Lifetime::ManyGuests), "--socket|/s");
}

/// The example of libvirt's documentation (formatdomain, "Userspace connection using passt").
#[test]
fn libvirt_s_order() {
    let line = arguments(|passt| {
        passt.connection = Connection::VhostUser;
        passt.pid_file = Some("/p".into());
        passt.mtu = Some(1500);
        passt.interface = Some("eth0".parse().unwrap());
        passt.log_file = Some("/var/log/loglaw.blog".into());
        passt.hostname = Some("vm1".to_owned());
        passt.fqdn = Some("vm1.example.".to_owned());
        passt.addresses = vec![address("172.17.5.4/24"), address("2001:db8:ac10:fd01::20")];
        passt.forwards = vec![
            forward(Protocol::Tcp, "2022:22"),
            forward(Protocol::Udp, "1.2.3.4/5000-5020:6000-6020,~5010-5015"),
            forward(Protocol::Tcp, "2001:db8:ac10:fd01::1:10%eth0/80,443:344"),
        ];
        passt.options.pcap = Some("/c".into());
    });
    let expected = "--vhost-user|--one-off|--socket|/s|--pid|/p|--mtu|1500|--interface|eth0\
                    |--log-file|/var/log/loglaw.blog|--hostname|vm1|--fqdn|vm1.example.\
                    |--address|172.17.5.4|--netmask|24|--address|2001:db8:ac10:fd01::20|--tcp-ports|2022:22\
                    |--udp-ports|1.2.3.4/5000-5020:6000-6020,~5010-5015\
                    |--tcp-ports|2001:db8:ac10:fd01::1:10%eth0/80,443:344|--pcap|/c";
    assert_eq!(line, expected);
}

#[test]
fn paths_need_not_be_text() {
    let mut passt = Passt::new(OsStr::from_bytes(b"/\xff"));
    passt.log_file = Some("/l".into());
    assert_eq!(passt.arguments().unwrap()[2].as_bytes(), b"/\xff");
}

#[rstest]
#[case::no_socket(|passt: &mut Passt| passt.socket = "".into(), r#""" cannot be the path for --socket"#)]
#[case::nul(|passt: &mut Passt| passt.pid_file = Some("a\0".into()), r#""a\0" cannot be the path for --pid"#)]
#[case::small_mtu(|passt: &mut Passt| passt.mtu = Some(67), "the MTU 67 is neither 0 nor from 68 to 65535")]
#[case::large_mtu(|passt: &mut Passt| passt.mtu = Some(65_536), "the MTU 65536 is neither 0 nor from 68 to 65535")]
#[case::hostname(|passt: &mut Passt| passt.hostname = Some("a b".to_owned()), r#""a b" cannot be the name for --hostname"#)]
#[case::empty_fqdn(|passt: &mut Passt| passt.fqdn = Some(String::new()), r#""" cannot be the name for --fqdn"#)]
#[case::long_label(
    |passt: &mut Passt| passt.options.search = Resolvers::Given(vec!["a..b".to_owned()]),
    r#""a..b" cannot be the name for --search"#
)]
#[case::two_addresses(
    |passt: &mut Passt| passt.addresses = vec![address("10.0.0.1"), address("10.0.0.2")],
    "--address is given two ipv4 addresses, 10.0.0.1 and 10.0.0.2"
)]
#[case::two_gateways(
    |passt: &mut Passt| passt.options.gateways = vec!["::1".parse().unwrap(), "::2".parse().unwrap()],
    "--gateway is given two ipv6 addresses, ::1 and ::2"
)]
#[case::no_prefix(
    |passt: &mut Passt| passt.addresses.push(address("10.0.0.1/0")),
    "the address 10.0.0.1 cannot have the prefix 0"
)]
#[case::long_prefix(
    |passt: &mut Passt| passt.addresses.push(address("10.0.0.1/33")),
    "the address 10.0.0.1 cannot have the prefix 33"
)]
#[case::ipv6_prefix(
    |passt: &mut Passt| passt.addresses.push(address("2001:db8::1/48")),
    "the address 2001:db8::1 cannot have the prefix 48"
)]
#[case::other_family(
    |passt: &mut Passt| {
        passt.addresses.push(address("2001:db8::1"));
        passt.options.only = Some(Family::Ipv4);
    },
    "the address 2001:db8::1 is given, but only ipv4"
)]
#[case::no_protocol(
    |passt: &mut Passt| {
        passt.forwards.push(forward(Protocol::Udp, "53"));
        passt.options.without.insert(Feature::Udp);
    },
    "udp ports are forwarded, but udp is left out"
)]
#[case::overlap(
    |passt: &mut Passt| passt.forwards.push(forward(Protocol::Tcp, "80-90,85:8085")),
    "the tcp port 85 is forwarded twice"
)]
#[case::overlap_of_two(
    |passt: &mut Passt| passt.forwards = vec![forward(Protocol::Tcp, "80-90"), forward(Protocol::Tcp, "90:22")],
    "the tcp port 90 is forwarded twice"
)]
#[case::no_servers(
    |passt: &mut Passt| passt.options.dns = Resolvers::Given(Vec::new()),
    "--dns is given an empty list"
)]
#[case::no_mapping(
    |passt: &mut Passt| passt.options.map_guest_addr = Mapping::At(Vec::new()),
    "--map-guest-addr is given an empty list"
)]
fn refusals(#[case] change: fn(&mut Passt), #[case] expected: &str) {
    assert_eq!(refusal(change), expected);
}

#[test]
fn a_socket_s_path_is_short() {
    let longest = format!("/{}", "s".repeat(106));
    assert!(Passt::new(&longest).arguments().is_ok());
    let message = Passt::new(longest + "s").arguments().unwrap_err().to_string();
    assert!(message.ends_with("is 108 bytes long, the limit is 107"), "{message}");
}
