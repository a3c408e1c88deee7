//! What a port is attached to that another program connects, and which setting applies.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_plan::{AttachError, LoweredPort, PortChoices, record_port};
use vnet_types::{Inventory, VfSettings, VirtualFunction};
use vnet_xml::{Network, NetworkPort};

fn recorded(port: &str, network: &str, host: &Inventory) -> Result<LoweredPort, AttachError> {
    let port = format!(
        "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
        <owner><name>web</name><uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner>
        <mac address='52:54:00:7b:35:93'/>{port}</networkport>"
    );
    let (port, network): (NetworkPort, Network) = (port.parse().unwrap(), network.parse().unwrap());
    record_port(&port, &network, host, &PortChoices { random: [7; 16], ..PortChoices::default() })
}

const BRIDGED: &str = "<network><name>br</name><forward mode='bridge'/><bridge name='br0'/>
    <virtualport type='openvswitch'/><vlan><tag id='42'/></vlan><port isolated='yes'/>
    <portgroup name='usual' default='yes'><virtualport><parameters profileid='pp'/></virtualport>
    <bandwidth><inbound average='77'/></bandwidth></portgroup><portgroup name='other' trustGuestRxFilters='yes'/></network>";
const NAT: &str = "<network><name>iso</name><forward mode='nat'/><bridge name='virbr0' macTableManager='libvirt'/>
    <ip address='10.77.0.1' netmask='255.255.255.0'/></network>";
const PRIVATE: &str = "<network><name>dev</name><forward mode='private'><interface dev='eth0'/></forward></network>";
const FUNCTIONS: &str = "<network><name>vf</name><forward mode='hostdev' managed='yes'><driver name='vfio'/>
    <pf dev='eth0'/></forward></network>";

#[rstest]
#[case::nat(NAT, "", "  <plug type='network' bridge='virbr0' macTableManager='libvirt'/>\n")]
// The driver of the guest judges what it cannot do.
#[case::vlan(
    NAT,
    "<group>nobody</group><vlan><tag id='5'/></vlan>",
    "  <group>nobody</group>\n|  <vlan>\n    <tag id='5'/>\n  </vlan>\n  <plug type='network' bridge='virbr0' macTableManager='libvirt'/>\n"
)]
#[case::default_group(BRIDGED, "",
    "|  <virtualport type='openvswitch'>\n    <parameters interfaceid='07070707-0707-4707-8707-070707070707' profileid='pp'/>\n  </virtualport>
  <bandwidth>\n    <inbound average='77'/>\n  </bandwidth>\n  <vlan>\n    <tag id='42'/>\n  </vlan>\n  <port isolated='yes'/>
  <plug type='bridge' bridge='br0'/>\n")]
#[case::other_group(BRIDGED, "<group>other</group><port isolated='no'/><bandwidth><outbound average='5'/></bandwidth>",
    "  <group>other</group>\n|  <virtualport type='openvswitch'>\n    <parameters interfaceid='07070707-0707-4707-8707-070707070707'/>\n  </virtualport>
  <bandwidth>\n    <outbound average='5'/>\n  </bandwidth>\n  <vlan>\n    <tag id='42'/>\n  </vlan>\n  <port isolated='no'/>
  <rxfilters trustGuest='yes'/>\n  <plug type='bridge' bridge='br0'/>\n")]
#[case::device(
    PRIVATE,
    "<virtualport type='802.1Qbh'><parameters profileid='red'/></virtualport>",
    "|  <virtualport type='802.1Qbh'>\n    <parameters profileid='red'/>\n  </virtualport>\n  <plug type='direct' dev='eth0' mode='private'/>\n"
)]
#[case::function(
    FUNCTIONS,
    "",
    "  <plug type='hostdev-pci' managed='yes'>\n    <driver name='vfio'/>
    <address domain='0x0000' bus='0x03' slot='0x10' function='0x0'/>\n  </plug>\n"
)]
fn a_port_is_filled_in(#[case] network: &str, #[case] port: &str, #[case] expected: &str) {
    let function = VirtualFunction {
        card: "eth0".parse().unwrap(),
        address: "0000:03:10.0".parse().unwrap(),
        dev: None,
        settings: VfSettings { number: 0, mac: None, vlan: None },
    };
    let host = Inventory { functions: vec![function], ..Inventory::default() };
    let made = recorded(port, network, &host).unwrap();
    assert!(made.desired.is_empty(), "nothing is made on the host");
    let (before_mac, after_mac) = expected.split_once('|').unwrap_or(("", expected));
    let expected = format!(
        "<networkport>\n  <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>\n  <owner>\n    <name>web</name>
    <uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid>\n  </owner>\n{before_mac}  <mac address='52:54:00:7b:35:93'/>\n{after_mac}</networkport>\n"
    );
    assert_eq!(made.record.unwrap().to_string(), expected);
}

/// The words of libvirt 9.0 and 11.3.
#[rstest]
#[case::nat(
    NAT,
    "<virtualport type='openvswitch'/>",
    "<virtualport type='openvswitch'> not supported for network 'iso' which uses IP forwarding"
)]
#[case::no_type(
    NAT,
    "<virtualport><parameters profileid='a'/></virtualport>",
    "<virtualport type='none'> not supported for network 'iso' which uses IP forwarding"
)]
#[case::other_type(
    BRIDGED,
    "<virtualport type='802.1Qbh'><parameters profileid='a'/></virtualport>",
    "attempt to merge virtualports with mismatched types (802.1Qbh and openvswitch)"
)]
#[case::other_profile(
    BRIDGED,
    "<virtualport type='openvswitch'><parameters profileid='qq'/></virtualport>",
    "attempt to merge virtualports with mismatched profileids ('qq' and 'pp')"
)]
#[case::no_profile(PRIVATE, "<virtualport type='802.1Qbh'/>", "missing profileid in <virtualport type='802.1Qbh'>")]
#[case::floor(BRIDGED, "<bandwidth><inbound floor='5'/></bandwidth>", "the `floor` of `<bandwidth>` cannot be kept")]
#[case::no_limit(NAT, "<bandwidth><inbound floor='5'/></bandwidth>", "the `floor` of `<bandwidth>` cannot be kept")]
#[case::no_such_function(
    FUNCTIONS,
    "<plug type='hostdev-pci'><address bus='9'/></plug>",
    "network `vf` does not have what the port is attached to: PCI device 0000:09:00.0"
)]
#[case::no_function(FUNCTIONS, "", "network `vf` has no device that guests could be attached to")]
fn a_port_is_refused(#[case] network: &str, #[case] port: &str, #[case] why: &str) {
    assert_eq!(recorded(port, network, &Inventory::default()).unwrap_err().to_string(), why);
}
