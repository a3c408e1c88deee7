//! The documents in `testdata/interface`: each is refused at the right place for what its name
//! says.

// These tests read files; the crate itself does not.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vnet_types::Inventory;
use vnet_validate::{Finding, check, check_against};
use vnet_xml::{Definition, Interface, Parsed, Severity};

use crate::lines;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/interface").join(name)
}

fn found(path: &Path) -> (Parsed<Definition>, Vec<Finding>) {
    let parsed = Definition::parse(&fs::read(path).unwrap());
    assert_eq!(parsed.problems, [], "the reader has nothing against {}", path.display());
    let findings = check(parsed.value.as_ref().unwrap());
    for finding in &findings {
        let places = finding.related.iter().map(|related| &related.path).chain([&finding.path]);
        for place in places {
            assert!(place.as_str().contains('@') || parsed.source.span(place).is_some(), "{place} has no place");
        }
        assert!(finding.help.is_some(), "{finding:?}");
    }
    (parsed, findings)
}

#[rstest]
#[case("vhostuser-without-path", "VN0701 /interface/source/@path")]
#[case("vhostuser-server-reconnects", "VN0702 /interface/source/reconnect")]
#[case("hostdev-usb", "VN0704 /interface/source/address/@type")]
#[case("user-dev-without-passt", "VN0705 /interface/source/@dev")]
#[case("vlan-reserved", "VN0706 /interface/vlan/tag[1]/@id")]
#[case("vlan-on-user", "VN0708 /interface/vlan")]
#[case("vlan-on-macvtap-bridge", "VN0708 /interface/vlan")]
#[case("port-isolated-on-user", "VN0709 /interface/port/@isolated")]
#[case("port-isolated-on-openvswitch", "VN0709 /interface/port/@isolated")]
#[case("virtualport-incomplete", "VN0710 /interface/virtualport/parameters/@profileid")]
#[case("bandwidth-on-hostdev", "VN0711 /interface/bandwidth")]
#[case("bandwidth-burst-too-large", "VN0713 /interface/bandwidth/inbound/@burst")]
#[case("mcast-address-of-one", "VN0716 /interface/source/@address")]
#[case("vhostuser-passt-queues", "VN0730 /interface/driver/@queues")]
#[case("filter-on-openvswitch", "VN0714 /interface/filterref")]
#[case("unmanaged-in-network", "VN0722 /interface/target/@managed")]
#[case("unmanaged-without-dev", "VN0723 /interface/target/@dev")]
#[case("target-name-too-long", "VN0724 /interface/target/@dev")]
#[case("unmanaged-template", "VN0724 /interface/target/@dev")]
#[case("script-in-network", "VN0725 /interface/script")]
#[case("vdpa-not-virtio", "VN0727 /interface/model/@type")]
#[case("virtio-option-of-e1000", "VN0728 /interface/driver/@packed")]
#[case("queues-of-user", "VN0730 /interface/driver/@queues")]
#[case("queue-size-not-power-of-two", "VN0731 /interface/driver/@rx_queue_size")]
#[case("backend-tap-of-user", "VN0733 /interface/backend/@tap")]
#[case("teaming-persistent-not-virtio", "VN0734 /interface/teaming")]
#[case("teaming-transient-on-bridge", "VN0734 /interface/teaming")]
#[case("mtu-of-macvtap", "VN0735 /interface/mtu/@size")]
#[case("mtu-of-user", "VN0735 /interface/mtu/@size")]
#[case("mtu-of-nine", "VN0736 /interface/mtu/@size")]
#[case("coalesce-of-user", "VN0738 /interface/coalesce")]
#[case("acpi-index-too-large", "VN0739 /interface/acpi/@index")]
#[case("rom-on-ccw", "VN0740 /interface/rom")]
#[case("acpi-index-on-mmio", "VN0740 /interface/acpi/@index")]
#[case("guest-route", "VN0741 /interface/route[1]")]
#[case("host-route-not-a-network", "VN0406 /interface/source/route[1]/@address")]
#[case("host-route-of-other-family", "VN0401 /interface/source/route[1]/@address")]
#[case("guest-ip-in-network", "VN0742 /interface/ip[1]")]
#[case("guest-ip-twice", "VN0743 /interface/ip[2]/@address")]
#[case("guest-ip-peer", "VN0744 /interface/ip[1]/@peer")]
#[case("guest-ip-prefix-ipv4", "VN0745 /interface/ip[1]/@prefix")]
#[case("guest-ip-prefix-ipv6", "VN0745 /interface/ip[1]/@prefix")]
#[case("passt-in-network", "VN0751 /interface/backend/@type")]
#[case("port-forward-without-passt", "VN0753 /interface/portForward[1]")]
#[case("port-range-without-start", "VN0754 /interface/portForward[1]/range[1]/@end")]
#[case("port-range-reversed", "VN0755 /interface/portForward[1]/range[1]/@end")]
#[case("port-range-beyond", "VN0757 /interface/portForward[1]/range[1]/@to")]
#[case("port-forwarded-twice", "VN0759 /interface/portForward[1]/range[2]/@start")]
#[case("port-forwarded-beside-excluded", "VN0759 /interface/portForward[2]/range[1]/@start")]
#[case("domain-vhostuser-private-memory", "VN0715 /domain/devices/interface[1]/@type")]
#[case("domain-same-pci-address", "VN0761 /domain/devices/interface[2]/address")]
#[case("domain-same-acpi-index", "VN0761 /domain/devices/interface[2]/acpi/@index")]
#[case("domain-same-alias", "VN0761 /domain/devices/interface[2]/alias/@name")]
#[case("domain-same-boot-order", "VN0761 /domain/devices/interface[2]/boot/@order")]
#[case("domain-same-target", "VN0761 /domain/devices/interface[2]/target/@dev")]
#[case("domain-same-hostdev", "VN0761 /domain/devices/interface[2]/source/address")]
fn refused(#[case] name: &str, #[case] expected: &str) {
    let (_, mut findings) = found(&folder("invalid").join(name).with_extension("xml"));
    findings.retain(|finding| finding.severity == Severity::Error);
    assert_eq!(lines(&findings), [expected], "{findings:#?}");
}

