//! Names over IPv6: guests are told the name server, and ask it.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::sockopt::Ipv6MulticastHops;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket};
use rstest::rstest;
use vnet_lab::dhcp6::Client;
use vnet_lab::dns::{Kind, Record};
use vnet_lab::probe::{Transport, serve};
use vnet_tests::{Machine, OvnLab, isolate, json, run, wait_for};

use super::{SOON, WEB, ask_at, cluster_with, ip, is_answered, is_answered_at, lease, network, reaches};

const SERVER: &str = "fd00:77::2";
const DHCP: &str = "<dhcp><range start='fd00:77::100' end='fd00:77::1ff'/></dhcp>";

/// The network with a subnet of IPv6, too.
fn dual_stack(lab: &OvnLab, dhcp: &str) -> String {
    let outside = "<vnet:address address='2001:db8:2::10' prefix='64' gateway='2001:db8:2::1'/><vnet:gateway";
    let subnet = format!("<ip family='ipv6' address='fd00:77::1' prefix='64'>{dhcp}</ip><dnsmasq:options>");
    let definition = network(lab).replace("<forward mode='nat'/>", "<forward mode='nat'><nat ipv6='yes'/></forward>");
    definition.replace("<vnet:gateway", outside).replace("<dnsmasq:options>", &subnet)
}

/// The name servers that routers advertise to those who ask (RFC 8106).
fn advertised(guest: &Machine, card: u32) -> Vec<IpAddr> {
    let all_routers = SocketAddrV6::new("ff02::2".parse().unwrap(), 0, 0, card);
    guest.netns.run(|| {
        let icmp = socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::IcmpV6).unwrap();
        // Routers answer what no other router has passed on.
        setsockopt(&icmp, Ipv6MulticastHops, &255).unwrap();
        let icmp = UdpSocket::from(icmp);
        icmp.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut bytes = [0; 1500];
        wait_for(SOON, "a router advertisement", || {
            icmp.send_to(&[133, 0, 0, 0, 0, 0, 0, 0], all_routers).ok()?;
            loop {
                let length = icmp.recv(&mut bytes).ok()?;
                if bytes[0] == 134 {
                    return Some(servers(&bytes[16..length]));
                }
            }
        })
    })
}

/// Those among the options of an advertisement.
fn servers(mut options: &[u8]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    while let [kind, length, ..] = *options {
        assert!(length > 0, "{options:?}");
        let (option, rest) = options.split_at(usize::from(length) * 8);
        if kind == 25 {
            found.extend(option[8..].as_chunks::<16>().0.iter().map(|octets| IpAddr::from(*octets)));
        }
        options = rest;
    }
    found
}

#[rstest]
#[case::dhcp(DHCP)]
#[case::autoconfiguration("")]
fn guests_ask_over_ipv6(#[case] dhcp: &str) {
    isolate!();
    let (lab, _resolvers) = cluster_with(|lab| dual_stack(lab, dhcp));
    let host = &lab.hosts[0];
    let web = host.guest("lab", "web", WEB, "");
    let card = web.netns.run(|| json("ip", &["-j", "link", "show", "eth0"])[0]["ifindex"].as_u64().unwrap());
    let card = u32::try_from(card).unwrap();
    assert_eq!(advertised(&web, card), [ip(SERVER)]);
    let mut address: Ipv6Addr = "fd00:77::7777".parse().unwrap();
    if !dhcp.is_empty() {
        let client = Client::new(WEB.parse().unwrap(), "web".to_owned());
        let soon = || Instant::now() + SOON;
        let told = web.netns.run(|| client.name_servers(card, soon()).unwrap());
        assert_eq!(told, Some(vec![SERVER.parse().unwrap()]));
        address = web.netns.run(|| client.lease(card, soon()).unwrap()).unwrap();
    }
    web.netns.run(|| run("ip", &["address", "replace", &format!("{address}/64"), "dev", "eth0", "nodad"]));
    is_answered_at(&web, SERVER);
    if !dhcp.is_empty() {
        for how in [Transport::Udp, Transport::Tcp] {
            let own = ask_at(&web, SERVER, how, "web.lab.example", Kind::Aaaa, SOON);
            assert_eq!(own, Some(vec![Record::Address(address.into())]), "{how}");
        }
    }
    // It is the same server that is asked over IPv4, and nothing else of the host is there.
    lease(&web, WEB);
    is_answered(&web);
    serve(host.netns.namespace(), 7777).unwrap();
    assert!(!reaches(&web, SERVER, 7777));
}
