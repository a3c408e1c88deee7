//! Network ports: read, printed, refused.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_xml::NetworkPort;

const NEEDED: &str = "  <uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid>
  <owner>
    <name>vm &amp; 1</name>
    <uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid>
  </owner>
";

/// The text after the owner of a port, and the text that is printed for it.
#[rstest]
#[case::only_what_is_needed("<mac address='52:54:0:7B:35:93'/>", "  <mac address='52:54:00:7b:35:93'/>\n")]
#[case::in_any_order(
    "<plug bridge='virbr0' type='network' macTableManager='kernel'/><rxfilters trustGuest='no'/><port isolated='yes'/>\
     <vlan><tag id='2'/></vlan><bandwidth classID='5'><inbound floor='9'/></bandwidth>\
     <virtualport><parameters profileid='p'/></virtualport><mac address='52:54:00:7b:35:93'/><group>web</group>",
    "  <group>web</group>\n  <mac address='52:54:00:7b:35:93'/>\n  <virtualport>\n    <parameters profileid='p'/>\n  \
     </virtualport>\n  <bandwidth classID='5'>\n    <inbound floor='9'/>\n  </bandwidth>\n  <vlan>\n    <tag id='2'/>\n  \
     </vlan>\n  <port isolated='yes'/>\n  <rxfilters trustGuest='no'/>\n  <plug type='network' bridge='virbr0' \
     macTableManager='kernel'/>\n"
)]
#[case::direct_mode_is_vepa(
    "<mac address='52:54:00:7b:35:93'/><plug type='direct' dev='eth0'/>",
    "  <mac address='52:54:00:7b:35:93'/>\n  <plug type='direct' dev='eth0' mode='vepa'/>\n"
)]
#[case::hostdev(
    "<mac address='52:54:00:7b:35:93'/><plug type='hostdev-pci' managed='yes'><address bus='2' slot='03'/>\
     <driver name='vfio'/></plug>",
    "  <mac address='52:54:00:7b:35:93'/>\n  <plug type='hostdev-pci' managed='yes'>\n    <driver name='vfio'/>\n    \
     <address domain='0x0000' bus='0x02' slot='0x03' function='0x0'/>\n  </plug>\n"
)]
#[case::plug_none("<mac address='52:54:00:7b:35:93'/><plug type='none'/>", "  <mac address='52:54:00:7b:35:93'/>\n")]
fn prints(#[case] given: &str, #[case] expected: &str) {
    let parsed = NetworkPort::parse(format!("<networkport>{NEEDED}{given}</networkport>").as_bytes());
    assert_eq!(parsed.problems, []);
    let port = parsed.value.unwrap();
    assert_eq!(port.to_string(), format!("<networkport>\n{NEEDED}{expected}</networkport>\n"));
    assert_eq!(port.to_string().parse::<NetworkPort>().unwrap(), port);
}

#[rstest]
#[case("<networkport/>", &[
    "VN0032 /networkport: `<networkport>` lacks `<uuid>`",
    "VN0032 /networkport: `<networkport>` lacks `<owner>`",
    "VN0032 /networkport: `<networkport>` lacks `<mac>`",
])]
#[case("<networkport><uuid>x</uuid><owner><name/></owner><mac/></networkport>", &[
    "VN0030 /networkport/uuid: `x` is not a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b",
    "VN0032 /networkport/owner: `<owner>` lacks `<uuid>`",
    "VN0030 /networkport/owner/name: `` is not a name: it is empty",
    "VN0031 /networkport/mac/@address: `<mac>` lacks the attribute `address`",
])]
#[case("<network/>", &["VN0007 /networkport: the root element is `<network>`, not `<networkport>`"])]
fn refuses(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(problems(text), expected);
    assert!(text.parse::<NetworkPort>().is_err());
}

#[rstest]
#[case("<plug type='tap'/>", &["VN0030 /networkport/plug/@type: `tap` is not one of `none`, `network`, `bridge`, `direct`, `hostdev-pci`"])]
#[case("<plug type='network'/>", &["VN0031 /networkport/plug/@bridge: `<plug>` lacks the attribute `bridge`"])]
#[case("<plug type='bridge' bridge='b' macTableManager='default'/>", &["VN0030 /networkport/plug/@macTableManager: `default` is not one of `kernel`, `libvirt`"])]
#[case("<plug type='direct' mode='bridged'/>", &[
    "VN0031 /networkport/plug/@dev: `<plug>` lacks the attribute `dev`",
    "VN0030 /networkport/plug/@mode: `bridged` is not one of `vepa`, `private`, `bridge`, `passthrough`; did you mean `bridge`?",
])]
#[case("<plug type='hostdev-pci'/>", &["VN0032 /networkport/plug: `<plug>` lacks `<address>`"])]
#[case("<plug type='hostdev-pci'><driver name='uio'/><address slot='32'/></plug>", &[
    "VN0030 /networkport/plug/driver/@name: `uio` is not one of `vfio`, `kvm`, `xen`",
    "VN0030 /networkport/plug/address/@slot: `32` is not a number from 0 to 0x1f",
])]
fn finds(#[case] given: &str, #[case] expected: &[&str]) {
    let text = format!("<networkport>{NEEDED}<mac address='52:54:00:7b:35:93'/>{given}</networkport>");
    assert_eq!(problems(&text), expected);
}

fn problems(text: &str) -> Vec<String> {
    let parsed = NetworkPort::parse(text.as_bytes());
    parsed.problems.iter().map(|problem| format!("{} {}: {}", problem.code, problem.path, problem.message)).collect()
}
