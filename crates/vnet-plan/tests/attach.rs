//! What a guest's interface requires of a host, and which setting applies: that of the interface,
//! its port group or its network.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_plan::{AttachError, LoweredPort, Port, PortChoices, Resource, Vf, Vlans, attach};
use vnet_types::{BridgeOptions, Features, Inventory, KnownPort, Link, LinkKind, MacAddr, VfSettings, VirtualFunction};
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
        Resource::Vlans(Vlans { vlans, .. }) => {
            Some(vlans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    });
    assert_eq!(vlans.as_deref(), Some(vids));
    let isolated = port.desired.iter().any(|it| matches!(it, Resource::Port(Port { port, .. }) if port.isolated));
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
    assert_eq!(words, [&["link vnet0", "VLAN filtering of br0"][..], &port, &["qdisc root dev vnet0"]].concat());
}

/// Any user of the host could open a tap without an owner.
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

/// Which of the settings of the interface, its port group and its network applies. The network's
/// bandwidth is for all of its guests together.
#[rstest]
#[case::all("<bandwidth><inbound average='1'/></bandwidth>", "one", Some(1), Some(true), true)]
#[case::group("", "one", Some(2), Some(true), false)]
#[case::network("", "none", None, Some(false), false)]
fn the_nearest_word_counts(
    #[case] own: &str,
    #[case] group: &str,
    #[case] average: Option<u64>,
    #[case] trust: Option<bool>,
    #[case] isolated: bool,
) {
    let network = "\
<network trustGuestRxFilters='no'>
  <name>lab</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
  <bandwidth><inbound average='3'/></bandwidth>
  <port isolated='yes'/>
  <portgroup name='none'/>
  <portgroup name='one' trustGuestRxFilters='yes'><bandwidth><inbound average='2'/></bandwidth></portgroup>
</network>
";
    let isolated = if isolated { "" } else { "<port isolated='no'/>" };
    let interface =
        format!("<interface type='network'><source network='lab' portgroup='{group}'/>{own}{isolated}</interface>");
    let record = lowered(&interface, Some(network), &host()).unwrap().record.unwrap();
    let inbound = record.bandwidth.and_then(|bandwidth| bandwidth.inbound);
    assert_eq!((inbound.and_then(|rate| rate.average), record.trust_guest_rx_filters), (average, trust));
    assert_eq!(record.isolated == Some(true), isolated.is_empty());
}

