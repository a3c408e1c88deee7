//! What a guest's interface asks of a host, and whose word counts: the interface's, its port group's, its network's.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_plan::{AttachError, LoweredPort, PortChoices, Resource, attach};
use vnet_types::{BridgeOptions, Features, Inventory, KnownPort, Link, LinkKind};
use vnet_xml::{Interface, Network};

fn link(name: &str, kind: LinkKind) -> Link {
    Link {
        name: name.parse().unwrap(),
        kind,
        mac: Some("02:00:00:00:00:01".parse().unwrap()),
        mtu: Some(1500),
        up: true,
    }
}

/// A host with a bridge that filters VLANs, one that does not, and two cards.
fn host() -> Inventory {
    let bridge = |vlan_filtering| LinkKind::Bridge(BridgeOptions { vlan_filtering, ..BridgeOptions::default() });
    let card = || LinkKind::Other(String::new());
    let links = vec![link("br0", bridge(true)), link("br1", bridge(false)), link("eth0", card()), link("eth1", card())];
    Inventory { links, ..Inventory::default() }
}

fn lowered(interface: &str, network: Option<&str>, host: &Inventory) -> Result<LoweredPort, AttachError> {
    let interface: Interface = interface.parse().unwrap();
    let network: Option<Network> = network.map(|network| network.parse().unwrap());
    attach(&interface, network.as_ref(), host, &PortChoices::default())
}

const ON_BRIDGE: &str = "\
<network>
  <name>lab</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
  <vlan><tag id='10'/></vlan>
  <port isolated='yes'/>
  <portgroup name='plain'/>
  <portgroup name='usual' default='yes'><vlan><tag id='20'/></vlan></portgroup>
  <portgroup name='other' trustGuestRxFilters='yes'><vlan><tag id='30'/></vlan></portgroup>
</network>
";

