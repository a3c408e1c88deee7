//! Each option: when it is written, and with which value.

use rstest::rstest;
use vnet_dnsmasq::{Boot, Config, Dhcp, DhcpRange, Forwarder, LeaseTime, Srv, Subnet, Txt};
use vnet_types::Family;

use crate::{body, config, dhcp, host, paths, range, render, subnet};

/// The lines that a change adds to a plain configuration.
fn added(change: impl FnOnce(&mut Config)) -> String {
    let plain = config(["192.168.122.1/24"]);
    let mut changed = plain.clone();
    change(&mut changed);
    let before = body(&plain);
    let before: Vec<&str> = before.split('|').collect();
    body(&changed).split('|').filter(|line| !before.contains(line)).collect::<Vec<_>>().join("|")
}

#[rstest]
#[case::address(Some("8.8.8.8"), None, None, "server=8.8.8.8|no-resolv")]
#[case::port(Some("8.8.8.8"), None, Some(5353), "server=8.8.8.8#5353|no-resolv")]
#[case::ipv6(Some("2001:db8::53"), None, Some(5353), "server=2001:db8::53#5353|no-resolv")]
#[case::domain(None, Some("lan"), None, "server=/lan/#")]
#[case::both(Some("8.8.8.8"), Some("lan"), Some(53), "server=/lan/8.8.8.8#53")]
#[case::plain_names(Some("8.8.8.8"), Some(""), None, "server=//8.8.8.8")]
#[case::leading_dot(Some("8.8.8.8"), Some(".lan"), None, "server=/.lan/8.8.8.8")]
#[case::wildcard(Some("8.8.8.8"), Some("*.lan"), None, "server=/*.lan/8.8.8.8")]
#[case::underscore(Some("8.8.8.8"), Some("_msdcs.corp"), None, "server=/_msdcs.corp/8.8.8.8")]
fn forwarders(
    #[case] addr: Option<&str>,
    #[case] domain: Option<&str>,
    #[case] port: Option<u16>,
    #[case] expected: &str,
) {
    let mut forwarder = Forwarder::default();
    forwarder.addr = addr.map(|addr| addr.parse().unwrap());
    forwarder.domain = domain.map(str::to_owned);
    forwarder.port = port;
    assert_eq!(added(|config| config.dns.as_mut().unwrap().forwarders.push(forwarder)), expected);
}

#[rstest]
#[case("192.168.122.1/24", "122.168.192.in-addr.arpa")]
#[case("172.16.5.1/16", "16.172.in-addr.arpa")]
#[case("10.1.2.3/8", "10.in-addr.arpa")]
#[case("2001:db8:ac10:fe01::1/64", "1.0.e.f.0.1.c.a.8.b.d.0.1.0.0.2.ip6.arpa")]
#[case("2001:db8:ac10:fe01::1/36", "a.8.b.d.0.1.0.0.2.ip6.arpa")]
fn reverse_zones(#[case] net: &str, #[case] zone: &str) {
    let mut config = config([net]);
    config.subnets[0].local_ptr = true;
    assert_eq!(body(&config).split('|').nth(1), Some(format!("local=/{zone}/").as_str()));
}

#[test]
fn names_are_nobody_s_without_dns() {
    let mut config = config(["192.168.122.1/24"]);
    config.dns = None;
    config.subnets[0].local_ptr = true;
    assert!(!body(&config).contains("local="));
    assert_eq!(render(&config).unwrap().addn_hosts, "");
}

#[rstest]
#[case::plain("v=spf1 -all", "v=spf1 -all")]
#[case::empty("", "")]
#[case::comma("a,b", r#""a,b""#)]
#[case::comment("a #b", r#""a #b""#)]
#[case::first_hash("#b", r##""#b""##)]
#[case::inner_hash("a#b", "a#b")]
#[case::blank_ends(" a ", r#"" a ""#)]
#[case::quote(r#"say "hi""#, r#""say \"hi\"""#)]
#[case::backslash(r"C:\new", r"C:\new")]
#[case::backslash_and_comma(r"C:\new,D", r#""C:\\new,D""#)]
#[case::newline("a\nserver=6.6.6.6", r#""a\nserver=6.6.6.6""#)]
#[case::escapes("\t\r\u{8}\u{1b}", r#""\t\r\b\e""#)]
#[case::unicode("größer", "\"größer\"")]
fn txt_values(#[case] value: &str, #[case] written: &str) {
    let txt = Txt { name: "example".to_owned(), value: value.to_owned() };
    let line = added(|config| config.dns.as_mut().unwrap().txts.push(txt));
    assert_eq!(line, format!("txt-record=example,{written}"));
}

#[rstest]
#[case("_dmarc.example.com", "_dmarc.example.com")]
#[case("#a", r##""#a""##)]
#[case("a\"b", r#""a\"b""#)]
fn txt_names(#[case] name: &str, #[case] written: &str) {
    let txt = Txt { name: name.to_owned(), value: "x".to_owned() };
    let line = added(|config| config.dns.as_mut().unwrap().txts.push(txt));
    assert_eq!(line, format!("txt-record={written},x"));
}

