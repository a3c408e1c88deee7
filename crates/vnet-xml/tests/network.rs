//! Networks: read, printed, refused.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;

use rstest::rstest;
use vnet_xml::{Definition, Libvirt, Network, Style};

/// The text after the name of a network, and the text that is printed for it.
#[rstest]
#[case::defaults("", "  <bridge stp='on' delay='0'/>\n")]
#[case::forward_is_nat("<forward/>", "  <forward mode='nat'/>\n  <bridge stp='on' delay='0'/>\n")]
#[case::mode_none("<forward mode='none'/>", "  <bridge stp='on' delay='0'/>\n")]
#[case::dev(
    "<forward dev='eth0'/>",
    "  <forward dev='eth0' mode='nat'>\n    <interface dev='eth0'/>\n  </forward>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::interface(
    "<forward mode='route'><interface dev='eth0'/></forward>",
    "  <forward dev='eth0' mode='route'>\n    <interface dev='eth0'/>\n  </forward>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::nat_ipv6(
    "<forward><nat ipv6='yes'/></forward>",
    "  <forward mode='nat'>\n    <nat ipv6='yes'/>\n  </forward>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::port_zero_is_none(
    "<forward><nat><port start='0' end='0'/></nat></forward>",
    "  <forward mode='nat'/>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::pool_in_another_order(
    "<forward mode='hostdev' managed='YES'><address function='0x1' type='pci' bus='010' slot='10'/><driver model='m'/></forward>",
    "  <forward mode='hostdev' managed='yes'>\n    <driver model='m'/>\n    <address type='pci' domain='0x0000' \
     bus='0x08' slot='0x0a' function='0x1'/>\n  </forward>\n"
)]
#[case::managed_of_hostdev_only("<forward mode='vepa' managed='yes'/>", "  <forward mode='vepa'/>\n")]
#[case::live_pool_of_pf(
    "<forward mode='passthrough'><interface dev='v0' connections='2'/><pf dev='p'/></forward>",
    "  <forward mode='passthrough'>\n    <pf dev='p'/>\n    <interface dev='v0' connections='2'/>\n  </forward>\n"
)]
#[case::bridge_of_the_host(
    "<forward mode='bridge'/><bridge macTableManager='libvirt' name='br0'/>",
    "  <forward mode='bridge'/>\n  <bridge name='br0' macTableManager='libvirt'/>\n"
)]
#[case::vlan_with_native_tag(
    "<vlan trunk='Yes'><tag id='7'/><tag id='9' nativeMode='untagged'/></vlan><port isolated='no'/>",
    "  <bridge stp='on' delay='0'/>\n  <vlan trunk='yes'>\n    <tag id='7'/>\n    <tag id='9' \
     nativeMode='untagged'/>\n  </vlan>\n  <port isolated='no'/>\n"
)]
#[case::trunk_is_implied(
    "<vlan><tag id='7'/><tag id='9'/></vlan>",
    "  <bridge stp='on' delay='0'/>\n  <vlan trunk='yes'>\n    <tag id='7'/>\n    <tag id='9'/>\n  </vlan>\n"
)]
#[case::untagged_trunk_of_one(
    "<vlan trunk='no'><tag id='7'/></vlan>",
    "  <bridge stp='on' delay='0'/>\n  <vlan>\n    <tag id='7'/>\n  </vlan>\n"
)]
#[case::bandwidth_without_zeros(
    "<bandwidth><outbound average='1' peak='0' burst='3'/></bandwidth>",
    "  <bridge stp='on' delay='0'/>\n  <bandwidth>\n    <outbound average='1' burst='3'/>\n  </bandwidth>\n"
)]
#[case::bandwidth_of_nothing("<bandwidth/>", "  <bridge stp='on' delay='0'/>\n")]
#[case::port_group(
    "<portgroup trustGuestRxFilters='no' default='YES' name='a&amp;b'><bandwidth/><virtualport/></portgroup>",
    "  <bridge stp='on' delay='0'/>\n  <portgroup name='a&amp;b' default='yes' trustGuestRxFilters='no'>\n  </portgroup>\n"
)]
#[case::virtual_port_numbers(
    "<virtualport type='802.1Qbg'><parameters typeid=' +1193047' managerid='0'/></virtualport>",
    "  <bridge stp='on' delay='0'/>\n  <virtualport type='802.1Qbg'>\n    <parameters managerid='0' \
     typeid='1193047'/>\n  </virtualport>\n"
)]
#[case::forwarder_port(
    "<dns><forwarder port='5353' addr='10.1' domain='d'/></dns>",
    "  <bridge stp='on' delay='0'/>\n  <dns>\n    <forwarder domain='d' addr='10.0.0.1' port='5353'/>\n  </dns>\n"
)]
#[case::metadata(
    "<metadata>\n<x:a xmlns:x=\"u\" b='&quot;é'>\n\n<x:c/>\n</x:a></metadata>",
    "  <metadata>\n    <x:a xmlns:x=\"u\" b=\"&quot;&#xE9;\">\n      <x:c/>\n    </x:a>\n  </metadata>\n  \
     <bridge stp='on' delay='0'/>\n"
)]
#[case::metadata_with_text(
    "<metadata><x:a xmlns:x='u'>t <b/>\n</x:a><y xmlns='v'><!-- c --><![CDATA[<]]></y></metadata>",
    "  <metadata>\n    <x:a xmlns:x=\"u\">t <b/>\n</x:a>\n    <y xmlns=\"v\"><!-- c --><![CDATA[<]]></y>\n  \
     </metadata>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::metadata_with_a_blank_of_its_own(
    "<metadata><x:a xmlns:x='u'>&#32;<b/></x:a></metadata>",
    "  <metadata>\n    <x:a xmlns:x=\"u\">&#32;<b/></x:a>\n  </metadata>\n  <bridge stp='on' delay='0'/>\n"
)]
#[case::pool_of_two_kinds(
    "<forward mode='hostdev'><address type='pci' bus='1'/><interface dev='e'/></forward>",
    "  <forward mode='hostdev' managed='no'>\n    <interface dev='e'/>\n    <address type='pci' domain='0x0000' \
     bus='0x01' slot='0x00' function='0x0'/>\n  </forward>\n"
)]
#[case::empty_is_absent("<bridge name='' stp='' delay=''/>", "  <bridge stp='on' delay='0'/>\n")]
#[case::zero_mtu("<mtu size='0'/>", "  <bridge stp='on' delay='0'/>\n")]
#[case::mac(
    "<mac address='52:54:0:AA:B:c'/>",
    "  <bridge stp='on' delay='0'/>\n  <mac address='52:54:00:aa:0b:0c'/>\n"
)]
#[case::empty_dns("<dns/>", "  <bridge stp='on' delay='0'/>\n")]
#[case::dns_groups(
    "<dns><host ip='10.1'><hostname>a&amp;b</hostname></host><forwarder addr='8.8.8.8'/></dns>",
    "  <bridge stp='on' delay='0'/>\n  <dns>\n    <forwarder addr='8.8.8.8'/>\n    <host ip='10.0.0.1'>\n      \
     <hostname>a&amp;b</hostname>\n    </host>\n  </dns>\n"
)]
#[case::ip_prefix_0(
    "<ip address='10.0.0.1' prefix='0'/>",
    "  <bridge stp='on' delay='0'/>\n  <ip address='10.0.0.1'>\n  </ip>\n"
)]
#[case::route_prefix_0(
    "<route address='0.0.0.0' prefix='0' gateway='10.0.0.9'/>",
    "  <bridge stp='on' delay='0'/>\n  <route address='0.0.0.0' prefix='0' gateway='10.0.0.9'/>\n"
)]
#[case::infinite_lease(
    "<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease expiry='0'/></range></dhcp></ip>",
    "  <bridge stp='on' delay='0'/>\n  <ip address='10.0.0.1'>\n    <dhcp>\n      <range start='10.0.0.2' \
     end='10.0.0.3'>\n        <lease expiry='0'/>\n      </range>\n    </dhcp>\n  </ip>\n"
)]
#[case::white_space_reads_back(
    "<description>a\r\nb\rc&#13;d</description><domain name='a&#9;b&#10;c&#13;d'/>",
    "  <description>a\nb\nc&#13;d</description>\n  <bridge stp='on' delay='0'/>\n  <domain \
     name='a&#9;b&#10;c&#13;d'/>\n"
)]
#[case::mac_keeps_its_spelling(
    "<ip address='10.0.0.1'><dhcp><host mac='52:54:0:AA:B:c' ip='10.0.0.2'/></dhcp></ip>",
    "  <bridge stp='on' delay='0'/>\n  <ip address='10.0.0.1'>\n    <dhcp>\n      <host mac='52:54:0:AA:B:c' \
     ip='10.0.0.2'/>\n    </dhcp>\n  </ip>\n"
)]
fn prints(#[case] given: &str, #[case] expected: &str) {
    let text = format!("<network><name>n</name>{given}</network>");
    let parsed = Network::parse(text.as_bytes());
    assert_eq!(parsed.problems, []);
    let printed = parsed.value.unwrap().to_string();
    assert_eq!(printed, format!("<network>\n  <name>n</name>\n{expected}</network>\n"));
    assert_eq!(printed.parse::<Network>().unwrap().to_string(), printed);
}