#[rstest]
#[case("macvtap-bridge", "VN0703 /interface/source/@dev")]
#[case("vlan-twice", "VN0707 /interface/vlan/tag[2]/@id")]
#[case("bandwidth-on-user", "VN0712 /interface/bandwidth")]
#[case("vhostuser-passt-path", "VN0717 /interface/source/@path")]
#[case("domain-same-mac", "VN0763 /domain/devices/interface[2]/mac/@address")]
#[case("domain-teaming-alone", "VN0762 /domain/devices/interface[2]/teaming/@persistent")]
#[case("model-misspelled", "VN0721 /interface/model/@type")]
#[case("downscript-on-bridge", "VN0726 /interface/downscript")]
#[case("driver-of-e1000", "VN0729 /interface/driver")]
#[case("queue-size-small", "VN0732 /interface/driver/@rx_queue_size")]
#[case("mtu-without-ipv6", "VN0737 /interface/mtu/@size")]
#[case("log-file-without-passt", "VN0752 /interface/backend/@logFile")]
#[case("passt-excluded-to", "VN0756 /interface/portForward[1]/range[2]/@to")]
#[case("passt-excluded-outside", "VN0758 /interface/portForward[1]/range[2]/@start")]
#[case("passt-low-ports-but-one", "VN0766 /interface/portForward[1]")]
#[case("passt-one-port-of-two-addresses", "VN0764 /interface/portForward[2]/range[1]/@start")]
#[case("passt-port-beside-all", "VN0765 /interface/portForward[2]/range[1]/@start")]
#[case("passt-port-80", "VN0760 /interface/portForward[1]/range[1]/@start")]
fn warned_of(#[case] name: &str, #[case] expected: &str) {
    let (_, findings) = found(&folder("valid").join(name).with_extension("xml"));
    assert_eq!(lines(&findings), [expected], "{findings:#?}");
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[rstest]
fn valid_documents_have_no_errors(#[files("../../testdata/interface/valid/*.xml")] file: PathBuf) {
    let (_, findings) = found(&file);
    let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_vnet_cannot_do_is_a_warning_and_on_a_host_an_error() {
    let text = "<interface type='bridge'><source bridge='br0'/><filterref filter='f'/></interface>";
    let interface: Interface = text.parse().unwrap();
    let severities =
        |findings: Vec<Finding>| findings.iter().map(|it| (it.code.to_string(), it.severity)).collect::<Vec<_>>();
    assert_eq!(severities(check(&interface)), [("VN0802".to_owned(), Severity::Warning)]);
    let on_host = check_against(&interface, &Inventory::default());
    assert_eq!(severities(on_host), [("VN0802".to_owned(), Severity::Error)]);
}