#[rstest]
#[case::no_target(None, None, [None; 3], "_ldap._tcp")]
#[case::domain(Some("lan"), None, [None; 3], "_ldap._tcp.lan")]
#[case::root(Some("lan"), Some("."), [Some(389), None, None], "_ldap._tcp.lan")]
#[case::target(None, Some("dc.lan"), [None; 3], "_ldap._tcp,dc.lan")]
#[case::zeros(None, Some("dc.lan"), [None, Some(0), Some(0)], "_ldap._tcp,dc.lan")]
#[case::port(None, Some("dc.lan"), [Some(389), None, None], "_ldap._tcp,dc.lan,389")]
#[case::priority(None, Some("dc.lan"), [None, Some(5), None], "_ldap._tcp,dc.lan,1,5")]
#[case::weight(None, Some("dc.lan"), [None, None, Some(6)], "_ldap._tcp,dc.lan,1,0,6")]
fn srv_records(
    #[case] domain: Option<&str>,
    #[case] target: Option<&str>,
    #[case] numbers: [Option<u16>; 3],
    #[case] expected: &str,
) {
    let mut srv = Srv::new("ldap", "tcp");
    srv.domain = domain.map(str::to_owned);
    srv.target = target.map(str::to_owned);
    [srv.port, srv.priority, srv.weight] = numbers;
    let line = added(|config| config.dns.as_mut().unwrap().srvs.push(srv));
    assert_eq!(line, format!("srv-host={expected}"));
}

#[rstest]
#[case::plain(["/srv/tftp boot"], "enable-tftp|tftp-root=/srv/tftp boot")]
#[case::comma(["/srv,eth0"], r#"enable-tftp|tftp-root="/srv,eth0""#)]
fn tftp_roots(#[case] roots: [&str; 1], #[case] expected: &str) {
    let line = added(|config| config.subnets[0].tftp_root = Some(roots[0].to_owned()));
    assert_eq!(line, expected);
}

#[test]
fn tftp_is_enabled_once() {
    let line = added(|config| {
        config.subnets.push(subnet("10.0.0.1/8"));
        config.subnets.iter_mut().for_each(|subnet| subnet.tftp_root = Some(format!("/srv/{}", subnet.net.addr())));
    });
    assert_eq!(line, "enable-tftp|tftp-root=/srv/192.168.122.1|tftp-root=/srv/10.0.0.1");
}

#[rstest]
#[case::url("http://192.168.122.1/boot.ipxe", "http://192.168.122.1/boot.ipxe")]
#[case::comma("a,b", r#""a,b""#)]
#[case::tag("tag:efi", r#""tag:efi""#)]
fn boot_files(#[case] file: &str, #[case] written: &str) {
    let line = added(|config| {
        let dhcp = config.subnets[0].dhcp.get_or_insert_default();
        dhcp.ranges.push(range("192.168.122.2-192.168.122.2"));
        dhcp.boot = Some(Boot { file: file.to_owned(), server: None });
    });
    assert!(line.contains(&format!("|dhcp-boot={written}|dhcp-lease-max=1|")), "{line}");
}

#[rstest]
#[case::mac_and_name(Some("52:54:00:00:00:01"), None, Some("a"), "192.168.122.5", "52:54:00:00:00:01,192.168.122.5,a")]
#[case::name(None, None, Some("a"), "192.168.122.5", "a,192.168.122.5")]
#[case::mac(Some("52:54:00:00:00:01"), None, None, "192.168.122.5", "52:54:00:00:00:01,192.168.122.5")]
#[case::ipv4_id(None, Some("01:02"), Some("a"), "192.168.122.5", "a,192.168.122.5")]
#[case::id_and_name(None, Some("0:3:0:1"), Some("a"), "2001:db8::5", "id:0:3:0:1,a,[2001:db8::5]")]
#[case::ipv6_name(None, None, Some("a"), "2001:db8::5", "a,[2001:db8::5]")]
#[case::id(None, Some("0:3:0:1"), None, "2001:db8::5", "id:0:3:0:1,[2001:db8::5]")]
#[case::like_a_time(None, None, Some("12h"), "192.168.122.5", "\"12h\",192.168.122.5")]
#[case::like_a_number(None, None, Some("42"), "192.168.122.5", "\"42\",192.168.122.5")]
#[case::like_an_address(None, None, Some("10.0.0.1"), "192.168.122.5", "\"10.0.0.1\",192.168.122.5")]
#[case::like_a_word(None, None, Some("ignore"), "192.168.122.5", "\"ignore\",192.168.122.5")]
fn dhcp_hosts(
    #[case] mac: Option<&str>,
    #[case] id: Option<&str>,
    #[case] name: Option<&str>,
    #[case] ip: &str,
    #[case] expected: &str,
    #[values(None, Some(LeaseTime::Minutes(5)))] lease: Option<LeaseTime>,
) {
    let mut host = host(ip);
    host.mac = mac.map(|mac| mac.parse().unwrap());
    (host.id, host.name) = (id.map(str::to_owned), name.map(str::to_owned));
    host.lease = lease;
    let net = if host.ip.is_ipv4() { "192.168.122.1/24" } else { "2001:db8::1/64" };
    let mut config = config([net]);
    config.subnets[0].dhcp.get_or_insert_default().hosts.push(host);
    let lease = if lease.is_some() { ",5m" } else { "" };
    assert_eq!(render(&config).unwrap().hosts, format!("{expected}{lease}\n"));
}

