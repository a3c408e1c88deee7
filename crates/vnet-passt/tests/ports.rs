//! The grammar of forwarded ports.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use rstest::rstest;
use vnet_passt::{ForwardedRange, Ports, Target};

#[rstest]
#[case("all")]
#[case("22")]
#[case("22:23")]
#[case("22,25")]
#[case("22-80")]
#[case("22-80:32-90")]
#[case("80-80")]
#[case("80-80:8080-8080")]
#[case("192.0.2.1/22")]
#[case("192.0.2.1%eth0/22")]
#[case("%eth0/22")]
#[case("%eth0/all")]
#[case("192.0.2.1/all")]
#[case("2001:db8:ac10:fd01::1:10%eth0/80,443:344")]
#[case("2000-5000,~3000-3010")]
#[case("192.0.2.1/20-30,~25")]
#[case("~20000-20010")]
#[case("1.2.3.4%eth0/80:8080,8000-8100,~8050")]
#[case("65535:65535")]
fn reads_what_it_prints(#[case] text: &str) {
    assert_eq!(text.parse::<Ports>().unwrap().to_string(), text);
}

#[rstest]
#[case("", r#""" is not a port"#)]
#[case("0", r#""0" is not a range of ports"#)]
#[case("80:0", r#""80:0" is not a range of ports"#)]
#[case("65536", r#""65536" is not a port"#)]
#[case("90-80", r#""90-80" is not a range of ports"#)]
#[case("80-90:65530", r#""80-90:65530" is not a range of ports"#)]
#[case("80-90:8080-8081", r#""8080-8081" does not fit the ports before it"#)]
#[case("80:8080-8081", r#""8080-8081" does not fit the ports before it"#)]
#[case("~80:8080", r#""8080" does not fit the ports before it"#)]
#[case("80,", r#""" is not a port"#)]
#[case("http", r#""http" is not a port"#)]
#[case("localhost/80", r#""localhost" is not an address"#)]
#[case("%a:b/80", "a device cannot have this name")]
fn refuses(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(text.parse::<Ports>().unwrap_err().to_string(), expected);
}

#[rstest]
#[case("20-23,~22", vec![(20, 20), (21, 21), (23, 23)])]
#[case("~22,20-23:30-33", vec![(20, 30), (21, 31), (23, 33)])]
#[case("443:344,80", vec![(80, 80), (443, 344)])]
fn leads(#[case] text: &str, #[case] pairs: Vec<(u16, u16)>) {
    let ports: Ports = text.parse().unwrap();
    let open = ports.open();
    let leads: Vec<_> = open.ports().map(|port| (port, ports.leads_to(port).unwrap())).collect();
    assert_eq!(leads, pairs);
    assert_eq!((ports.leads_to(22), ports.takes_what_is_free()), (None, false));
}

#[rstest]
#[case("all", "1-65535", Some(22))]
#[case("~22", "1-21,23-65535", None)]
fn leads_all(#[case] text: &str, #[case] open: &str, #[case] to: Option<u16>) {
    let ports: Ports = text.parse().unwrap();
    assert_eq!((ports.open().to_string().as_str(), ports.leads_to(22)), (open, to));
    assert!(ports.takes_what_is_free());
}

fn range() -> impl Strategy<Value = ForwardedRange> {
    let target = prop_oneof![Just(Target::Same), Just(Target::Excluded), any::<u16>().prop_map(Target::From)];
    let numbers = (any::<u16>(), prop::option::of(any::<u16>()), target);
    numbers.prop_filter_map("a range", |(start, end, target)| ForwardedRange::new(start, end, target).ok())
}

fn ports() -> impl Strategy<Value = Ports> {
    let device = prop::option::of("[a-zA-Z0-9._,~#-]{3,15}");
    (prop::option::of(any::<std::net::IpAddr>()), device, prop::collection::vec(range(), 0..6)).prop_map(
        |(address, device, ranges)| {
            let mut ports = Ports::default();
            (ports.address, ports.ranges) = (address, ranges);
            ports.device = device.map(|device| device.parse().unwrap());
            ports
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_reads_as_the_same(ports in ports()) {
        let text = ports.to_string();
        prop_assert_eq!(text.parse::<Ports>(), Ok(ports), "{}", text);
    }

    #[test]
    fn nothing_panics(text in "[0-9a-f~:,%/.-]{0,24}") {
        if let Ok(ports) = text.parse::<Ports>() {
            prop_assert_eq!(ports.to_string().parse::<Ports>(), Ok(ports));
        }
    }
}
