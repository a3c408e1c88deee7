//! What cannot be written for dnsmasq, and the error messages.

use rstest::rstest;
use vnet_dnsmasq::{Boot, Config, DnsHost, Domain, Forwarder, LeaseTime, Srv, Txt};

use crate::{config, dhcp, host, paths, range, render, subnet};

fn refusal(change: impl FnOnce(&mut Config)) -> String {
    let mut config = config(["192.168.122.1/24"]);
    change(&mut config);
    render(&config).unwrap_err().to_string()
}

fn text(value: &str) -> String {
    value.to_owned()
}

#[rstest]
#[case::newline("a\nserver=6.6.6.6", r#"has the character '\n'"#)]
#[case::slash("a/6.6.6.6", "has the character '/'")]
#[case::comma("a,b", "has the character ','")]
#[case::blank("a b", "has the character ' '")]
#[case::hash("#", "has the character '#'")]
#[case::quote("a\"", "has the character '\"'")]
#[case::unicode("bücher.example", "has the character 'ü'")]
#[case::empty("", "is empty")]
#[case::empty_label("a..b", "is not a name that DNS can have")]
#[case::long_label(&"a".repeat(64), "is not a name that DNS can have")]
#[case::long(&"abc.".repeat(64), "is not a name that DNS can have")]
fn names(#[case] name: &str, #[case] why: &str) {
    type Set = fn(&mut Config, String);
    let cases: [(&str, Set); 6] = [
        ("domain name", |config, name| config.domain = Some(Domain { name, local_only: true })),
        ("host name", |config, name| {
            let ip = "192.168.122.9".parse().unwrap();
            config.dns.as_mut().unwrap().hosts.push(DnsHost { ip, hostnames: vec![name] });
        }),
        ("domain of a forwarder", |config, name| {
            // For a forwarder, the empty domain means plain names.
            let domain = if name.is_empty() { "*".to_owned() } else { name };
            config.dns.as_mut().unwrap().forwarders.push(Forwarder::of_domain(domain));
        }),
        ("domain of an SRV record", |config, name| {
            let mut srv = Srv::new("a", "tcp");
            srv.domain = Some(name);
            config.dns.as_mut().unwrap().srvs.push(srv);
        }),
        ("target of an SRV record", |config, name| {
            let mut srv = Srv::new("a", "tcp");
            srv.target = Some(name);
            config.dns.as_mut().unwrap().srvs.push(srv);
        }),
        ("name of a DHCP host", |config, name| {
            let mut host = host("192.168.122.9");
            host.name = Some(name);
            config.subnets[0].dhcp.get_or_insert_default().hosts.push(host);
        }),
    ];
    for (field, change) in cases {
        let message = refusal(|config| change(config, text(name)));
        assert!(message.starts_with(&format!("the {field} ")) && message.contains(why), "{field}: {message}");
    }
}

#[rstest]
#[case("a b", "tcp", r#"the service of an SRV record "a b" has the character ' '"#)]
#[case("a", "t.p", r#"the protocol of an SRV record "t.p" has the character '.'"#)]
#[case("", "tcp", "the service of an SRV record is empty")]
#[case(&"s".repeat(63), "tcp", "is not a name that DNS can have")]
fn services(#[case] service: &str, #[case] protocol: &str, #[case] expected: &str) {
    let message = refusal(|config| config.dns.as_mut().unwrap().srvs.push(Srv::new(service, protocol)));
    assert!(message.contains(expected), "{message}");
}

#[rstest]
#[case::name_comma("a,b", "x", r#"the name of a TXT record "a,b" has the character ','"#)]
#[case::name_blank("a b", "x", r#"the name of a TXT record "a b" has the character ' '"#)]
#[case::nul("a", "x\0", r#"the value of a TXT record "x\0" has the character '\0'"#)]
#[case::long("a", &"x".repeat(1011), "the value of a TXT record makes a line of 1024 bytes; dnsmasq reads 1023")]
fn txt_records(#[case] name: &str, #[case] value: &str, #[case] expected: &str) {
    let txt = Txt { name: text(name), value: text(value) };
    let message = refusal(|config| config.dns.as_mut().unwrap().txts.push(txt));
    assert!(message.starts_with(expected), "{message}");
}