/// The text after the name of a network, then every problem: code, place in the text, and message
/// with help.
#[rstest]
#[case("<brige name='b'/>", &["VN0020 brige: `<network>` has no element `<brige>`: it has no effect; did you mean `bridge`?"])]
#[case("<bridge nmae='b'/>", &["VN0021 nmae: `<bridge>` has no attribute `nmae`: it has no effect; did you mean `name`?"])]
#[case("<x:y xmlns:x='u'/>", &["VN0020 x:y: `<network>` has no element `<x:y>`: it has no effect; libvirt reads nothing of this namespace here"])]
#[case("<d:options xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.1'/>", &["VN0020 d:options: `<network>` has no element `<d:options>`: it has no effect; its prefix has to mean `http://libvirt.org/schemas/network/dnsmasq/1.0`"])]
#[case("<portgroup default='yes'/>", &["VN0031 portgroup: `<portgroup>` lacks the attribute `name`"])]
#[case("<metadata><a/><x:b xmlns:x='u'/><y:c xmlns:y='u'/></metadata>", &[
    "VN0026 a: `<a>` is in no namespace: it has no effect",
    "VN0026 y:c: `<y:c>` is the second of its namespace: it has no effect",
])]
#[case("<vlan/>", &["VN0032 vlan: `<vlan>` lacks `<tag>`; add a `<tag>` element"])]
#[case("<vlan><tag id='4096'/></vlan>", &["VN0030 4096: `4096` is not the number of a VLAN, at most 4095"])]
#[case("<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>", &["VN0030 no: `no` is not `yes`, which more than one tag needs"])]
#[case("<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>", &["VN0030 no: `no` is not `yes`, which a native VLAN needs"])]
#[case("<vlan><tag id='1' nativeMode='tagged'/><tag id='2' nativeMode='tagged'/></vlan>", &[
    "VN0033 <vlan>: there can be only one `<tag>` with `nativeMode` in `<vlan>`",
])]
#[case("<bandwidth><inbound/></bandwidth>", &["VN0031 inbound: `<inbound>` lacks the attribute `average`"])]
#[case("<bandwidth><inbound peak='1' floor='1'/></bandwidth>", &[
    "VN0034 peak: `peak` has a meaning beside an `average` only",
    "VN0034 floor: only the inbound traffic of a guest on a network can have a `floor`",
])]
#[case("<bandwidth classID='1'><outbound average='1'/><outbound average='2'/></bandwidth>", &[
    "VN0034 classID: only the bandwidth of a network port has a `classID`",
    "VN0033 outbound: there can be only one `<outbound>` in `<bandwidth>`",
])]
#[case("<virtualport/>", &["VN0031 virtualport: `<virtualport>` lacks the attribute `type`"])]
#[case("<virtualport type='none'/>", &["VN0030 none: `none` is not one of `802.1Qbg`, `802.1Qbh`, `openvswitch`, `midonet`"])]
#[case("<virtualport type='802.1Qbh'><parameters managerid='11'/></virtualport>", &["VN0034 managerid: a `<virtualport type='802.1Qbh'>` has no `managerid`"])]
#[case("<virtualport type='802.1Qbg'><parameters typeid='0x1000000'/></virtualport>", &["VN0030 0x1000000: `0x1000000` is not a whole number of at most 24 bits, such as `1193047`"])]
#[case("<forward mode='hostdev' dev='a'><pf dev='b'/><pf dev='c'/></forward>", &[
    "VN0033 a: `pf` and `dev` exclude each other; a pool is named by its devices: leave `dev` out",
    "VN0033 pf: there can be only one `<pf>` in `<forward>`",
])]
#[case("<forward mode='hostdev'><address type='pci' bus='256'/><address slot='1'/><address type='usb'/></forward>", &[
    "VN0030 256: `256` is not a whole number of at most 8 bits, such as `10` or `0xa`",
    "VN0031 address: `<address>` lacks the attribute `type`",
    "VN0030 usb: `usb` is not one of `pci`",
])]
#[case("<forward mode='hostdev'><address type='pci' bus='1' slot='0x20' function='8'/></forward>", &[
    "VN0030 0x20: `0x20` is not a number from 0 to 0x1f",
    "VN0030 8: `8` is not a number from 0 to 7",
])]
#[case("<forward mode='hostdev'><driver name='default'/><address type='pci' bus='1'/><address type='pci' bus='0x1'/></forward>", &[
    "VN0030 default: `default` is not one of `vfio`, `kvm`, `xen`",
    "VN0033 <address type='pci' bus='0x1'/>: the device `0000:01:00.0` is listed twice",
])]
#[case("<forward><nat/><nat/></forward>", &["VN0033 nat: there can be only one `<nat>` in `<forward>`"])]
#[case("<bridge macTableManager='default'/>", &["VN0030 default: `default` is not one of `kernel`, `libvirt`"])]
#[case("<mtu size='9000'/><mtu size='1'/>", &["VN0023 mtu: only the first `<mtu>` of `<network>` counts"])]
#[case("<title nmae='x'>t<b/></title>", &[
    "VN0021 nmae: `<title>` has no attribute `nmae`: it has no effect",
    "VN0020 b: `<title>` has no element `<b>`: it has no effect",
])]
#[case("<domain localOnly='yes'/>", &["VN0026 domain: `<domain>` has no effect without the attribute `name`"])]
#[case("<mtu/><mac/>", &[
    "VN0026 mtu: `<mtu>` has no effect without the attribute `size`",
    "VN0026 mac: `<mac>` has no effect without the attribute `address`",
])]
#[case("<ip address='10.0.0.1'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease unit='hours'/></range></dhcp></ip>", &[
    "VN0026 lease: `<lease>` has no effect without the attribute `expiry`",
])]
#[case(" hello\n<mtu size='9'/> world", &["VN0024 hello: the text `hello\\n world` in `<network>` has no meaning"])]
#[case("<nat><port start='1' end='2'/></nat>", &["VN0020 nat: `<network>` has no element `<nat>`: it has no effect; `<nat>` stands in `<forward>`"])]
#[case("<forward stp='on'/>", &["VN0021 stp: `<forward>` has no attribute `stp`: it has no effect; `stp` is an attribute of `<bridge>`"])]
#[case("<dnsmasq:options/>", &["VN0001 dnsmasq:options: the prefix `dnsmasq` is not declared; write `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>`"])]
#[case("<virtualport type='802.1Qbg'><parameters managerid='010' typeid='0x10' typeidversion='09'/></virtualport>", &[
    "VN0027 010: libvirt 11 reads `010` as 8, and libvirt 12.8 reads `010` as 10; write `managerid='8'`",
    "VN0027 0x10: libvirt 11 reads `0x10` as 16, and libvirt 12.8 refuses `0x10`; write `typeid='16'`",
    "VN0030 09: `09` is not a whole number of at most 8 bits, such as `10` or `0xa`",
])]
#[case("<route gateway='10.0.0.2' prefix='8'/>", &["VN0034 prefix: a route without `address` leads everywhere: its `prefix` can only be 0"])]
#[case("<bridge stp='Off'/><portgroup name='g' default='true'/>", &[
    "VN0027 Off: libvirt reads `stp='Off'` as `on`: only the word `off` is `off`; write `stp='off'` or `stp='on'`",
    "VN0027 true: libvirt reads `default='true'` as `no`: only the word `yes` is `yes`; write `default='yes'` or `default='no'`",
])]
#[case("<forward mode='hostdev' managed='true'/>", &[
    "VN0027 true: libvirt reads `managed='true'` as `no`: only the word `yes` is `yes`; write `managed='yes'` or `managed='no'`",
])]
#[case("<bridge name='sixteen-bytes-xx'/>", &["VN0030 sixteen-bytes-xx: `sixteen-bytes-xx` is not right here: the name `sixteen-bytes-xx` is 16 bytes long, the limit is 15"])]
#[case("<bridge name='%d'/>", &["VN0030 %d: `%d` is not right here: the template `%d` must have exactly one `%`, as `%d`, and some text before it"])]
#[case("<bridge stp='yes'/>", &["VN0027 yes: libvirt reads `stp='yes'` as `on`: only the word `off` is `off`; write `stp='off'` or `stp='on'`"])]
#[case("<mtu size='-1'/>", &["VN0030 -1: `-1` is not a whole number of at most 32 bits"])]
#[case("<forward mode='rout'/>", &["VN0030 rout: `rout` is not one of `nat`, `route`, `open`, `bridge`, `private`, `vepa`, `passthrough`, `hostdev`, `none`; did you mean `route`?"])]
#[case("<forward dev='a'><interface dev='b'/></forward>", &["VN0033 a: `interface` and `dev` exclude each other; `dev` is the name of the first `<interface>`: leave one of them out"])]
#[case("<ip netmask='255.0.0.0'/>", &["VN0031 ip: `<ip>` lacks the attribute `address`"])]
#[case("<ip address='10.0.0.1' netmask='255.0.0.0' prefix='8'/>", &["VN0033 8: `netmask` and `prefix` exclude each other; both say how large the subnet is: leave one of them out"])]
#[case("<ip address='10.0.0.300'/><mac address='x'/>", &["VN0030 10.0.0.300: `10.0.0.300` is not an IP address", "VN0030 x: `x` is not a MAC address such as 52:54:00:12:34:56"])]
#[case("<dns><host ip='10.0.0.1'/></dns>", &["VN0032 host: `<host>` lacks `<hostname>`; add a `<hostname>` element"])]
#[case("<route address='10.0.0.0' gateway='10.0.0.1' metric='0'/>", &["VN0030 0: `0` is not a whole number of at most 32 bits, and not 0"])]
#[case("<uuid>1</uuid>", &["VN0030 1: `1` is not a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b"])]
fn finds(#[case] given: &str, #[case] expected: &[&str]) {
    let text = format!("<network><name>n</name>{given}</network>");
    assert_eq!(problems(&text), expected);
}

