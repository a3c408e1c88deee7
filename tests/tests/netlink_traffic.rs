//! Traffic control against a kernel: what a call makes is what `tc` makes of the same words.
#![allow(clippy::unwrap_used, reason = "a test")]

use rstest::rstest;
use vnet_netlink::{Cause, Missing, Netlink};
use vnet_tests::{isolate, run};
use vnet_types::{Class, Features, Filter, FilterAction, FilterMatch, InterfaceName, Qdisc, QdiscKind, TrafficHandle};

const ROOT: TrafficHandle = TrafficHandle::qdisc(1);
const INGRESS: TrafficHandle = TrafficHandle::qdisc(0xffff);

fn name(text: &str) -> InterfaceName {
    text.parse().unwrap()
}

fn htb() -> Qdisc {
    Qdisc { link: name("ours"), parent: TrafficHandle::ROOT, handle: ROOT, kind: QdiscKind::Htb { default: 2 } }
}

fn ingress() -> Qdisc {
    Qdisc { link: name("ours"), parent: TrafficHandle::INGRESS, handle: INGRESS, kind: QdiscKind::Ingress }
}

fn class(minor: u16, rate: u64, ceil: u64, burst: Option<u32>, quantum: u32) -> Class {
    let parent = if minor == 1 { ROOT } else { TrafficHandle::new(1, 1) };
    Class {
        link: name("ours"),
        parent,
        handle: TrafficHandle::new(1, minor),
        rate,
        ceil,
        burst,
        quantum,
        remainder: false,
    }
}

fn filter(parent: TrafficHandle, priority: u16, handle: u32, matches: FilterMatch, action: FilterAction) -> Filter {
    Filter { link: name("ours"), parent, priority, handle, matches, action }
}

/// Two links that are alike, and `ifb0`.
fn netlink() -> Netlink {
    run("ip", &["link", "add", "ours", "type", "veth", "peer", "name", "theirs"]);
    run("ip", &["link", "add", "ifb0", "type", "ifb"]);
    Netlink::open().unwrap()
}

/// Has `tc` do the same to `theirs`.
fn tc(what: &str, words: &impl ToString) {
    let words = words.to_string().replace("dev ours", "dev theirs");
    run("tc", &[&[what, "add"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
}

/// What `tc` shows of both links, the first being ours: words, without those that belong to one
/// alone, and without bursts, which one `tc` rounds to microseconds and the next one does not.
/// Text, because what `tc` prints of classes and policers as JSON is not JSON.
fn shown(what: &str, place: &[&str]) -> [Vec<String>; 2] {
    ["ours", "theirs"].map(|link| {
        let text = run("tc", &[&["-d", what, "show", "dev", link], place].concat());
        let words: Vec<_> = text.split_whitespace().collect();
        // Actions are counted through the whole namespace.
        let counted = |at: usize| at > 0 && matches!(words[at - 1], "index" | "police" | "burst" | "cburst");
        let kept = words.iter().enumerate().filter(|(at, _)| !counted(*at));
        kept.map(|(_, word)| (*word).to_owned()).collect()
    })
}

#[rstest]
#[case::plain(class(1, 1_024_000, 1_024_000, None, 87))]
#[case::peak_and_burst(class(1, 1_000, 2_000, Some(4096), 1))]
#[case::large(class(1, 4_294_967_295_000, 4_294_967_295_000, None, 366_503_875))]
#[case::odd(class(1, 1_234_567, 7_654_321, Some(99_999), 1500))]
fn classes(#[case] class: Class) {
    isolate!();
    let netlink = netlink();
    tc("qdisc", &htb());
    tc("class", &class);
    netlink.add_qdisc(&htb()).unwrap();
    netlink.add_class(&class).unwrap();
    let [ours, theirs] = shown("qdisc", &[]);
    assert_eq!(ours, theirs);
    let [ours, theirs] = shown("class", &[]);
    assert_eq!(ours.iter().filter(|word| *word == "class").count(), 1);
    assert_eq!(ours, theirs);
    assert!(netlink.qdiscs(&class.link).unwrap().contains(&htb()));
    assert_eq!(netlink.class(&class).unwrap().as_ref(), Some(&class));
    let burst = |link: &str| {
        let classes = netlink.classes(&name(link)).unwrap();
        classes[0].burst.unwrap_or(1600)
    };
    let allowed = burst("theirs") / 100 + u32::try_from(class.rate / 1_000_000).unwrap();
    assert!(burst("ours").abs_diff(burst("theirs")) <= allowed, "{} {}", burst("ours"), burst("theirs"));
    assert!(netlink.add_class(&class).unwrap_err().is_exists());

    let faster = Class { rate: class.rate * 2, ceil: class.ceil * 2, ..class.clone() };
    assert_ne!(netlink.class(&faster).unwrap().as_ref(), Some(&faster), "what differs is seen");
    netlink.change_class(&faster).unwrap();
    assert_eq!(netlink.class(&faster).unwrap().as_ref(), Some(&faster));
    netlink.delete_class(&class).unwrap();
    assert_eq!(netlink.class(&class).unwrap(), None);
    assert!(netlink.delete_class(&class).unwrap_err().is_not_found());
    netlink.delete_qdisc(&htb()).unwrap();
    assert!(!netlink.qdiscs(&class.link).unwrap().contains(&htb()));
}

#[rstest]
#[case::to_a_guest(filter(
    ROOT, 2, 0x8000_0803, FilterMatch::Ipv4To("52:54:00:01:02:03".parse().unwrap()),
    FilterAction::Class(TrafficHandle::new(1, 3))
))]
#[case::to_a_port(filter(ROOT, 2, 0x8000_0800, FilterMatch::UdpTo(68), FilterAction::Class(TrafficHandle::new(1, 3))))]
#[case::redirected(filter(INGRESS, 49152, 0x8000_0800, FilterMatch::All, FilterAction::Redirect(name("ifb0"))))]
fn filters(#[case] filter: Filter) {
    isolate!();
    filters_are_those_of_tc(&filter);
}