#[rstest]
#[case::one("", "<virtualport type='openvswitch'/>", "", "`br0` is a bridge of Linux, not of Open vSwitch")]
#[case::added(
    "<virtualport><parameters profileid='red'/></virtualport>",
    "<virtualport type='802.1Qbh'/>",
    "<virtualport><parameters profileid='red'/></virtualport>",
    "vnet does not tell a switch of type `802.1Qbh` of its ports"
)]
#[case::another_type(
    "<virtualport type='openvswitch'/>",
    "<virtualport type='midonet'><parameters interfaceid='4d8f0a2e-3b57-4c61-9e7a-1f2b3c4d5e6f'/></virtualport>",
    "",
    "mismatched types (openvswitch and midonet)"
)]
#[case::another_parameter(
    "<virtualport><parameters profileid='red'/></virtualport>",
    "",
    "<virtualport type='openvswitch'><parameters profileid='blue'/></virtualport>",
    "mismatched profileids ('red' and 'blue')"
)]
#[case::no_type(
    "<virtualport><parameters profileid='red'/></virtualport>",
    "",
    "",
    "vnet does not tell a switch of its ports"
)]
fn a_port_of_a_switch_that_is_not_there_is_refused(
    #[case] own: &str,
    #[case] network: &str,
    #[case] group: &str,
    #[case] why: &str,
) {
    let network = format!(
        "<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/>{network}
         <portgroup name='one' default='yes'>{group}</portgroup></network>"
    );
    let interface = format!("<interface type='network'><source network='lab'/>{own}</interface>");
    let error = lowered(&interface, Some(&network), &host()).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

/// The virtual functions on [`host`]: `eth0` has 0000:03:10.0, which is `eth2`, and 0000:03:10.1.
fn functions() -> Vec<VirtualFunction> {
    let function = |number: u32, dev: Option<&str>| VirtualFunction {
        card: "eth0".parse().unwrap(),
        address: format!("0000:03:10.{number}").parse().unwrap(),
        dev: dev.map(|dev| dev.parse().unwrap()),
        settings: VfSettings { number, mac: Some(MacAddr([2, 0, 0, 0, 0, 9])), vlan: Some(5) },
    };
    vec![function(0, Some("eth2")), function(1, None)]
}

fn with_functions(ports: Vec<KnownPort>) -> Inventory {
    let mut host = Inventory { functions: functions(), ports, ..host() };
    host.links.push(link("eth2", LinkKind::Other(String::new())));
    host
}

/// A guest of this name with an assigned device.
fn owner_of(dev: &str, address: &str) -> KnownPort {
    let function = Some(address.parse().unwrap());
    KnownPort { dev: dev.parse().unwrap(), function, lower: None, network: None, ..guest(0, "eth0") }
}

const BY_CARD: &str = "<network><name>lab</name><forward mode='hostdev' managed='yes'><driver name='vfio'/>
    <pf dev='eth0'/></forward></network>";
const BY_ADDRESS: &str = "<network><name>lab</name><forward mode='hostdev'>
    <address type='pci' domain='0' bus='3' slot='0x10' function='1'/></forward></network>";

#[rstest]
#[case::first(BY_CARD, &[], Ok("0000:03:10.0"))]
#[case::next(BY_CARD, &["0000:03:10.0"], Ok("0000:03:10.1"))]
#[case::used_up(BY_CARD, &["0000:03:10.0", "0000:03:10.1"], Err("network `lab` gives each guest a device of its own, and all 2 are taken"))]
#[case::listed(BY_ADDRESS, &["0000:03:10.0"], Ok("0000:03:10.1"))]
#[case::all_that_are_listed(BY_ADDRESS, &["0000:03:10.1"], Err("and all 1 are taken"))]
fn functions_are_given_to_one_guest_each(
    #[case] network: &str,
    #[case] taken: &[&str],
    #[case] given: Result<&str, &str>,
) {
    let ports = taken.iter().enumerate().map(|(at, address)| owner_of(&format!("hostdev{at}"), address)).collect();
    let interface = "<interface type='network'><source network='lab'/><vlan><tag id='7'/></vlan></interface>";
    let port = match (lowered(interface, Some(network), &with_functions(ports)), given) {
        (Ok(port), Ok(address)) => {
            assert_eq!(port.port.function.unwrap().to_string(), address);
            port
        }
        (Err(error), Err(why)) => return assert!(error.to_string().contains(why), "{error}"),
        (got, expected) => panic!("{got:?}, not {expected:?}"),
    };
    assert_eq!(port.port.dev.to_string(), format!("hostdev{}", taken.len()));
    let number = port.port.function.unwrap().function().into();
    let (card, mac) = ("eth0".parse().unwrap(), Some(port.port.mac));
    let was = VfSettings { number, mac: Some(MacAddr([2, 0, 0, 0, 0, 9])), vlan: Some(5) };
    let only = Resource::Vf(Vf { card, settings: VfSettings { number, mac, vlan: Some(7) }, was });
    assert_eq!(port.desired.iter().collect::<Vec<_>>(), [&only]);
    let record = port.record.unwrap().to_string();
    let managed = if network == BY_CARD { "yes'>\n    <driver name='vfio'/>" } else { "no'>" };
    assert!(record.contains(&format!("<plug type='hostdev-pci' managed='{managed}")), "{record}");
}

#[rstest]
#[case::not_there(
    "<interface type='hostdev'><source><address type='pci' bus='9'/></source></interface>",
    "the device 0000:09:00.0 is not a virtual function of a network card of this host"
)]
#[case::taken(
    "<interface type='hostdev'><source><address type='pci' bus='3' slot='16'/></source></interface>",
    "the guest of port `hostdev0` has the device 0000:03:10.0 for itself"
)]
#[case::trunk(
    "<interface type='hostdev'><source><address type='pci' bus='3' slot='16' function='1'/></source>
    <vlan trunk='yes'><tag id='7'/><tag id='8'/></vlan></interface>",
    "a virtual function can be in one VLAN, not in several"
)]
#[case::mtu(
    "<interface type='hostdev'><source><address type='pci' bus='3' slot='16' function='1'/></source>
    <mtu size='9000'/></interface>",
    "the MTU of a device that the guest has for itself cannot be set by the host"
)]
#[case::shared(
    "<interface type='direct'><source dev='eth2' mode='bridge'/><vlan><tag id='7'/></vlan></interface>",
    "what the guest is connected to cannot put it into a VLAN"
)]
#[case::no_function(
    "<interface type='direct'><source dev='eth1' mode='passthrough'/><vlan><tag id='7'/></vlan></interface>",
    "`eth1` is not a virtual function: only a card can put a guest on a macvtap into a VLAN"
)]
#[case::isolated(
    "<interface type='direct'><source dev='eth1'/><port isolated='yes'/></interface>",
    "only ports of a bridge can be isolated, and the guest has none"
)]
#[case::coalesce(
    "<interface type='direct'><source dev='eth1'/><coalesce><rx><frames max='7'/></rx></coalesce></interface>",
    "only a tap can hold back interrupts, and the guest has none"
)]
#[case::peer(
    "<interface type='ethernet'><source><ip address='10.0.0.1' peer='10.0.0.2'/></source></interface>",
    "vnet does not set the other end of a point-to-point link"
)]
fn what_a_device_does_not_have_is_refused(#[case] interface: &str, #[case] why: &str) {
    let host = with_functions(vec![owner_of("hostdev0", "0000:03:10.0")]);
    let error = lowered(interface, None, &host).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

/// The receipt has the device's own address: the current one is the guest's.
#[test]
fn a_port_that_changes_gives_back_what_was_there_first() {
    let interface = "<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth2' mode='passthrough'/>
                     <vlan><tag id='7'/></vlan></interface>";
    let mut host = with_functions(Vec::new());
    let first = lowered(interface, None, &host).unwrap();
    let words: Vec<String> = first.desired.iter().map(|it| it.key().to_string()).collect();
    let expected = ["virtual function 0 of eth0", "MAC address of eth2", "link macvtap0", "qdisc root dev macvtap0"];
    assert_eq!(words, expected);
    // The function's settings while it is assigned to the guest.
    host.functions[0].settings = VfSettings { number: 0, mac: Some(first.port.mac), vlan: Some(7) };
    host.links.iter_mut().filter(|link| link.name.as_str() == "eth2").for_each(|it| it.mac = Some(first.port.mac));
    let (kept, owned) = (Some(first.port.clone()), first.desired.clone());
    let choices = PortChoices { kept, owned, ..PortChoices::default() };
    let again = attach(&interface.parse().unwrap(), None, &host, &choices).unwrap();
    assert_eq!(again.desired, first.desired);
}

#[test]
fn the_hosts_end_has_addresses_and_routes() {
    let interface = "<interface type='ethernet'><source><ip address='192.0.2.1' prefix='30'/><ip address='10.1.2.3'/>
                     <route address='198.51.100.0' prefix='24' gateway='192.0.2.2'/></source></interface>";
    let port = lowered(interface, None, &host()).unwrap();
    let words: Vec<String> = port.desired.iter().map(|it| it.key().to_string()).collect();
    let addresses = ["address 10.1.2.3/8 dev vnet0", "address 192.0.2.1/30 dev vnet0"];
    let rest = ["route 198.51.100.0/24 dev vnet0", "qdisc root dev vnet0"];
    assert_eq!(words, [&["link vnet0"][..], &addresses, &rest].concat());
}
