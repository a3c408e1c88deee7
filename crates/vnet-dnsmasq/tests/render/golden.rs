//! Networks of libvirt's own test suite (`networkxml2conftest`), and the files that libvirt 11.3
//! writes for them.

use vnet_dnsmasq::{Boot, Config, DhcpHost, Dns, DnsHost, Domain, Forwarder, LeaseTime, PlainNames, Reach, Srv, Txt};

use crate::{body, config, dhcp, host, range, render, subnet};

const FILES: &str = "dhcp-hostsfile=/var/lib/libvirt/dnsmasq/default.hostsfile\
                     |addn-hosts=/var/lib/libvirt/dnsmasq/default.addnhosts";
const NAMES: &str = "addn-hosts=/var/lib/libvirt/dnsmasq/default.addnhosts";
const BRIDGE: &str = "except-interface=lo|bind-dynamic|interface=virbr0";
const RANGE: &str = "dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0|dhcp-no-override|dhcp-authoritative";
const SLAAC: &str = "dhcp-range=2001:db8:ac10:fe01::1,ra-only|dhcp-range=2001:db8:ac10:fd01::1,ra-only";

/// Several subnets, one with DHCP: `nat-network` and similar networks.
fn nat_network() -> Config {
    let mut config = config([
        "192.168.122.1/24",
        "192.168.123.1/24",
        "2001:db8:ac10:fe01::1/64",
        "2001:db8:ac10:fd01::1/64",
        "10.24.10.1/8",
    ]);
    config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.254");
    config.subnets[0].dhcp.as_mut().unwrap().hosts = ipv4_hosts();
    config
}

fn ipv4_hosts() -> Vec<DhcpHost> {
    let named = |mac: &str, ip, name: &str| {
        let mut host = host(ip);
        (host.mac, host.name) = (Some(mac.parse().unwrap()), Some(name.to_owned()));
        host
    };
    vec![
        named("00:16:3e:77:e2:ed", "192.168.122.10", "a.example.com"),
        named("00:16:3e:3e:a9:1a", "192.168.122.11", "b.example.com"),
    ]
}

fn ipv6_hosts() -> Vec<DhcpHost> {
    let known = |id: &str, name: &str, last| {
        let mut host = host(&format!("2001:db8:ac10:fd01::1:{last}"));
        host.id = (!id.is_empty()).then(|| id.to_owned());
        host.name = (!name.is_empty()).then(|| name.to_owned());
        host
    };
    vec![
        known("0:4:7e:7d:f0:7d:a8:bc:c5:d2:13:32:11:ed:16:ea:84:63", "", 20),
        known("", "paul", 21),
        known("0:3:0:1:0:16:3e:11:22:33", "peter.xyz", 22),
        known("0:3:0:1:0:16:3e:44:55:33", "", 23),
        known("0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66", "badbob", 24),
    ]
}

const IPV4_HOSTS: &str = "00:16:3e:77:e2:ed,192.168.122.10,a.example.com
00:16:3e:3e:a9:1a,192.168.122.11,b.example.com
";
const IPV6_HOSTS: &str = "id:0:4:7e:7d:f0:7d:a8:bc:c5:d2:13:32:11:ed:16:ea:84:63,[2001:db8:ac10:fd01::1:20]
paul,[2001:db8:ac10:fd01::1:21]
id:0:3:0:1:0:16:3e:11:22:33,peter.xyz,[2001:db8:ac10:fd01::1:22]
id:0:3:0:1:0:16:3e:44:55:33,[2001:db8:ac10:fd01::1:23]
id:0:1:0:1:18:aa:62:fe:0:16:3e:44:55:66,badbob,[2001:db8:ac10:fd01::1:24]
";

#[test]
fn nat_network_with_hosts() {
    let config = nat_network();
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{RANGE}|dhcp-lease-max=253|{FILES}|{SLAAC}"));
    assert_eq!(render(&config).unwrap().hosts, IPV4_HOSTS);
}

#[test]
fn nat_network_mtu() {
    let mut config = nat_network();
    config.mtu = Some(7000);
    let mtu = "dhcp-option=option:mtu,7000";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{RANGE}|dhcp-lease-max=253|{FILES}|{mtu}|{SLAAC}"));
}