#[rstest]
#[case("<network/>", &["VN0032 network: `<network>` lacks `<name>`; add a `<name>` element"])]
#[case("<network><name>a/b</name></network>", &["VN0030 a/b: `a/b` is not a name: at least one character, no `/`, no newline"])]
#[case("<newtork><name>n</name></newtork>", &["VN0007 <newtork>: the root element is `<newtork>`, not `<network>`; did you mean `<network>`?"])]
#[case("<domain/>", &["VN0007 <domain/>: the root element is `<domain>`, not `<network>`"])]
#[case("<network>", &["VN0001 <network>: `<network>` is not closed"])]
fn refuses(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(problems(text), expected);
    assert!(text.parse::<Network>().is_err());
}

fn problems(text: &str) -> Vec<String> {
    let parsed = Network::parse(text.as_bytes());
    let line = |problem: &vnet_xml::Problem| {
        let help = problem.help.iter().fold(String::new(), |text, help| text + "; " + help);
        format!("{} {}: {}{help}", problem.code, &text[problem.span.clone()], problem.message)
    };
    parsed.problems.iter().map(line).collect()
}

#[test]
fn every_rule_has_a_code_of_its_own_and_a_name() {
    let codes: Vec<_> = vnet_xml::RULES.iter().map(|rule| rule.code.0).collect();
    assert!(codes.is_sorted_by(|one, other| one < other) && codes.iter().all(|code| (1..100).contains(code)));
    for rule in vnet_xml::RULES {
        assert!(rule.name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert!(rule.explanation.ends_with('.') || rule.explanation.contains("\n\n    "), "{}", rule.name);
    }
}

#[test]
fn places_are_those_of_the_model() {
    let text = "<network><name>n</name><ip/><ip address='10.0.0.1'/><ip address='10.0.1.1' prefix='24'/></network>";
    let parsed = Network::parse(text.as_bytes());
    assert_eq!(parsed.value.unwrap().ips.len(), 2);
    let second = vnet_xml::NodePath::root("network").nth("ip", 1);
    let span = parsed.source.span(&second.attribute("prefix")).unwrap();
    assert_eq!(&text[span], "24");
    let no_such = parsed.source.span(&second.attribute("netmask")).unwrap();
    assert_eq!(&text[no_such], "<ip address='10.0.1.1' prefix='24'/>");
}

#[test]
fn a_byte_order_mark_shifts_places() {
    let text = "\u{feff}<?xml version='1.0'?><network><name>n</name><mtu size='x'/></network>";
    let parsed = Network::parse(text.as_bytes());
    assert_eq!(&text[parsed.problems[0].span.clone()], "x");
    let mtu = vnet_xml::NodePath::root("network").element("mtu");
    assert_eq!(&text[parsed.source.span(&mtu).unwrap()], "<mtu size='x'/>");
}

#[test]
fn problems_are_counted_beyond_a_thousand() {
    let text = format!("<network><name>n</name>{}</network>", "<x/>".repeat(100_000));
    let problems = Network::parse(text.as_bytes()).problems;
    assert_eq!(problems.len(), 1001);
    assert_eq!(problems[1000].message, "there are 99000 more problems");
}

#[test]
fn large_definitions_are_read() {
    let mut hosts = String::new();
    for number in 0..100_000u32 {
        let [_, high, middle, low] = number.to_be_bytes();
        write!(hosts, "<host mac='52:54:00:{high:02x}:{middle:02x}:{low:02x}' ip='10.{high}.{middle}.{low}'/>")
            .unwrap();
    }
    let text = format!("<network><name>n</name><ip address='10.0.0.1'><dhcp>{hosts}</dhcp></ip></network>");
    let network: Network = text.parse().unwrap();
    assert_eq!(network.ips[0].dhcp.as_ref().unwrap().hosts.len(), 100_000);
}

#[test]
fn many_forward_interfaces_are_read_in_proportion() {
    let interfaces: String = (0..100_000).map(|number| format!("<interface dev='a{number}'/>")).collect();
    let text = format!("<network><name>n</name><forward>{interfaces}<interface dev='a7'/></forward></network>");
    assert_eq!(problems(&text), ["VN0033 <interface dev='a7'/>: the device `a7` is listed twice"]);
}

#[test]
fn much_metadata_of_nobody_is_read_in_proportion() {
    let text = format!("<network><name>n</name><metadata>{}</metadata></network>", "<a/>".repeat(200_000));
    let problems = problems(&text);
    assert_eq!(problems[0], "VN0026 a: `<a>` is in no namespace: it has no effect");
    assert_eq!(problems.last().unwrap(), "VN0025 a: there are 199000 more problems");
}

/// What libvirt 11.3 and 12.8 print for the same definition.
#[rstest]
#[case(
    "<ip address='10.0.0.1' prefix='8'/>",
    "  <ip address='10.0.0.1' prefix='8'>\n  </ip>\n",
    "  <ip address='10.0.0.1' prefix='8'/>\n"
)]
#[case(
    "<route gateway='10.0.0.2'/>",
    "  <route address='0.0.0.0' prefix='0' gateway='10.0.0.2'/>\n",
    "  <route gateway='10.0.0.2'/>\n"
)]
#[case(
    "<route family='ipv6' gateway='fd00::2' metric='3'/>",
    "  <route family='ipv6' address='::' prefix='0' gateway='fd00::2' metric='3'/>\n",
    "  <route family='ipv6' gateway='fd00::2' metric='3'/>\n"
)]
#[case(
    "<route netmask='0.0.0.0' gateway='10.0.0.2'/>",
    "  <route address='0.0.0.0' netmask='0.0.0.0' gateway='10.0.0.2'/>\n",
    "  <route netmask='0.0.0.0' gateway='10.0.0.2'/>\n"
)]
#[case(
    "<route address='0.0.0.0' gateway='10.0.0.2'/>",
    "  <route address='0.0.0.0' gateway='10.0.0.2'/>\n",
    "  <route address='0.0.0.0' gateway='10.0.0.2'/>\n"
)]
fn releases_print_in_their_own_way(#[case] given: &str, #[case] eleven: &str, #[case] twelve: &str) {
    let parsed = Network::parse(format!("<network><name>n</name>{given}</network>").as_bytes());
    assert_eq!(parsed.problems, []);
    let network = parsed.value.unwrap();
    for (libvirt, expected) in [(Libvirt::V11, eleven), (Libvirt::V12, twelve)] {
        let style = Style { libvirt, ..Style::default() };
        let printed = network.display(style).to_string();
        let expected = format!("<network>\n  <name>n</name>\n  <bridge stp='on' delay='0'/>\n{expected}</network>\n");
        assert_eq!(printed, expected);
        assert_eq!(printed.parse::<Network>().unwrap().display(style).to_string(), printed);
    }
    if let Some(route) = network.routes.first() {
        assert_eq!(route.destination().map(|net| net.prefix_len()), Some(0));
    }
}