#[rstest]
#[case::empty_forwarder(
    |config: &mut Config| config.dns.as_mut().unwrap().forwarders.push(Forwarder::default()),
    "a forwarder has neither a domain nor an address"
)]
#[case::forwarder_port(
    |config: &mut Config| {
        let mut forwarder = Forwarder::of_domain("lan");
        forwarder.port = Some(53);
        config.dns.as_mut().unwrap().forwarders.push(forwarder);
    },
    r#"the forwarder for "lan" has the port 53 but no address"#
)]
#[case::wildcard_interface(
    |config: &mut Config| config.interface = "virbr*".parse().unwrap(),
    r#"the interface name "virbr*" has the character '*', which dnsmasq cannot be given there"#
)]
#[case::second_dhcp(
    |config: &mut Config| {
        config.subnets.push(subnet("10.0.0.1/8"));
        config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.9");
        config.subnets[1].dhcp = dhcp("10.0.0.2-10.0.0.9");
    },
    "both 192.168.122.1/24 and 10.0.0.1/8 have DHCP; only one ipv4 subnet can"
)]
#[case::range_of_another_family(
    |config: &mut Config| config.subnets[0].dhcp = dhcp("2001:db8::2-2001:db8::9"),
    "the DHCP range 2001:db8::2 is not of the family of the subnet 192.168.122.1/24"
)]
#[case::large_range(
    |config: &mut Config| config.subnets[0].dhcp = dhcp("10.0.0.0-10.1.0.0"),
    "the DHCP range 10.0.0.0 to 10.1.0.0 has more than 65536 addresses"
)]
#[case::host_of_another_family(
    |config: &mut Config| config.subnets[0].dhcp.get_or_insert_default().hosts.push(host("2001:db8::2")),
    "the address of a DHCP host 2001:db8::2 is not of the family of the subnet 192.168.122.1/24"
)]
#[case::unknown_guest(
    |config: &mut Config| {
        let mut host = host("192.168.122.2");
        host.id = Some("1:2".to_owned());
        config.subnets[0].dhcp.get_or_insert_default().hosts.push(host);
    },
    "the DHCP host 192.168.122.2 lacks what its guest is known by"
)]
#[case::dash_first(
    |config: &mut Config| {
        let mut host = host("192.168.122.2");
        host.name = Some("-a".to_owned());
        config.subnets[0].dhcp.get_or_insert_default().hosts.push(host);
    },
    r#"the name of a DHCP host "-a" has the character '-', which dnsmasq cannot be given there"#
)]
#[case::ipv6_mac(
    |config: &mut Config| {
        let mut host = host("2001:db8::2");
        host.mac = Some("52:54:00:00:00:01".parse().unwrap());
        config.subnets.push(subnet("2001:db8::1/64"));
        config.subnets[1].dhcp.get_or_insert_default().hosts.push(host);
    },
    "the IPv6 subnet 2001:db8::1/64 has a MAC address of a DHCP host, which only IPv4 has"
)]
#[case::id(
    |config: &mut Config| {
        let mut host = host("2001:db8::2");
        host.id = Some("1:2,x".to_owned());
        config.subnets.push(subnet("2001:db8::1/64"));
        config.subnets[1].dhcp.get_or_insert_default().hosts.push(host);
    },
    r#"the id of a DHCP host "1:2,x" has the character ',', which dnsmasq cannot be given there"#
)]
#[case::long_id(
    |config: &mut Config| {
        let mut host = host("2001:db8::2");
        host.id = Some("0:".repeat(600));
        config.subnets.push(subnet("2001:db8::1/64"));
        config.subnets[1].dhcp.get_or_insert_default().hosts.push(host);
    },
    "the id of a DHCP host makes a line of 1217 bytes; dnsmasq reads 1023"
)]
#[case::long_lease(
    |config: &mut Config| {
        config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.9");
        config.subnets[0].dhcp.as_mut().unwrap().ranges[0].lease = Some(LeaseTime::Hours(600_000));
    },
    "the lease time 600000h is more than dnsmasq counts, 2147483647 seconds"
)]
#[case::ipv6_boot_server(
    |config: &mut Config| {
        let dhcp = config.subnets[0].dhcp.get_or_insert_default();
        dhcp.ranges.push(range("192.168.122.2-192.168.122.9"));
        dhcp.boot = Some(Boot { file: "a".to_owned(), server: Some("2001:db8::1".parse().unwrap()) });
    },
    "the boot server 2001:db8::1 is not of the family of the subnet 192.168.122.1/24"
)]
#[case::ipv6_boot(
    |config: &mut Config| {
        config.subnets.push(subnet("2001:db8::1/64"));
        config.subnets[1].dhcp = dhcp("2001:db8::2-2001:db8::9");
        config.subnets[1].dhcp.as_mut().unwrap().boot = Some(Boot { file: "a".to_owned(), server: None });
    },
    "the IPv6 subnet 2001:db8::1/64 has a boot file, which only IPv4 has"
)]
#[case::ipv6_tftp(
    |config: &mut Config| {
        config.subnets.push(subnet("2001:db8::1/64"));
        config.subnets[1].tftp_root = Some("/srv".to_owned());
    },
    "the IPv6 subnet 2001:db8::1/64 has a TFTP root, which only IPv4 has"
)]
#[case::mtu(|config: &mut Config| config.mtu = Some(65_536), "the MTU 65536 is more than DHCP can say, 65535")]
#[case::option(
    |config: &mut Config| config.options.push("foo=bar\nbar=foo".to_owned()),
    r#"the dnsmasq option "foo=bar\nbar=foo" has the character '\n', which dnsmasq cannot be given there"#
)]
fn combinations(#[case] change: fn(&mut Config), #[case] expected: &str) {
    assert_eq!(refusal(change), expected);
}

#[rstest]
#[case("192.168.122.1/25", 8)]
#[case("10.0.0.1/12", 8)]
#[case("10.0.0.1/0", 8)]
#[case("10.0.0.1/32", 8)]
#[case("2001:db8::1/62", 4)]
#[case("2001:db8::1/128", 4)]
fn reverse_zones(#[case] net: &str, #[case] bits: u8) {
    let mut config = config([net]);
    config.subnets[0].local_ptr = true;
    let expected = format!(
        "the subnet {net} has no reverse zone of its own: its prefix is no multiple of {bits}, or all or nothing"
    );
    assert_eq!(render(&config).unwrap_err().to_string(), expected);
}

#[test]
fn paths_that_dnsmasq_cannot_be_given() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for path in [OsStr::from_bytes(b"/run/\xff"), OsStr::new("/run/\u{1}"), OsStr::new("")] {
        let mut paths = paths();
        paths.addn_hosts = path.into();
        assert!(config(["192.168.122.1/24"]).render(&paths).is_err(), "{path:?}");
    }
}