#[test]
fn ptr_domains_auto() {
    let mut config = nat_network();
    config.subnets[0].local_ptr = true;
    config.subnets[2].local_ptr = true;
    let zones = "local=/122.168.192.in-addr.arpa/|local=/1.0.e.f.0.1.c.a.8.b.d.0.1.0.0.2.ip6.arpa/";
    assert_eq!(body(&config), format!("strict-order|{zones}|{BRIDGE}|{RANGE}|dhcp-lease-max=253|{FILES}|{SLAAC}"));
}

#[test]
fn nat_network_dns_txt_record() {
    let mut config = nat_network();
    let txt = Txt { name: "example".to_owned(), value: "example value".to_owned() };
    config.dns.as_mut().unwrap().txts.push(txt);
    let txt = "txt-record=example,example value";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{txt}|{RANGE}|dhcp-lease-max=253|{FILES}|{SLAAC}"));
}

#[test]
fn nat_network_dns_srv_record() {
    let mut config = nat_network();
    let record = |number: u8, port, priority, weight| {
        let protocol = if number == 1 { "tcp" } else { "udp" };
        let mut srv = Srv::new(if number == 1 { "name".into() } else { format!("name{number}") }, protocol);
        srv.target = Some(if number == 1 { "test.example.com".into() } else { format!("test{number}.example.com") });
        (srv.domain, srv.port) = (Some("test-domain-name".to_owned()), port);
        (srv.priority, srv.weight) = (priority, weight);
        srv
    };
    config.dns.as_mut().unwrap().srvs = vec![
        record(1, Some(1111), Some(11), Some(111)),
        record(2, Some(2222), Some(22), Some(222)),
        record(3, Some(3333), Some(33), None),
        record(4, Some(4444), None, None),
        record(5, None, Some(55), Some(555)),
        record(6, Some(6666), None, Some(666)),
        record(7, None, None, Some(777)),
    ];
    let srv = "srv-host=_name._tcp.test-domain-name,test.example.com,1111,11,111\
               |srv-host=_name2._udp.test-domain-name,test2.example.com,2222,22,222\
               |srv-host=_name3._udp.test-domain-name,test3.example.com,3333,33\
               |srv-host=_name4._udp.test-domain-name,test4.example.com,4444\
               |srv-host=_name5._udp.test-domain-name,test5.example.com,1,55,555\
               |srv-host=_name6._udp.test-domain-name,test6.example.com,6666,0,666\
               |srv-host=_name7._udp.test-domain-name,test7.example.com,1,0,777";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{srv}|{RANGE}|dhcp-lease-max=253|{FILES}|{SLAAC}"));
}

#[test]
fn nat_network_dns_srv_record_minimal() {
    let mut config = config(["192.168.122.1/24", "fc00:db8:ac10:fe01::1/64", "fc00:db8:ac10:fd01::1/64"]);
    config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.254");
    config.dns.as_mut().unwrap().srvs.push(Srv::new("name", "tcp"));
    let slaac = SLAAC.replace("2001", "fc00");
    let srv = "srv-host=_name._tcp";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{srv}|{RANGE}|dhcp-lease-max=253|{FILES}|{slaac}"));
}

