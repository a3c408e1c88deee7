//! Bridges of Open vSwitch on a host.

use rstest::rstest;
use vnet_types::{Inventory, KnownNetwork, KnownSwitch, Link, LinkKind};
use vnet_validate::{Finding, KnownHost, check_against};
use vnet_xml::{Interface, Network};

use crate::lines;

/// A host with the device of a bridge, where the network `lab` runs.
fn host(switch: KnownSwitch) -> Inventory {
    let (name, kind) = ("ovs0".parse().unwrap(), LinkKind::Other("openvswitch".to_owned()));
    let links = vec![Link { name, kind, mac: None, mtu: Some(1500), up: true }];
    let networks = vec![KnownNetwork { name: "lab".parse().unwrap(), uuid: None, bridge: None }];
    Inventory { links, networks, switch, ..Inventory::default() }
}

/// Open vSwitch in userspace does not police what guests send.
#[rstest]
#[case::in_userspace("netdev", "<outbound average='500'/>", true)]
#[case::in_the_kernel("system", "<outbound average='500'/>", false)]
#[case::to_the_guest("netdev", "<inbound average='500'/>", false)]
fn limits_on_open_vswitch(#[case] datapath: &str, #[case] limit: &str, #[case] expected: bool) {
    let inventory = host(KnownSwitch::Bridges([("ovs0".to_owned(), datapath.to_owned())].into()));
    let (port, limits) = ("<virtualport type='openvswitch'/>", format!("<bandwidth>{limit}</bandwidth>"));
    let network = format!(
        "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>{port}<portgroup name='web'>{limits}\
         </portgroup></network>"
    );
    let network: Network = network.parse().unwrap();
    let found = |expected: &[&str], findings: &[Finding]| assert_eq!(lines(findings), expected, "{findings:#?}");
    let told: &[&str] = if expected { &["VN0634 /network/portgroup[1]/bandwidth/outbound"] } else { &[] };
    found(told, &check_against(&network, &inventory));
    let told: &[&str] = if expected { &["VN0634 /interface/bandwidth/outbound"] } else { &[] };
    for (kind, source) in [("network", "network='lab'"), ("bridge", "bridge='ovs0'")] {
        let port = if kind == "bridge" { port } else { "" };
        let text = format!("<interface type='{kind}'><source {source}/>{port}{limits}</interface>");
        let interface: Interface = text.parse().unwrap();
        let networks = std::slice::from_ref(&network);
        found(told, &check_against(&interface, KnownHost::new(&inventory, networks)));
    }
}

/// Open vSwitch in userspace passes on what a virtio guest has left to the host.
#[rstest]
#[case::in_userspace("netdev", "<model type='virtio'/>", true)]
#[case::which_the_host_is_not_offered("netdev", "<model type='virtio'/><driver><host csum='off'/></driver>", false)]
#[case::of_other_offloads("netdev", "<model type='virtio'/><driver><host tso4='off'/></driver>", true)]
#[case::of_another_card("netdev", "<model type='e1000'/>", false)]
#[case::in_the_kernel("system", "<model type='virtio'/>", false)]
fn checksums_on_open_vswitch(#[case] datapath: &str, #[case] card: &str, #[case] expected: bool) {
    let inventory = host(KnownSwitch::Bridges([("ovs0".to_owned(), datapath.to_owned())].into()));
    let port = "<virtualport type='openvswitch'/>";
    let network = format!("<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>{port}</network>");
    let network: Network = network.parse().unwrap();
    let told: &[&str] = if expected { &["VN0635 /interface/model/@type"] } else { &[] };
    for source in ["network'><source network='lab'/>", &format!("bridge'><source bridge='ovs0'/>{port}")] {
        let interface: Interface = format!("<interface type='{source}{card}</interface>").parse().unwrap();
        let findings = check_against(&interface, KnownHost::new(&inventory, std::slice::from_ref(&network)));
        assert_eq!(lines(&findings), told, "{findings:#?}");
    }
}

/// An interface finds its network running where Open vSwitch has ended.
#[test]
fn an_interface_needs_the_switch_of_its_network() {
    let text = "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>\
        <virtualport type='openvswitch'/></network>";
    let network: Network = text.parse().unwrap();
    let interface: Interface = "<interface type='network'><source network='lab'/></interface>".parse().unwrap();
    let bridges = |name: &str| KnownSwitch::Bridges([(name.to_owned(), String::new())].into());
    let missing = "VN0616 /interface/source/@network";
    for (switch, expected) in [
        (KnownSwitch::Unusable("it does not run".to_owned()), vec![missing]),
        (bridges("ovs1"), vec![missing]),
        (bridges("ovs0"), vec![]),
        (KnownSwitch::Unasked, vec![]),
    ] {
        let inventory = host(switch);
        let findings = check_against(&interface, KnownHost::new(&inventory, std::slice::from_ref(&network)));
        assert_eq!(lines(&findings), expected, "{findings:#?}");
    }
}
