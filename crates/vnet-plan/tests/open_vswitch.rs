//! What a guest's interface on Open vSwitch requires: rows of its database.
#![allow(clippy::unwrap_used, reason = "a test")]

use vnet_plan::{AttachError, Key, PortChoices, Resource, SwitchPolicer, SwitchShaper, SwitchVlans, attach};
use vnet_types::{Inventory, KnownSwitch, Uuid};
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
    let switch = KnownSwitch::Bridges(["ovs0".to_owned()].into());
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