#[test]
fn latin1_is_read_and_its_places_are_bytes() {
    let head = "<?xml version='1.0' encoding='ISO-8859-1'?><network><title>caf";
    let document = [head.as_bytes(), b"\xe9\x80</title><name>n</name><mtu size='x\xe9'/></network>"].concat();
    for parsed in [Network::parse(&document), Definition::parse(&document).map(network)] {
        assert_eq!(parsed.value.unwrap().title.as_deref(), Some("caf\u{e9}\u{80}"));
        assert_eq!(&document[parsed.problems[0].span.clone()], b"x\xe9");
        let mtu = vnet_xml::NodePath::root("network").element("mtu");
        assert_eq!(&document[parsed.source.span(&mtu).unwrap()], b"<mtu size='x\xe9'/>");
    }
}

fn network(definition: Definition) -> Network {
    let Definition::Network(network) = definition else { panic!("{definition:?}") };
    *network
}

#[test]
fn other_encodings_are_named() {
    let document = b"<?xml version='1.0' encoding='windows-1252'?><network><name>\x80</name></network>";
    let [problem] = &Network::parse(document).problems[..] else { panic!("one problem") };
    assert_eq!((problem.code.to_string(), &document[problem.span.clone()]), ("VN0002".into(), &b"windows-1252"[..]));
    let help = "convert it with `iconv -f windows-1252 -t utf-8`, and leave `encoding` out";
    assert_eq!(problem.help.as_deref(), Some(help));
}