#[rstest]
#[case::network("portgroup='plain'", "", "vid 10 pvid untagged", Some("plain"))]
#[case::default_group("", "", "vid 20 pvid untagged", Some("usual"))]
#[case::group("portgroup='other'", "", "vid 30 pvid untagged", Some("other"))]
#[case::interface("portgroup='other'", "<vlan><tag id='40'/></vlan>", "vid 40 pvid untagged", Some("other"))]
#[case::unknown_group_is_none("portgroup='nobody'", "", "vid 10 pvid untagged", None)]
fn the_nearer_word_counts(#[case] group: &str, #[case] vlan: &str, #[case] vids: &str, #[case] used: Option<&str>) {
    let interface = format!("<interface type='network'><source network='lab' {group}/>{vlan}</interface>");
    let port = lowered(&interface, Some(ON_BRIDGE), &host()).unwrap();
    let vlans = port.desired.iter().find_map(|resource| match resource {
        Resource::Vlans { vlans, .. } => Some(vlans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        _ => None,
    });
    assert_eq!(vlans.as_deref(), Some(vids));
    let isolated = port.desired.iter().any(|it| matches!(it, Resource::Port { port, .. } if port.isolated));
    assert!(isolated, "as the network says");
    let record = port.record.unwrap();
    assert_eq!(record.group.as_deref(), used);
    assert_eq!(record.trust_guest_rx_filters, (used == Some("other")).then_some(true));
    assert_eq!(record.to_string().parse::<vnet_xml::NetworkPort>().unwrap(), record);
}

#[rstest]
#[case::vlan("br0", "<vlan><tag id='10'/></vlan>", "this kernel cannot filter VLANs in bridges")]
#[case::not_filtering("br1", "<vlan><tag id='10'/></vlan>", "bridge `br1` does not filter VLANs")]
#[case::reserved("br0", "<vlan><tag id='4095'/></vlan>", "a VLAN has a number from 1 to 4094, not 4095")]
fn vlans_that_cannot_be_are_refused_while_planning(#[case] bridge: &str, #[case] vlan: &str, #[case] why: &str) {
    let features = Features { vlan_filtering: !why.contains("kernel"), ..Features::ALL };
    let interface = format!("<interface type='bridge'><source bridge='{bridge}'/>{vlan}</interface>");
    let error = lowered(&interface, None, &Inventory { features, ..host() }).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_managed_mac_table_needs_a_kernel_that_filters() {
    let network = ON_BRIDGE.replace("name='br0'", "name='br0' macTableManager='libvirt'");
    let features = Features { vlan_filtering: false, ..Features::ALL };
    let interface = "<interface type='network'><source network='lab'/></interface>";
    let refused = lowered(interface, Some(&network), &Inventory { features, ..host() });
    assert!(matches!(refused, Err(AttachError::NoVlanFiltering(_))));
    let words: Vec<String> =
        lowered(interface, Some(&network), &host()).unwrap().desired.iter().map(|it| it.key().to_string()).collect();
    let port = ["port vnet0", "VLANs of vnet0", "fdb entry 52:54:00:00:00:00 dev vnet0 vlan 20"];
    assert_eq!(words, [&["link vnet0", "VLAN filtering of br0"][..], &port].concat());
}

/// A tap of nobody could be opened by any user of the host.
#[rstest]
#[case::who_asks(None, None, Some(1000), None)]
#[case::a_user(Some(7), None, Some(7), None)]
#[case::a_group(None, Some(8), None, Some(8))]
#[case::both(Some(7), Some(8), Some(7), Some(8))]
fn taps_are_of_somebody(
    #[case] owner: Option<u32>,
    #[case] group: Option<u32>,
    #[case] user: Option<u32>,
    #[case] members: Option<u32>,
) {
    let interface: Interface = "<interface type='ethernet'/>".parse().unwrap();
    let choices = PortChoices { owner, group, ..PortChoices::default() };
    let port = attach(&interface, None, &Inventory { user: 1000, ..host() }, &choices).unwrap();
    let Some(Resource::Link(Link { kind: LinkKind::Tap(tap), .. })) = port.desired.iter().next() else { panic!() };
    assert_eq!((tap.owner, tap.group), (user, members));
}

/// A guest of network `lab` on this device.
fn guest(number: usize, lower: &str) -> KnownPort {
    KnownPort {
        network: Some("lab".parse().unwrap()),
        lower: Some(lower.parse().unwrap()),
        ..lowered(
            "<interface type='ethernet'><mac address='52:54:00:00:00:07'/></interface>",
            None,
            &Inventory {
                ports: Vec::new(),
                ..Inventory {
                    links: (0..number).map(|it| link(&format!("vnet{it}"), LinkKind::Other(String::new()))).collect(),
                    ..host()
                }
            },
        )
        .unwrap()
        .port
    }
}

#[rstest]
#[case::empty("vepa", &[], Ok("eth0"))]
#[case::least_used("vepa", &["eth0"], Ok("eth1"))]
#[case::first_of_equals("bridge", &["eth1", "eth0"], Ok("eth0"))]
#[case::exclusive("passthrough", &["eth0"], Ok("eth1"))]
#[case::used_up("passthrough", &["eth1", "eth0"], Err("all 2 are taken"))]
fn pools_serve(#[case] mode: &str, #[case] guests: &[&str], #[case] served: Result<&str, &str>) {
    let network = format!(
        "<network><name>lab</name><forward mode='{mode}'><interface dev='eth0'/><interface dev='eth1'/></forward></network>"
    );
    let ports = guests.iter().enumerate().map(|(number, lower)| guest(number, lower)).collect();
    let interface = "<interface type='network'><source network='lab'/></interface>";
    match (lowered(interface, Some(&network), &Inventory { ports, ..host() }), served) {
        (Ok(port), Ok(lower)) => assert_eq!(port.port.lower.unwrap().as_str(), lower),
        (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    }
}
