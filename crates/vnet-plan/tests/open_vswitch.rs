//! What a guest's interface on Open vSwitch requires: rows of its database.
#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_plan::{
    AttachError, ContainerEnd, Key, PortChoices, Resource, SwitchPolicer, SwitchShaper, SwitchVlans, attach,
};
use vnet_types::{Inventory, KnownContainer, KnownSwitch, Link, LinkKind, MacAddr, Uuid};
use vnet_xml::{Interface, Network};

/// What libvirt's words for a port of Open vSwitch come to. The guest's UUID is kept where the next
/// call does not have it.
#[test]
fn a_port_of_open_vswitch_is_rows() {
    let network: Network = "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>
        <virtualport type='openvswitch'/><portgroup name='web'><virtualport><parameters profileid='red'/></virtualport>
        <vlan trunk='yes'><tag id='47'/><tag id='42' nativeMode='untagged'/></vlan>
        <bandwidth><inbound average='1000' peak='2000' burst='512'/><outbound average='500' burst='256'/></bandwidth>
        </portgroup></network>"
        .parse()
        .unwrap();
    let interface: Interface = "<interface type='network'><source network='lab' portgroup='web'/>
        <mac address='52:54:00:00:00:01'/></interface>"
        .parse()
        .unwrap();
    let switch = KnownSwitch::Bridges([("ovs0".to_owned(), String::new())].into());
    let mut host = Inventory { switch, ..Inventory::default() };
    let mut choices = PortChoices { random: [7; 16], guest_uuid: Some(Uuid([9; 16])), ..PortChoices::default() };
    let lowered = attach(&interface, Some(&network), &host, &choices).unwrap();
    let rows = lowered.desired.get(&Key::SwitchPort("vnet0".parse().unwrap())).cloned();
    let Some(Resource::SwitchPort(port)) = &rows else { panic!("{:?}", lowered.desired) };
    let vlans = SwitchVlans { tag: Some(42), trunks: vec![42, 47], mode: Some("native-untagged".into()) };
    assert_eq!((&port.vlans, port.profile.as_deref()), (&vlans, Some("red")));
    let shaper = SwitchShaper { min_rate: 8_000_000, max_rate: Some(16_000_000), burst: Some(4_194_304) };
    assert_eq!((port.shaper, port.policer), (Some(shaper), Some(SwitchPolicer { rate: 4000, burst: 2048 })));
    assert_eq!((port.guest_id, port.interface_id), (Uuid([9; 16]), Uuid::from_random([7; 16])));
    assert!(
        lowered.desired.iter().all(|it| !matches!(it, Resource::Port(_) | Resource::Vlans(_) | Resource::Qdisc(_)))
    );
    let record = lowered.record.as_ref().unwrap().virtual_port.as_ref().unwrap();
    assert_eq!((record.interface_id, record.profile_id.as_deref()), (Some(port.interface_id), Some("red")));
    // Decided anew with other random bytes, it is the same.
    choices =
        PortChoices { owned: lowered.desired.clone(), kept: Some(lowered.port.clone()), ..PortChoices::default() };
    let again = attach(&lowered.interface, Some(&network), &host, &choices).unwrap();
    assert_eq!(again.desired.get(&Key::SwitchPort("vnet0".parse().unwrap())), rows.as_ref());
    host.switch = KnownSwitch::Bridges([].into());
    let error = attach(&interface, Some(&network), &host, &PortChoices::default()).unwrap_err();
    assert_eq!(error, AttachError::NoSwitchBridge("ovs0".into()));
}

/// A container's kernel fills in checksums on a bridge in userspace alone, and goes on where Open
/// vSwitch is not asked again.
#[test]
fn a_container_fills_in_checksums_on_a_bridge_in_userspace() {
    let network: Network = "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>
        <virtualport type='openvswitch'/></network>"
        .parse()
        .unwrap();
    let interface: Interface =
        "<interface type='network'><source network='lab'/><target dev='veth0'/></interface>".parse().unwrap();
    let kind = LinkKind::Other("openvswitch".to_owned());
    let bridge = Link { name: "ovs0".parse().unwrap(), kind, mac: None, mtu: None, up: true };
    let mut host = Inventory { links: vec![bridge], ..Inventory::default() };
    let fills = |host: &Inventory, before: bool| {
        let choices = PortChoices { container: Some(container(before)), ..PortChoices::default() };
        let desired = attach(&interface, Some(&network), host, &choices).unwrap().desired;
        let Some(Resource::Container(end)) = desired.get(&Key::Container("veth0".parse().unwrap())) else {
            panic!("{desired:?}")
        };
        end.fills_in_checksums
    };
    for (datapath, expected) in [("netdev", true), ("system", false), ("", false)] {
        host.switch = KnownSwitch::Bridges([("ovs0".to_owned(), datapath.to_owned())].into());
        assert_eq!(fills(&host, false), expected, "{datapath}");
    }
    host.switch = KnownSwitch::Unasked;
    assert_eq!([fills(&host, false), fills(&host, true)], [false, true]);
}

fn container(fills_in_checksums: bool) -> (KnownContainer, ContainerEnd) {
    let known = KnownContainer {
        network: "blue".to_owned(),
        id: "c1".to_owned(),
        interface: "eth0".parse().unwrap(),
        pod: None,
        addresses: Vec::new(),
        names: Vec::new(),
    };
    let end = ContainerEnd {
        link: "veth0".parse().unwrap(),
        namespace: "/run/netns/c1".into(),
        device: 4,
        inode: 1,
        interface: "eth0".parse().unwrap(),
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        addresses: Vec::new(),
        gateways: Vec::new(),
        up: true,
        without_tree: None,
        tap: None,
        fills_in_checksums,
        alias: None,
    };
    (known, end)
}
