//! `<vnet:driver>` in `<metadata>`.

use rstest::rstest;
use vnet_types::{Features, InterfaceName, Inventory, KnownNetwork, Link, LinkKind};
use vnet_validate::check_against;
use vnet_xml::Network;
use vnet_xml::network::{Forward, ForwardInterface, ForwardMode};

use crate::{assert_found, lines, nat};

fn flowtable(network: &mut Network, mode: ForwardMode, on: bool) {
    network.forward = (mode != ForwardMode::None).then(|| Forward::new(mode));
    network.extensions.flowtable = Some(on);
}

#[rstest]
#[case::nat(|n: &mut Network| flowtable(n, ForwardMode::Nat, true), &[])]
#[case::routed(|n: &mut Network| flowtable(n, ForwardMode::Route, true), &[])]
#[case::open(|n: &mut Network| flowtable(n, ForwardMode::Open, true), &["VN0571 /network/metadata/vnet:network/vnet:driver/@flowtable"])]
#[case::isolated(|n: &mut Network| flowtable(n, ForwardMode::None, true), &["VN0571 /network/metadata/vnet:network/vnet:driver/@flowtable"])]
#[case::off(|n: &mut Network| flowtable(n, ForwardMode::None, false), &[])]
fn modes(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}

#[test]
fn it_needs_the_device_where_connections_leave() {
    let mut network = nat();
    flowtable(&mut network, ForwardMode::Nat, true);
    let eth0: InterfaceName = "eth0".parse().unwrap();
    network.forward.as_mut().unwrap().interfaces = vec![ForwardInterface::from(eth0)];
    let link = |name: &str| {
        let (name, kind) = (name.parse().unwrap(), LinkKind::Other(String::new()));
        Link { name, kind, mac: None, mtu: Some(1500), up: true }
    };
    let on = |host: &Inventory| -> Vec<String> {
        lines(&check_against(&network, host)).into_iter().filter(|it| it.starts_with("VN063")).collect()
    };
    let without_way_out = ["VN0631 /network/metadata/vnet:network/vnet:driver/@flowtable"];
    let without_flowtables = ["VN0632 /network/metadata/vnet:network/vnet:driver/@flowtable"];
    let found = |links: Vec<Link>| on(&Inventory { ipv6: true, links, ..Inventory::default() });
    assert_eq!(found(vec![link("eth1")]), without_way_out);
    assert_eq!(found(vec![link("eth0")]), Vec::<String>::new());
    let host = Inventory { ipv6: true, links: vec![link("eth0")], ..Inventory::default() };
    let features = Features { flowtable: false, ..Features::ALL };
    assert_eq!(on(&Inventory { features, ..host.clone() }), without_flowtables);
    let bridge = Some("eth0".parse().unwrap());
    let between = KnownNetwork { name: "other".parse().unwrap(), uuid: None, bridge };
    assert_eq!(on(&Inventory { networks: vec![between], ..host }), without_way_out);
}
