//! Taps and macvtaps against a kernel, seen through `ip`.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;

use rstest::rstest;
use serde_json::{Value, json as value};
use vnet_netlink::{Cause, Coalesce, Netlink, Tap, TapName};
use vnet_tests::{isolate, json, run};
use vnet_types::{
    InterfaceName, Link, LinkKind, MacvtapMode, MacvtapOptions, Qdisc, QdiscKind, TapOptions, TrafficHandle,
};

const ONE: NonZeroU16 = NonZeroU16::MIN;
const TWO: NonZeroU16 = NonZeroU16::new(2).unwrap();

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn tap(options: TapOptions) -> Link {
    let mac = Some("fe:54:00:12:34:56".parse().unwrap());
    Link { name: name("vnet0"), kind: LinkKind::Tap(options), mac, mtu: Some(1400), up: true }
}

/// What `ip` shows of a link of a kind.
fn shown(link: &str) -> Value {
    json("ip", &["-j", "-d", "link", "show", link])[0].clone()
}

fn there(link: &str) -> bool {
    Netlink::open().unwrap().link(&name(link)).unwrap().is_some()
}

#[rstest]
#[case::plain(TapOptions::default(), value!([null, null, false, false]))]
#[case::owned(TapOptions { owner: Some(0), group: Some(0), ..Default::default() }, value!(["root", "root", false, false]))]
#[case::queues(TapOptions { multi_queue: true, ..Default::default() }, value!([null, null, true, false]))]
#[case::offloads(TapOptions { vnet_hdr: true, ..Default::default() }, value!([null, null, false, true]))]
fn taps_are_links(#[case] options: TapOptions, #[case] expected: Value) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let link = tap(options);
    let index = netlink.add_link(&link).unwrap();
    let it = shown("vnet0");
    let data = &it["linkinfo"]["info_data"];
    assert_eq!((&data["type"], &data["persist"], &data["pi"]), (&value!("tap"), &value!(true), &value!(false)));
    assert_eq!(value!([data["user"], data["group"], data["multi_queue"], data["vnet_hdr"]]), expected, "{data}");
    assert_eq!((&it["address"], &it["mtu"]), (&value!("fe:54:00:12:34:56"), &value!(1400)));
    let read = netlink.link(&link.name).unwrap().unwrap();
    assert_eq!((read.index, &read.link), (index, &link));
    let changed = Link { mtu: Some(1300), up: false, ..link.clone() };
    netlink.set_link(index, &link, &changed).unwrap();
    assert_eq!(netlink.link(&link.name).unwrap().unwrap().link, changed);
    netlink.delete_link(index).unwrap();
    assert!(!there("vnet0"));
}

#[test]
fn an_owner_who_does_not_exist_is_told_from_other_refusals() {
    isolate!();
    let error = Netlink::open().unwrap().add_link(&tap(TapOptions { owner: Some(4_000_000), ..Default::default() }));
    let error = error.unwrap_err();
    assert_eq!(error.cause, Some(Cause::UnmappedUser(4_000_000)));
    assert!(error.to_string().ends_with("user 4000000 does not exist in this user namespace"), "{error}");
    assert!(!there("vnet0"), "what was made is gone");
}

#[test]
fn names_are_numbered_and_not_used_twice() {
    isolate!();
    let template: TapName = "vnet%d".parse().unwrap();
    let first = Tap::create(&template, &TapOptions::default(), ONE).unwrap();
    let second = Tap::create(&template, &TapOptions::default(), TWO).unwrap();
    assert_eq!([first.name().as_str(), second.name().as_str()], ["vnet0", "vnet1"]);
    assert_eq!((first.queues().len(), second.queues().len()), (1, 2));
    assert_eq!(shown("vnet1")["linkinfo"]["info_data"]["numqueues"], 2);
    let taken = Tap::create(&"vnet1".parse().unwrap(), &TapOptions::default(), ONE).unwrap_err();
    assert!(taken.is_exists(), "{taken}");
    drop(first);
    assert!(!there("vnet0"), "a tap that is not persistent ends with its last queue");
    second.persist(true).unwrap();
    drop(second);
    assert!(there("vnet1"));
    Tap::open(&name("vnet1"), ONE).unwrap().persist(false).unwrap();
    assert!(!there("vnet1"));
}

#[test]
fn a_tap_is_opened_as_it_was_made() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let options = TapOptions { multi_queue: true, vnet_hdr: true, ..Default::default() };
    let link = tap(options);
    netlink.add_link(&link).unwrap();
    let open = Tap::open(&link.name, TWO).unwrap();
    open.set_header_length(12).unwrap();
    assert_eq!(netlink.link(&link.name).unwrap().unwrap().link, link, "opening changes nothing");
    assert_eq!(shown("vnet0")["linkinfo"]["info_data"]["numqueues"], 2);
    drop(open);
    assert!(there("vnet0"));
}