#[rstest]
#[case::police(filter(
    INGRESS, 49152, 0x8000_0800, FilterMatch::All, FilterAction::Police { rate: 1_024_000, burst: 1_048_576 }
))]
#[case::police_large(filter(
    INGRESS, 49152, 0x8000_0800, FilterMatch::All, FilterAction::Police { rate: 4_294_967_295_000, burst: 4_294_966_272 }
))]
#[case::mark(filter(ROOT, 1, 1, FilterMatch::Mark, FilterAction::Class(TrafficHandle::new(0, 1))))]
#[case::checksum(filter(ROOT, 2, 0x8000_0800, FilterMatch::UdpTo(68), FilterAction::Checksum))]
#[ignore = "needs act_police, act_csum and cls_fw: runs in cargo xtask vm"]
fn filters_that_not_every_kernel_has(#[case] filter: Filter) {
    isolate!();
    filters_are_those_of_tc(&filter);
}

fn filters_are_those_of_tc(filter: &Filter) {
    let netlink = netlink();
    let qdisc = if filter.parent == ROOT { htb() } else { ingress() };
    tc("qdisc", &qdisc);
    tc("filter", filter);
    netlink.add_qdisc(&qdisc).unwrap();
    netlink.add_filter(filter).unwrap();
    let parent = filter.parent.to_string();
    let [ours, theirs] = shown("filter", &["parent", &parent]);
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs);
    assert_eq!(netlink.filter(filter).unwrap().as_ref(), Some(filter));
    netlink.delete_filter(filter).unwrap();
    assert_eq!(netlink.filter(filter).unwrap(), None);
    assert!(netlink.delete_filter(filter).is_err());
    netlink.delete_qdisc(&qdisc).unwrap();
    assert_eq!(netlink.filter(filter).unwrap(), None);
}

#[test]
#[ignore = "needs sch_sfq: runs in cargo xtask vm"]
fn queues_are_fair() {
    isolate!();
    let netlink = netlink();
    let (one, handle) = (TrafficHandle::new(1, 1), TrafficHandle::qdisc(2));
    let leaf = Qdisc { link: name("ours"), parent: one, handle, kind: QdiscKind::Sfq { perturb: 10 } };
    let class = class(1, 1_024_000, 1_024_000, None, 87);
    tc("qdisc", &htb());
    tc("class", &class);
    tc("qdisc", &leaf);
    netlink.add_qdisc(&htb()).unwrap();
    netlink.add_class(&class).unwrap();
    netlink.add_qdisc(&leaf).unwrap();
    let [ours, theirs] = shown("qdisc", &[]);
    assert_eq!(ours, theirs);
    assert!(netlink.qdiscs(&leaf.link).unwrap().contains(&leaf));
}

#[test]
fn a_kind_that_the_kernel_lacks_is_named() {
    isolate!();
    let error = netlink().add_qdisc(&Qdisc { kind: QdiscKind::Other("nonesuch".into()), ..htb() }).unwrap_err();
    assert_eq!(error.cause, Some(Cause::Missing(Missing::Kind("nonesuch".into()))));
    assert!(error.to_string().ends_with("this kernel is built without `nonesuch`"), "{error}");
}

/// The probe says what `tc` and `ip` are told in its place, and leaves nothing.
#[test]
fn features_are_those_that_there_are() {
    isolate!();
    let found = Netlink::features().unwrap().expect("root of a user namespace may look");
    let before = run("ip", &["-o", "link"]);
    run("ip", &["link", "add", "ours", "type", "veth", "peer", "name", "theirs"]);
    let works = |program: &str, words: &str| {
        let output = std::process::Command::new(program)
            .args(words.split(' '))
            .env("PATH", std::env::var("PATH").unwrap() + ":/usr/sbin:/sbin")
            .output();
        output.unwrap().status.success()
    };
    let expected = Features {
        vlan_filtering: works("ip", "link add br0 type bridge vlan_filtering 1"),
        sfq: works("tc", "qdisc add dev ours root handle 1: sfq"),
        fw: works("tc", "qdisc add dev theirs root handle 1: htb")
            && works("tc", "filter add dev theirs parent 1: protocol all prio 1 handle 1 fw flowid 1"),
        police: works("tc", "qdisc add dev ours ingress")
            && works(
                "tc",
                "filter add dev ours parent ffff: protocol all u32 match u32 0 0 police rate 1mbps burst 1mb drop",
            ),
        csum: works(
            "tc",
            "filter add dev theirs parent 1: protocol ip prio 2 u32 match ip dport 68 0xffff action csum ip and udp",
        ),
        flowtable: true,
    };
    assert_eq!(found, expected);
    assert_eq!(before.lines().count(), 1, "only lo: {before}");
}