#[test]
fn nat_network_dns_hosts() {
    let mut config = config(["192.168.122.1/24"]);
    config.domain = Some(Domain { name: "example.com".to_owned(), local_only: false });
    let dns = config.dns.as_mut().unwrap();
    dns.plain_names = PlainNames::Local;
    let host = |ip: &str, names: &[&str]| DnsHost {
        ip: ip.parse().unwrap(),
        hostnames: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    dns.hosts = vec![
        host("192.168.122.1", &["host", "gateway"]),
        host("192.168.122.2", &["guest"]),
        host("192.168.122.1", &["router"]),
    ];
    let names = "domain=example.com|expand-hosts|domain-needed|local=//";
    assert_eq!(body(&config), format!("strict-order|{names}|{BRIDGE}|{NAMES}"));
    let addn_hosts = "192.168.122.1\thost\tgateway\trouter\t\n192.168.122.2\tguest\t\n";
    assert_eq!(render(&config).unwrap().addn_hosts, addn_hosts);
}

#[test]
fn nat_network_dns_local_domain() {
    let mut config = config(["192.168.122.1/24"]);
    config.domain = Some(Domain { name: "example.com".to_owned(), local_only: true });
    let names = "local=/example.com/|domain=example.com|expand-hosts";
    assert_eq!(body(&config), format!("strict-order|{names}|{BRIDGE}|{NAMES}"));
}

#[test]
fn nat_network_dns_forwarders() {
    let mut config = config(["192.168.122.1/24"]);
    let mut example = Forwarder::to("192.168.1.1".parse().unwrap());
    example.domain = Some("example.com".to_owned());
    let dns = config.dns.as_mut().unwrap();
    dns.forwarders = vec![example.clone()];
    let zone = "server=/example.com/192.168.1.1";
    assert_eq!(body(&config), format!("strict-order|{zone}|{BRIDGE}|{NAMES}"), "forwarder-no-resolv");

    let to = |addr: &str| Forwarder::to(addr.parse().unwrap());
    let dns = config.dns.as_mut().unwrap();
    dns.forwarders = vec![to("8.8.8.8"), to("8.8.4.4"), example, Forwarder::of_domain("www.example.com")];
    let servers = format!("server=8.8.8.8|server=8.8.4.4|{zone}|server=/www.example.com/#|no-resolv");
    assert_eq!(body(&config), format!("strict-order|{servers}|{BRIDGE}|{NAMES}"));
}

#[test]
fn routed_network() {
    assert_eq!(body(&config(["192.168.122.1/24"])), format!("strict-order|{BRIDGE}|{NAMES}"));
}

#[test]
fn routed_network_no_dns() {
    let mut config = config(["192.168.122.1/24"]);
    config.dns = None;
    assert_eq!(body(&config), format!("strict-order|port=0|{BRIDGE}"));
}

#[test]
fn isolated_network() {
    let mut config = config(["192.168.152.1/24"]);
    config.reach = Reach::Isolated;
    config.subnets[0].dhcp = dhcp("192.168.152.2-192.168.152.254");
    let range = RANGE.replace(".122.", ".152.");
    let isolated = "dhcp-option=3|no-resolv|ra-param=*,0,0";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{isolated}|{range}|dhcp-lease-max=253|{FILES}"));
}

#[test]
fn dhcp6_network() {
    let mut config = config(["2001:db8:ac10:fd01::1/64"]);
    config.domain = Some(Domain { name: "mynet".to_owned(), local_only: false });
    config.subnets[0].dhcp = dhcp("2001:db8:ac10:fd01::1:10-2001:db8:ac10:fd01::1:ff");
    config.subnets[0].dhcp.as_mut().unwrap().hosts = ipv6_hosts();
    let range = "dhcp-range=2001:db8:ac10:fd01::1:10,2001:db8:ac10:fd01::1:ff,64|dhcp-lease-max=240";
    let domain = "domain=mynet|expand-hosts";
    assert_eq!(body(&config), format!("strict-order|{domain}|{BRIDGE}|{range}|{FILES}|enable-ra"));
    assert_eq!(render(&config).unwrap().hosts, IPV6_HOSTS);
}

#[test]
fn dhcp6_nat_network() {
    // IPv6 is defined first here, but IPv4 is written first.
    let mut config = config(["2001:db8:ac10:fd01::1/64", "192.168.122.1/24"]);
    config.subnets[0].dhcp = dhcp("2001:db8:ac10:fd01::1:10-2001:db8:ac10:fd01::1:ff");
    config.subnets[0].dhcp.as_mut().unwrap().hosts = ipv6_hosts();
    config.subnets[1].dhcp = dhcp("192.168.122.2-192.168.122.254");
    config.subnets[1].dhcp.as_mut().unwrap().hosts = ipv4_hosts();
    let range = "dhcp-range=2001:db8:ac10:fd01::1:10,2001:db8:ac10:fd01::1:ff,64|dhcp-lease-max=493";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{RANGE}|{range}|{FILES}|enable-ra"));
    assert_eq!(render(&config).unwrap().hosts, format!("{IPV4_HOSTS}{IPV6_HOSTS}"));
}

#[test]
fn dhcp6host_routed_network() {
    let mut config = config(["192.168.122.1/24", "2001:db8:ac10:fd01::1/64"]);
    for (subnet, hosts) in config.subnets.iter_mut().zip([ipv4_hosts(), ipv6_hosts()]) {
        subnet.dhcp.get_or_insert_default().hosts = hosts;
    }
    let ranges = "dhcp-range=192.168.122.1,static|dhcp-no-override|dhcp-authoritative\
                  |dhcp-range=2001:db8:ac10:fd01::1,static,64";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{ranges}|{FILES}|enable-ra"));
    assert_eq!(render(&config).unwrap().hosts, format!("{IPV4_HOSTS}{IPV6_HOSTS}"));
}

#[rstest::rstest]
#[case::seconds(LeaseTime::Seconds(200), [LeaseTime::Seconds(300), LeaseTime::Seconds(400)], "200s", ["300s", "400s"])]
#[case::minutes(LeaseTime::Minutes(10), [LeaseTime::Minutes(20), LeaseTime::Minutes(30)], "10m", ["20m", "30m"])]
#[case::hours(LeaseTime::Hours(1), [LeaseTime::Hours(2), LeaseTime::Hours(3)], "1h", ["2h", "3h"])]
#[case::infinite(LeaseTime::Infinite, [LeaseTime::Infinite; 2], "infinite", ["infinite"; 2])]
fn leasetime(#[case] own: LeaseTime, #[case] each: [LeaseTime; 2], #[case] text: &str, #[case] texts: [&str; 2]) {
    let mut config = config(["192.168.122.1/24"]);
    let dhcp = config.subnets[0].dhcp.get_or_insert_default();
    dhcp.ranges.push(range("192.168.122.2-192.168.122.254"));
    dhcp.ranges[0].lease = Some(own);
    dhcp.hosts = ipv4_hosts();
    dhcp.hosts.iter_mut().zip(each).for_each(|(host, time)| host.lease = Some(time));
    let range = RANGE.replacen("255.255.255.0", &format!("255.255.255.0,{text}"), 1);
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{range}|dhcp-lease-max=253|{FILES}"));
    let hosts: String = IPV4_HOSTS.lines().zip(texts).map(|(line, text)| format!("{line},{text}\n")).collect();
    assert_eq!(render(&config).unwrap().hosts, hosts);
}

#[rstest::rstest]
#[case::netboot_network(true, None, "dhcp-boot=pxeboot.img")]
#[case::netboot_proxy_network(false, Some("10.20.30.40"), "dhcp-boot=pxeboot.img,,10.20.30.40")]
fn netboot(#[case] has_tftp: bool, #[case] server: Option<&str>, #[case] boot: &str) {
    let mut config = config(["192.168.122.1/24"]);
    config.domain = Some(Domain { name: "example.com".to_owned(), local_only: false });
    config.subnets[0].tftp_root = has_tftp.then(|| "/var/lib/tftproot".to_owned());
    config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.254");
    let server = server.map(|server| server.parse().unwrap());
    config.subnets[0].dhcp.as_mut().unwrap().boot = Some(Boot { file: "pxeboot.img".to_owned(), server });
    let domain = "domain=example.com|expand-hosts";
    let tftp = if has_tftp { "enable-tftp|tftp-root=/var/lib/tftproot|" } else { "" };
    let expected = format!("strict-order|{domain}|{BRIDGE}|{tftp}{RANGE}|{boot}|dhcp-lease-max=253|{FILES}");
    assert_eq!(body(&config), expected);
}

#[test]
fn netboot_tftp() {
    let mut config = config(["192.168.122.1/24"]);
    config.subnets[0].tftp_root = Some("/var/lib/tftproot".to_owned());
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|enable-tftp|tftp-root=/var/lib/tftproot|{NAMES}"));
}

#[test]
fn dnsmasq_options() {
    let mut config = Config::new("virbr0".parse().unwrap());
    config.dns = Some(Dns::default());
    config.subnets = vec![subnet("192.168.122.1/24")];
    config.subnets[0].dhcp = dhcp("192.168.122.2-192.168.122.254");
    config.options = vec!["foo=bar".to_owned(), "cname=*.cloudapps.example.com,master.example.com".to_owned()];
    let options = "foo=bar|cname=*.cloudapps.example.com,master.example.com";
    assert_eq!(body(&config), format!("strict-order|{BRIDGE}|{RANGE}|dhcp-lease-max=253|{FILES}|{options}"));
}