#[test]
fn a_tap_that_cannot_be_opened_says_why() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let link = tap(TapOptions::default());
    netlink.add_link(&link).unwrap();
    netlink.add_veth(&name("cable0"), &name("cable1")).unwrap();
    let held = Tap::open(&link.name, ONE).unwrap();
    let cause = |link: &str, queues| Tap::open(&name(link), queues).unwrap_err().cause;
    assert_eq!(cause("vnet0", ONE), Some(Cause::Busy));
    assert_eq!(cause("vnet0", TWO), Some(Cause::SingleQueue));
    assert_eq!(cause("cable0", ONE), Some(Cause::NotATap));
    assert!(Tap::open(&name("vnet9"), ONE).unwrap_err().is_not_found());
    assert!(!there("vnet9"), "nothing is made by opening");
    drop(held);
}

#[test]
fn frames_pass() {
    isolate!();
    let tap = Tap::create(&"vnet%d".parse().unwrap(), &TapOptions::default(), ONE).unwrap();
    run("ip", &["link", "set", "vnet0", "up", "addrgenmode", "none"]);
    run("ip", &["address", "add", "192.0.2.1/24", "dev", "vnet0"]);
    let [queue]: [OwnedFd; 1] = tap.into_queues().try_into().unwrap();
    let mut queue = File::from(queue);
    // Who has 192.0.2.1?
    let mac = [0x52, 0x54, 0, 1, 2, 3];
    let ethernet = [&[0xff; 6][..], &mac, &[8, 6]].concat();
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac, &[192, 0, 2, 9], &[0; 6], &[192, 0, 2, 1]].concat();
    queue.write_all(&[ethernet, arp].concat()).unwrap();
    let mut frame = [0; 2048];
    let answered = std::iter::repeat_with(|| {
        let length = queue.read(&mut frame).unwrap();
        frame[..length].to_vec()
    });
    let reply = answered.take(50).find(|frame| frame[12..14] == [8, 6]).expect("an answer");
    assert_eq!((&reply[..6], &reply[20..22], &reply[28..32]), (&mac[..], &[0, 2][..], &[192, 0, 2, 1][..]));
}

#[rstest]
#[case(MacvtapMode::Private, "private")]
#[case(MacvtapMode::Vepa, "vepa")]
#[case(MacvtapMode::Bridge, "bridge")]
#[case(MacvtapMode::Passthrough, "passthru")]
fn macvtaps_are_links(#[case] mode: MacvtapMode, #[case] word: &str) {
    isolate!();
    let netlink = Netlink::open().unwrap();
    netlink.add_veth(&name("eth0"), &name("peer")).unwrap();
    let kind = LinkKind::Macvtap(MacvtapOptions { lower: name("eth0"), mode });
    let mac = Some("52:54:00:12:34:56".parse().unwrap());
    let link = Link { name: name("macvtap0"), kind, mac, mtu: None, up: false };
    let index = netlink.add_link(&link).unwrap();
    let it = shown("macvtap0");
    assert_eq!((&it["link"], &it["address"]), (&value!("eth0"), &value!("52:54:00:12:34:56")));
    assert_eq!(it["linkinfo"]["info_data"]["mode"], word);
    let read = netlink.link(&link.name).unwrap().unwrap().link;
    assert_eq!(Link { mtu: None, ..read.clone() }, link);
    assert!(netlink.links().unwrap().iter().any(|known| known.link == read));
    assert_eq!(Tap::device_node(index).to_str(), Some(format!("/dev/tap{index}").as_str()));
    netlink.delete_link(index).unwrap();
    assert!(!there("macvtap0"));
}

#[test]
fn queues_are_set() {
    isolate!();
    let netlink = Netlink::open().unwrap();
    let link = tap(TapOptions::default());
    let index = netlink.add_link(&link).unwrap();
    netlink.set_queue_length(index, 77).unwrap();
    assert_eq!(shown("vnet0")["txqlen"], 77);
    let (root, handle) = (TrafficHandle::ROOT, TrafficHandle::qdisc(0));
    netlink.add_qdisc(&Qdisc { link: link.name.clone(), parent: root, handle, kind: QdiscKind::Noqueue }).unwrap();
    assert_eq!(json("tc", &["-j", "qdisc", "show", "dev", "vnet0"])[0]["kind"], "noqueue");
    let mut wanted = Coalesce::default();
    wanted.rx_max_frames = 32;
    netlink.set_coalesce(&link.name, wanted).unwrap();
    assert_eq!(netlink.coalesce(&link.name).unwrap(), wanted);
    netlink.add_veth(&name("cable0"), &name("cable1")).unwrap();
    assert!(netlink.set_coalesce(&name("lo"), wanted).is_err(), "nothing is gathered by lo");
}
