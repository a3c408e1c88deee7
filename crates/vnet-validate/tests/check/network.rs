//! `<name>`, `<uuid>`, `<title>`, `<bridge>`, `<mtu>`, `<mac>`.

use rstest::rstest;
use vnet_types::{MacAddr, Uuid};
use vnet_xml::Network;
use vnet_xml::network::Bridge;

use crate::assert_found;

fn bridge(network: &mut Network, stp: Option<bool>, delay: u64) {
    let mut bridge = Bridge::default();
    (bridge.stp, bridge.delay) = (stp, Some(delay));
    network.bridge = Some(bridge);
}

#[rstest]
#[case::good(|_: &mut Network| {}, &[])]
#[case::name_empty(|n: &mut Network| n.name.clear(), &["VN0101 /network/name"])]
#[case::name_slash(|n: &mut Network| n.name = "a/b".into(), &["VN0101 /network/name"])]
#[case::name_newline(|n: &mut Network| n.name = "a\nb".into(), &["VN0101 /network/name"])]
#[case::name_dots(|n: &mut Network| n.name = "..".into(), &["VN0101 /network/name"])]
#[case::name_long(|n: &mut Network| n.name = "a".repeat(81), &["VN0101 /network/name"])]
#[case::name_with_space(|n: &mut Network| n.name = "between guests".into(), &[])]
#[case::title_newline(|n: &mut Network| n.title = Some("a\nb".into()), &["VN0102 /network/title"])]
#[case::title(|n: &mut Network| n.title = Some("a <b> & \"c\"".into()), &[])]
#[case::description_newline(|n: &mut Network| n.description = Some("a\nb".into()), &[])]
#[case::uuid_zero(|n: &mut Network| n.uuid = Some(Uuid([0; 16])), &["VN0103 /network/uuid"])]
#[case::delay_long_stp(|n: &mut Network| bridge(n, None, 31), &["VN0104 /network/bridge/@delay"])]
#[case::delay_long(|n: &mut Network| bridge(n, Some(false), 31), &["VN0104 /network/bridge/@delay"])]
#[case::delay_wrapped(|n: &mut Network| bridge(n, None, u64::MAX), &["VN0104 /network/bridge/@delay"])]
#[case::delay_longest(|n: &mut Network| bridge(n, None, 30), &[])]
#[case::delay_raised(|n: &mut Network| bridge(n, Some(true), 1), &["VN0105 /network/bridge/@delay"])]
#[case::delay_raised_stp_default(|n: &mut Network| bridge(n, None, 1), &["VN0105 /network/bridge/@delay"])]
#[case::delay_kept(|n: &mut Network| bridge(n, Some(false), 1), &[])]
#[case::delay_zero(|n: &mut Network| bridge(n, Some(true), 0), &[])]
#[case::mtu_zero(|n: &mut Network| n.mtu = Some(0), &[])]
#[case::mtu_small(|n: &mut Network| n.mtu = Some(67), &["VN0106 /network/mtu/@size"])]
#[case::mtu_smallest(|n: &mut Network| { n.ips.truncate(1); n.mtu = Some(68) }, &[])]
#[case::mtu_large(|n: &mut Network| n.mtu = Some(65_536), &["VN0106 /network/mtu/@size"])]
#[case::mtu_wrapped(|n: &mut Network| n.mtu = Some(u32::MAX), &["VN0106 /network/mtu/@size"])]
#[case::mtu_largest(|n: &mut Network| n.mtu = Some(65_535), &[])]
#[case::mtu_small_ipv6(|n: &mut Network| n.mtu = Some(1279), &["VN0107 /network/mtu/@size"])]
#[case::mtu_smallest_ipv6(|n: &mut Network| n.mtu = Some(1280), &[])]
#[case::mac_multicast(|n: &mut Network| n.mac = Some(MacAddr([0x53, 0x54, 0, 1, 2, 3])), &["VN0108 /network/mac/@address"])]
#[case::mac_broadcast(|n: &mut Network| n.mac = Some(MacAddr([0xff; 6])), &["VN0108 /network/mac/@address"])]
#[case::mac_zero(|n: &mut Network| n.mac = Some(MacAddr([0; 6])), &["VN0108 /network/mac/@address"])]
#[case::mac(|n: &mut Network| n.mac = Some(MacAddr([0x52, 0x54, 0, 1, 2, 3])), &[])]
#[case::several(|n: &mut Network| { n.name.clear(); n.mtu = Some(67); n.title = Some("\n".into()) },
    &["VN0101 /network/name", "VN0102 /network/title", "VN0106 /network/mtu/@size"])]
fn findings(#[case] change: fn(&mut Network), #[case] expected: &[&str]) {
    assert_found(change, expected);
}
