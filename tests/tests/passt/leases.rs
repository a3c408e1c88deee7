//! What a guest is told: addresses, routes, MTU, names.

use std::net::IpAddr;

use vnet_passt::{GuestAddress, Resolvers};

use crate::guest::{Guest, value};
use crate::host::{GATEWAY, HOST, HOST6, Host, passt, start};

fn address(ip: &str, prefix: Option<u8>) -> GuestAddress {
    GuestAddress { ip: ip.parse().unwrap(), prefix }
}

#[test]
fn a_guest_gets_the_addresses_that_are_declared() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let mut passt = passt();
    passt.addresses = vec![address("172.17.5.4", Some(20)), address("2001:db8:ac10:fd01::20", None)];
    start(&passt);
    let guest = Guest::new(&passt.socket);
    let lease = guest.lease();
    assert_eq!((value(&lease, "ip"), value(&lease, "mask")), (Some("172.17.5.4"), Some("20")), "{lease}");
    assert_eq!(guest.lease6(), "2001:db8:ac10:fd01::20".parse::<IpAddr>().unwrap());
    let by_itself = guest.by_advertisement();
    assert!(by_itself.iter().all(|ip| ip.to_string().starts_with("2001:db8:ac10:fd01:")), "{by_itself:?}");
}

#[test]
fn a_guest_gets_the_host_s_addresses_where_none_is_declared() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let passt = passt();
    start(&passt);
    let guest = Guest::new(&passt.socket);
    let lease = guest.lease();
    let told = ["ip", "mask", "router"].map(|name| value(&lease, name));
    assert_eq!(told, [Some(HOST), Some("24"), Some(GATEWAY)], "{lease}");
    assert_eq!(guest.lease6(), HOST6.parse::<IpAddr>().unwrap());
}

#[test]
fn a_guest_is_told_mtu_resolvers_and_domains() {
    vnet_tests::isolate!();
    let _host = Host::new();
    let mut passt = passt();
    passt.mtu = Some(1400);
    passt.options.dns = Resolvers::Given(vec!["192.0.2.53".parse().unwrap(), "192.0.2.54".parse().unwrap()]);
    passt.options.search = Resolvers::Given(vec!["lab.example".to_owned()]);
    start(&passt);
    let lease = Guest::new(&passt.socket).lease();
    assert_eq!(value(&lease, "mtu"), Some("1400"), "{lease}");
    assert_eq!(value(&lease, "dns"), Some("192.0.2.53 192.0.2.54"), "{lease}");
    assert_eq!(value(&lease, "search"), Some("lab.example"), "{lease}");
}