#[rstest]
#[case::absent(None, "")]
#[case::zero(Some(0), "")]
#[case::most(Some(65_535), "dhcp-option=option:mtu,65535")]
fn mtus(#[case] mtu: Option<u32>, #[case] expected: &str) {
    assert_eq!(added(|config| config.mtu = mtu), expected);
}

#[test]
fn ranges_are_summed() {
    let line = added(|config| {
        config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.9");
        config.subnets[0].dhcp.as_mut().unwrap().ranges.push(range("192.168.122.20-192.168.122.20"));
    });
    assert!(line.contains("dhcp-lease-max=9|"), "{line}");
}

#[test]
fn ipv6_without_dhcp_beside_ipv6_with_it_is_not_announced() {
    let mut config = config(["2001:db8:1::1/64", "2001:db8:2::1/64"]);
    config.subnets[0].dhcp = dhcp("2001:db8:1::10-2001:db8:1::20");
    let body = body(&config);
    assert!(body.ends_with("|enable-ra") && !body.contains("2001:db8:2::1"), "{body}");
}

#[test]
fn files_of_dnsmasq_itself() {
    let mut paths = paths();
    paths.pid_file = Some("/run/vnet/a #b.pid".into());
    paths.leases = Some("/run/vnet/a.leases".into());
    let conf = config(["192.168.122.1/24"]).render(&paths).unwrap().conf;
    let own = "strict-order\npid-file=\"/run/vnet/a #b.pid\"\ndhcp-leasefile=/run/vnet/a.leases\nexcept-interface=lo\n";
    assert!(conf.contains(own), "{conf}");
}

#[test]
fn an_interface_with_signs() {
    let mut config = config(["192.168.122.1/24"]);
    config.interface = "a,\"#".parse().unwrap();
    assert!(body(&config).contains(r##"|interface="a,\"#"|"##));
}

#[rstest]
#[case::no_subnet([], true, |_: &mut Config| (), false)]
#[case::dns(["192.168.122.1/24"], true, |_: &mut Config| (), true)]
#[case::nothing(["192.168.122.1/24"], false, |_: &mut Config| (), false)]
#[case::range(["192.168.122.1/24"], false, |config: &mut Config| config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.9"), true)]
#[case::empty_dhcp(["192.168.122.1/24"], false, |config: &mut Config| config.subnets[0].dhcp = Some(vnet_dnsmasq::Dhcp::default()), false)]
#[case::tftp(["192.168.122.1/24"], false, |config: &mut Config| config.subnets[0].tftp_root = Some("/srv".to_owned()), true)]
fn is_needed<const N: usize>(
    #[case] nets: [&str; N],
    #[case] has_dns: bool,
    #[case] change: fn(&mut Config),
    #[case] expected: bool,
) {
    let mut config = config(nets);
    config.dns = has_dns.then(Default::default);
    change(&mut config);
    assert_eq!(config.is_needed(), expected);
}

#[rstest]
#[case::nothing_said(&[], Some(53), [true, false], false)]
#[case::another_port(&["port=5353"], Some(5353), [true, false], false)]
#[case::no_port(&["port = 0"], None, [true, false], false)]
#[case::more_addresses(&["dhcp-range=set:a,fd00::2,fd00::9"], Some(53), [true, true], false)]
#[case::tftp(&["enable-tftp"], Some(53), [true, false], true)]
#[case::others(&["log-queries", "dhcp-option=option:ntp-server,192.0.2.5"], Some(53), [true, false], false)]
fn services_follow_from_options_too(
    #[case] options: &[&str],
    #[case] port: Option<u16>,
    #[case] dhcp: [bool; 2],
    #[case] tftp: bool,
) {
    let mut subnet = Subnet::new("192.0.2.1/24".parse().unwrap());
    subnet.dhcp = Some(Dhcp::with_ranges([DhcpRange::new("192.0.2.2-192.0.2.9".parse().unwrap())]));
    let mut config = Config::new("virbr0".parse().unwrap());
    config.subnets.push(subnet);
    config.options = options.iter().map(|&option| option.to_owned()).collect();
    assert_eq!(config.dns_port(), port);
    assert_eq!([Family::Ipv4, Family::Ipv6].map(|family| config.serves_dhcp(family)), dhcp);
    assert_eq!(config.serves_tftp(), tftp);
}
