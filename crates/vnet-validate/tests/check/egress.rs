//! `<vnet:egress>` in `<metadata>`.

use rstest::rstest;
use vnet_types::{Address, Egress, EgressException, EgressPreset, EgressProtocol, Inventory, Link, LinkKind};
use vnet_validate::check_against;
use vnet_xml::Network;
use vnet_xml::network::{Forward, ForwardMode};

use crate::{assert_found, lines, nat};

fn egress(network: &mut Network, preset: EgressPreset) -> &mut Egress {
    network.extensions.egress.insert(Egress::new(preset))
}

fn mode(network: &mut Network, mode: ForwardMode, preset: EgressPreset) -> &mut Egress {
    network.forward = (mode != ForwardMode::None).then(|| Forward::new(mode));
    egress(network, preset)
}

fn to(net: &str) -> EgressException {
    let mut exception = EgressException::default();
    exception.net = Some(net.parse().unwrap());
    exception
}

fn port(protocol: Option<EgressProtocol>, ports: &str) -> EgressException {
    let mut exception = EgressException::default();
    (exception.protocol, exception.ports) = (protocol, Some(ports.parse().unwrap()));
    exception
}

fn allow(network: &mut Network, exceptions: &[EgressException]) {
    egress(network, EgressPreset::InternetOnly).allow = exceptions.to_vec();
}

#[rstest]
#[case::usual(|n: &mut Network| { egress(n, EgressPreset::InternetOnly); }, &[])]
#[case::open(|n: &mut Network| { mode(n, ForwardMode::Open, EgressPreset::Any); }, &["VN0561 /network/metadata/vnet:network/vnet:egress"])]
#[case::isolated(|n: &mut Network| { mode(n, ForwardMode::None, EgressPreset::InternetOnly); }, &["VN0562 /network/metadata/vnet:network/vnet:egress/@preset"])]
#[case::isolated_host_only(|n: &mut Network| { mode(n, ForwardMode::None, EgressPreset::HostOnly); }, &[])]
#[case::nothing(|n: &mut Network| allow(n, &[EgressException::default()]), &["VN0563 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]"])]
#[case::a_loopback(|n: &mut Network| allow(n, &[to("127.0.0.1/32")]), &["VN0564 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@address"])]
#[case::a_sibling(|n: &mut Network| allow(n, &[to("192.168.100.7/32")]), &["VN0564 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@address"])]
#[case::the_host(|n: &mut Network| allow(n, &[to("192.168.100.1/32")]), &[])]
#[case::no_ipv6(|n: &mut Network| { n.ips.pop(); allow(n, &[to("fd00::5/128")]) }, &["VN0564 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@address"])]
#[case::no_way(|n: &mut Network| mode(n, ForwardMode::None, EgressPreset::None).allow = vec![to("10.0.0.5/32"), to("192.168.100.1/32")],
    &["VN0564 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@address"])]
#[case::denied_where_no_way_is(|n: &mut Network| { n.ips.pop(); egress(n, EgressPreset::Any).deny = vec![to("fd00::5/128")] }, &[])]
#[case::port_of_icmp(|n: &mut Network| allow(n, &[port(Some(EgressProtocol::Icmp), "7-7")]), &["VN0565 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@port"])]
#[case::port_0(|n: &mut Network| allow(n, &[port(None, "0-7")]), &["VN0565 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@port"])]
#[case::port(|n: &mut Network| allow(n, &[port(None, "7-9")]), &[])]
#[case::twice(|n: &mut Network| { allow(n, &[to("10.0.0.5/32")]); n.extensions.egress.as_mut().unwrap().deny = vec![to("10.0.0.5/32")] },
    &["VN0566 /network/metadata/vnet:network/vnet:egress/vnet:deny[1]"])]
#[case::too_many(|n: &mut Network| allow(n, &(1..=257).map(|at| port(None, &format!("{at}-{at}"))).collect::<Vec<_>>()),
    &["VN0567 /network/metadata/vnet:network/vnet:egress/vnet:allow[257]"])]
fn limits(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[test]
fn an_allowed_address_needs_a_route() {
    let mut network = nat();
    allow(&mut network, &[to("10.99.0.5/32"), to("203.0.113.7/32")]);
    let (name, kind) = ("eth0".parse().unwrap(), LinkKind::Other(String::new()));
    let link = Link { name, kind, mac: None, mtu: Some(1500), up: true };
    let address = Address { net: "203.0.113.7/32".parse().unwrap(), broadcast: None };
    let mut host = Inventory { ipv6: true, links: vec![link], ..Inventory::default() };
    host.addresses.push(("eth0".parse().unwrap(), address));
    let found = lines(&check_against(&network, &host));
    let expected = "VN0630 /network/metadata/vnet:network/vnet:egress/vnet:allow[1]/@address";
    assert_eq!(found.iter().filter(|it| it.starts_with("VN0630")).collect::<Vec<_>>(), [expected]);
}
