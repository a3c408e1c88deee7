//! What definitions for one host share.

use rstest::rstest;
use vnet_validate::{Finding, Together};
use vnet_xml::Definition;

/// The findings of the last of these definitions beside those before it.
fn last(documents: &[&str]) -> Vec<Finding> {
    let mut together = Together::default();
    let add = |document: &&str| together.add(&Definition::parse(document.as_bytes()).value.expect("a definition"));
    documents.iter().map(add).last().unwrap_or_default()
}

const ONE: &str = "<network><name>one</name><uuid>3a1f8a2c-0000-4000-8000-000000000001</uuid><bridge name='br-one'/>\
                   <mac address='52:54:00:00:00:01'/><ip address='10.20.0.1' prefix='16'/>\
                   <ip family='ipv6' address='fd00:20::1' prefix='64'/></network>";
const GUEST: &str = "<domain><name>web</name><devices><interface type='user'><mac address='52:54:00:00:00:01'/>\
                     </interface></devices></domain>";

#[rstest]
#[case::nothing("<network><name>two</name><bridge name='br-two'/><ip address='10.21.0.1' prefix='16'/></network>", &[])]
#[case::name("<network><name>one</name><bridge name='br-one'/></network>", &["VN0901 /network/name"])]
#[case::uuid(
    "<network><name>two</name><uuid>3a1f8a2c-0000-4000-8000-000000000001</uuid></network>",
    &["VN0902 /network/uuid"]
)]
#[case::bridge("<network><name>two</name><bridge name='br-one'/></network>", &["VN0903 /network/bridge/@name"])]
#[case::bridge_of_the_host(
    "<network><name>two</name><forward mode='bridge'/><bridge name='br-one'/></network>",
    &[]
)]
#[case::same_subnet(
    "<network><name>two</name><ip address='10.20.0.2' prefix='16'/></network>",
    &["VN0904 /network/ip[1]/@address"]
)]
#[case::part_of_a_subnet(
    "<network><name>two</name><ip address='10.20.255.1' prefix='24'/></network>",
    &["VN0904 /network/ip[1]/@address"]
)]
#[case::around_a_subnet(
    "<network><name>two</name><ip address='10.0.0.1' prefix='8'/></network>",
    &["VN0904 /network/ip[1]/@address"]
)]
#[case::beside_a_subnet("<network><name>two</name><ip address='10.21.0.1' prefix='16'/></network>", &[])]
#[case::ipv6(
    "<network><name>two</name><ip address='10.1.0.1' prefix='24'/>\
     <ip family='ipv6' address='fd00:20::1:1' prefix='112'/></network>",
    &["VN0904 /network/ip[2]/@address"]
)]
#[case::mac(
    "<network><name>two</name><mac address='52:54:00:00:00:01'/></network>",
    &["VN0905 /network/mac/@address"]
)]
#[case::mac_of_a_guest(GUEST, &["VN0905 /domain/devices/interface[1]/mac/@address"])]
#[case::several(
    "<network><name>two</name><bridge name='br-one'/><ip address='10.20.0.1' prefix='16'/></network>",
    &["VN0903 /network/bridge/@name", "VN0904 /network/ip[1]/@address"]
)]
fn the_second_is_compared_with_the_first(#[case] second: &str, #[case] expected: &[&str]) {
    let findings = last(&[ONE, second]);
    assert_eq!(crate::lines(&findings), expected, "{findings:#?}");
    for finding in &findings {
        assert!(finding.help.is_some() && finding.related[0].definition == Some(0), "{finding:#?}");
    }
}

/// The finding names the definition that it concerns, and the one closest in size of several
/// subnets.
#[test]
fn the_definition_is_named() {
    let net = |name: &str, ip: &str, prefix: u8| {
        format!("<network><name>{name}</name><ip address='{ip}' prefix='{prefix}'/></network>")
    };
    let [a, b, c] = [net("a", "10.0.0.1", 8), net("b", "10.1.0.1", 16), net("c", "10.1.1.1", 24)];
    let findings = last(&[GUEST, &a, "<interface type='user'/>", &b, &c]);
    let message = "the subnet 10.1.1.0/24 is part of 10.1.0.0/16, a subnet of the network `b`";
    assert_eq!((findings[0].message.as_str(), findings[0].related[0].definition), (message, Some(3)));
}

#[test]
fn ports_lead_to_one_guest() {
    let network = |name: &str, third: u8, port: u16| {
        format!(
            "<network><name>{name}</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
             <vnet:portForward proto='tcp' guest='10.77.{third}.9'><vnet:range start='{port}' to='80'/></vnet:portForward>\
             </vnet:network></metadata><forward/><ip address='10.77.{third}.1' prefix='24'/></network>"
        )
    };
    let found = last(&[&network("one", 1, 8080), &network("two", 2, 8080)]);
    assert_eq!(crate::lines(&found), ["VN0906 /network/metadata/vnet:network/vnet:portForward[1]"]);
    assert_eq!(found[0].related[0].definition, Some(0));
    assert_eq!(last(&[&network("one", 1, 8080), &network("two", 2, 8081)]), []);
}
