//! Rules that we encode, seen by nft(8) and read back by us.

use rstest::rstest;
use vnet_firewall::{Access, Batch, Element, Firewall, Interface, Key, Part, Ruleset, Table, Verdict};
use vnet_tests::{isolate, run};
use vnet_types::EgressPreset;

use crate::*;

#[rstest]
#[case::nat_default(default_policy())]
#[case::nat_port_range(policy("default", "virbr0", &[(NET, nat_from(None, "500-1000"))]))]
#[case::nat_one_port(policy("default", "virbr0", &[(NET, nat_from(None, "500-500"))]))]
#[case::nat_address_range(policy("default", "virbr0", &[(NET, nat_from(Some("192.0.2.1-192.0.2.9"), "1-2"))]))]
#[case::nat_one_address(policy("default", "virbr0", &[(NET, nat_from(Some("192.0.2.1-192.0.2.1"), "1-1"))]))]
#[case::nat_dual_stack(policy("default", "virbr0", &[(NET, nat()), (NET6, nat())]))]
#[case::nat_many_subnets(policy("default", "virbr0", &[
    (NET, nat()), ("192.168.123.0/24", nat()), ("192.168.112.0/20", nat()), ("10.0.0.0/31", nat()), ("172.16.0.1/32", nat()),
    (NET6, nat()), ("2001:db8:ca2:3::/64", nat()), ("fd00::/7", nat()), ("fd00::1/128", Access::Routed),
]))]
#[case::everything(policy("default", "virbr0", &[("0.0.0.0/0", nat()), ("::/0", nat())]))]
#[case::route(policy("default", "virbr0", &[(NET, Access::Routed), (NET6, Access::Routed)]))]
#[case::isolated(policy("default", "virbr0", &[(NET, Access::Isolated)]))]
#[case::isolated_dual_stack(policy("default", "virbr0", &[(NET, Access::Isolated), (NET6, Access::Isolated)]))]
#[case::ipv6_without_address(with_ipv6(default_policy()))]
#[case::forward_device(through("eth0", default_policy()))]
#[case::forward_device_with_star(through("eth*", default_policy()))]
#[case::odd_name(policy("büro \"1\"; {drop}", "virbr0", &[(NET, nat())]))]
#[case::long_name(policy(&"ü".repeat(80), "virbr0", &[(NET, nat())]))]
#[case::egress_usual(limited(EgressPreset::InternetOnly, "", policy("default", "virbr0", &[(NET, nat()), (NET6, nat())])))]
#[case::egress_exceptions(limited(EgressPreset::HostOnly, EXCEPTIONS, default_policy()))]
fn the_kernel_and_nft_see_the_same_rules(#[case] policy: Policy) {
    isolate!();
    bridge("virbr0");
    let ruleset = install(&policy);
    assert_eq!(listed(), ruleset.to_string());
    assert_eq!(read().ruleset(&policy.network).as_ref(), Some(&ruleset));
    let native = listed_json();

    run("nft", &["delete", "table", "inet", "vnet"]);
    load(&ruleset.to_string());
    assert_eq!(listed(), ruleset.to_string());
    assert_eq!(listed_json(), native);
    assert_eq!(read().ruleset(&policy.network).as_ref(), Some(&ruleset));

    run("nft", &["delete", "table", "inet", "vnet"]);
    std::fs::write("/run/rules.json", serde_json::to_string(&ruleset.json()).unwrap()).unwrap();
    run("nft", &["-j", "-f", "/run/rules.json"]);
    assert_eq!(listed(), ruleset.to_string());
    assert_eq!(listed_json(), native);
    assert_eq!(read().ruleset(&policy.network).as_ref(), Some(&ruleset));

    commit(&policy.network, None);
    assert_eq!(tables(), "");
}

#[test]
fn networks_come_and_go_beside_each_other() {
    isolate!();
    for bridge in ["virbr0", "virbr1"] {
        crate::bridge(bridge);
    }
    let one = install(&default_policy());
    let alone = listed();
    let two = install(&policy("two", "virbr1", &[("10.0.0.0/24", nat()), (NET6, nat())]));
    assert_eq!(read().ruleset("default").as_ref(), Some(&one));
    assert_eq!(read().ruleset("two").as_ref(), Some(&two));

    let replaced = install(&policy("two", "virbr1", &[("10.0.1.0/24", Access::Isolated)]));
    assert_eq!(read().ruleset("default").as_ref(), Some(&one));
    assert_eq!(read().ruleset("two").as_ref(), Some(&replaced));

    commit("two", None);
    assert_eq!(listed(), alone);
    commit("default", None);
    assert_eq!(tables(), "");
}

/// What limits guests is there as long as a network limits its guests, and others do not notice.
#[test]
fn limits_go_with_the_last_network_that_has_some() {
    isolate!();
    for bridge in ["virbr0", "virbr1"] {
        crate::bridge(bridge);
    }
    let other = limited(EgressPreset::None, EXCEPTIONS, policy("other", "virbr1", &[(OTHER_NET, Access::Routed)]));
    let firewall = Firewall::open().unwrap();
    firewall.apply(&default_policy()).unwrap();
    let rules = listed();
    for policy in [&other, &limited(EgressPreset::InternetOnly, "", default_policy())] {
        firewall.apply(policy).unwrap();
        assert_eq!(read().ruleset(&policy.network), Some(Ruleset::compile(policy)));
    }
    firewall.remove("other").unwrap();
    assert_eq!(read().networks().len(), 1);
    firewall.apply(&default_policy()).unwrap();
    assert_eq!(listed(), rules);
}

/// What translation needs is there as long as a network translates.
#[test]
fn translation_goes_with_the_last_network_that_translates() {
    isolate!();
    for bridge in ["virbr0", "virbr1"] {
        crate::bridge(bridge);
    }
    let routed = policy("default", "virbr0", &[(NET, Access::Routed)]);
    let other = policy("other", "virbr1", &[(OTHER_NET, nat())]);
    let rules = Ruleset::compile(&routed).to_string();
    install(&default_policy());
    install(&routed);
    assert_eq!(listed(), rules);

    install(&default_policy());
    let other_rules = install(&other);
    install(&routed);
    assert_eq!(read().ruleset("other").as_ref(), Some(&other_rules));
    commit("other", None);
    assert_eq!(listed(), rules);

    // One that remembers what it has left.
    let firewall = Firewall::open().unwrap();
    for policy in [&default_policy(), &other, &routed] {
        firewall.apply(policy).unwrap();
    }
    firewall.remove("other").unwrap();
    assert_eq!(listed(), rules);
    for policy in [&default_policy(), &routed] {
        let known = read().ruleset("default");
        firewall.replace(known.as_ref(), Some(&Ruleset::compile(policy))).unwrap();
    }
    assert_eq!(listed(), rules);
    firewall.apply(&other).unwrap();
    assert_eq!(read().ruleset("other").as_ref(), Some(&other_rules));
}

#[test]
fn what_is_not_ours_stays() {
    isolate!();
    bridge("virbr0");
    install(&default_policy());
    run("nft", &["add", "chain", "inet", "vnet", "somebodys"]);
    commit("default", None);
    let left = read();
    assert_eq!(left.ruleset("default"), None);
    assert!(listed().contains("chain somebodys"), "{}", listed());
}

#[test]
fn a_network_that_came_meanwhile_is_not_removed() {
    isolate!();
    for bridge in ["virbr0", "virbr1"] {
        crate::bridge(bridge);
    }
    let one = install(&default_policy());
    let before = read();
    let two = install(&policy("two", "virbr1", &[("10.0.0.0/24", nat())]));
    let batch = Batch::new(&before, Some(&one), None, index_of).expect("the bridges are there");
    let refused = Netfilter::open().expect("a socket").commit(&batch.bytes).expect_err("there is another network");
    assert!(refused.is_outdated(), "{refused:?}");
    assert_eq!(read().ruleset("default"), Some(one));
    assert_eq!(read().ruleset("two"), Some(two));
}

#[test]
fn starts_at_the_same_time_do_not_double_what_is_shared() {
    isolate!();
    for bridge in ["virbr0", "virbr1"] {
        crate::bridge(bridge);
    }
    let nothing = Table::default();
    let one = Ruleset::compile(&default_policy());
    let two = Ruleset::compile(&policy("two", "virbr1", &[("10.0.0.0/24", nat())]));
    for ruleset in [&one, &two] {
        let batch = Batch::new(&nothing, None, Some(ruleset), index_of).expect("the bridges are there");
        Netfilter::open().expect("a socket").commit(&batch.bytes).expect("the rules are fine");
    }
    assert_eq!(read().ruleset("default"), Some(one));
    assert_eq!(read().ruleset("two"), Some(two));
}

#[test]
fn a_refusal_leaves_nothing_and_can_be_told() {
    isolate!();
    bridge("virbr0");
    let mut ruleset = Ruleset::compile(&default_policy());
    let own = ruleset.sets.iter_mut().find(|set| set.name == "own_to").expect("it is there");
    let (key, comment) = (Key(vec![Part::Interface(Interface::Named("virbr0".parse().expect("a name")))]), None);
    own.elements.push(Element { key, verdict: Some(Verdict::Jump("nowhere".to_owned())), target: None, comment });
    let batch = Batch::new(&Table::default(), None, Some(&ruleset), index_of).expect("the bridge is there");
    let refused = Netfilter::open().expect("a socket").commit(&batch.bytes).expect_err("there is no such chain");
    assert_eq!(
        refused.sequence.and_then(|sequence| batch.describe(sequence)),
        Some("element `\"virbr0\" : jump nowhere` of set own_to")
    );
    assert_eq!(tables(), "");
}

#[rstest]
#[case::table_flushed("flush table inet vnet")]
#[case::everything_flushed("flush ruleset")]
#[case::chain_flushed("flush chain inet vnet from_guests")]
#[case::rule_inserted("insert rule inet vnet to_guests tcp dport 22 accept")]
#[case::rule_added("add rule inet vnet from_guests drop")]
#[case::rule_inserted_in_base_chain("insert rule inet vnet forward drop")]
#[case::rule_of_another_kind("insert rule inet vnet from_guests limit rate 10/second accept")]
#[case::base_chain_flushed("flush chain inet vnet postrouting")]
#[case::policy_changed("chain inet vnet forward { policy drop; }")]
#[case::switched_off("add table inet vnet { flags dormant; }")]
#[case::element_deleted("delete element inet vnet bridges { virbr0 }")]
#[case::address_deleted("delete element inet vnet translate_ipv4 { 192.168.122.0 }")]
#[case::refusal_deleted("delete element inet vnet refuse_to { ipv4 . virbr0 }")]
#[case::shared_element_deleted("delete element inet vnet answers { ipv4 }")]
#[case::comment_changed(
    "delete element inet vnet bridges { virbr0 }; add element inet vnet bridges { virbr0 comment \"mine\" }"
)]
#[case::element_added("add element inet vnet leave_ipv4 { virbr0 . 10.0.0.0 }")]
#[case::element_of_another_bridge_added(
    "add element inet vnet leave_ipv4 { lo . 192.168.122.0 comment \"network default: mine\" }"
)]
#[case::chain_of_its_own_added(
    "add chain inet vnet in_default { accept; }; add element inet vnet own_to { virbr0 : jump in_default }"
)]
fn drift_is_seen_and_repaired(#[case] change: &str) {
    drift(&default_policy(), change);
}

/// A network with rules of its own.
#[rstest]
#[case::table_flushed("flush table inet vnet")]
#[case::chain_flushed("flush chain inet vnet out_default")]
#[case::rule_inserted("insert rule inet vnet in_default tcp dport 22 accept")]
#[case::rule_added("add rule inet vnet in_default drop")]
#[case::element_deleted("delete element inet vnet own_to { virbr0 }")]
#[case::interval_deleted("delete element inet vnet own_nat_ipv4 { 192.168.122.0/24 }")]
#[case::element_changed("delete element inet vnet own_to { virbr0 }; add element inet vnet own_to { virbr0 : accept }")]
#[case::interval_split(
    "delete element inet vnet own_nat_ipv4 { 192.168.122.0/24 }; add element inet vnet own_nat_ipv4 { 192.168.122.128/25 : accept }"
)]
#[case::element_added("add element inet vnet own_to { lo : jump in_default }")]
#[case::interval_added("add element inet vnet own_nat_ipv4 { 10.0.0.1-10.0.0.5 : jump nat_default }")]
fn drift_of_own_rules_is_seen_and_repaired(#[case] change: &str) {
    drift(&through("eth0", default_policy()), change);
}

/// A network whose guests are limited in what they reach.
#[rstest]
#[case::source_deleted("delete element inet vnet internet_ipv4 { virbr0 . 192.168.122.0 }")]
#[case::no_longer_limited("delete element inet vnet limited { virbr0 }")]
#[case::another_preset("add element inet vnet unlimited { virbr0 }")]
#[case::prefix_deleted("delete element inet vnet beyond_internet_ipv4 { 10.0.0.0/8 }")]
#[case::rule_flushed("flush chain inet vnet egress_forward")]
fn drift_of_limits_is_seen_and_repaired(#[case] change: &str) {
    drift(&limited(EgressPreset::InternetOnly, "", default_policy()), change);
}

fn drift(policy: &Policy, change: &str) {
    isolate!();
    bridge("virbr0");
    let ruleset = install(policy);
    let before = listed();
    load(&change.replace("; add", "\nadd"));
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset), "{}", run("nft", &["list", "ruleset"]));
    commit("default", Some(&ruleset));
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));
    assert_eq!(listed(), before);
}

/// The same rules in another order are not the same: the rule at a place moves to the front of its
/// chain.
#[rstest]
#[case::base_chain(default_policy(), "forward", 2)]
#[case::refusal_before_what_is_allowed(default_policy(), "to_guests", 5)]
#[case::what_is_kept_after_what_is_translated(default_policy(), "postrouting", 4)]
#[case::ports(default_policy(), "translate", 2)]
#[case::own_rules(through("eth0", policy("default", "virbr0", &[(NET, nat()), (OTHER_NET, nat())])), "in_default", 1)]
fn rules_in_another_order_are_drift(#[case] policy: Policy, #[case] chain: &str, #[case] place: usize) {
    isolate!();
    bridge("virbr0");
    let ruleset = install(&policy);
    let before = listed();
    let listing = run("nft", &["--handle", "--stateless", "list", "chain", "inet", "vnet", chain]);
    let rules: Vec<_> = listing.lines().filter_map(|line| line.trim().split_once(" # handle ")).collect();
    let rules: Vec<_> = rules.into_iter().filter(|(rule, _)| rule.contains("comment")).collect();
    let (rule, handle) = rules[place];
    run("nft", &[&format!("delete rule inet vnet {chain} handle {handle}; insert rule inet vnet {chain} {rule}")]);
    let moved = read().ruleset("default").expect("it is there");
    assert_ne!(moved, ruleset);
    let sorted = |ruleset: &Ruleset| {
        let mut rules: Vec<String> =
            ruleset.chain(chain).expect("it is there").rules.iter().map(ToString::to_string).collect();
        rules.sort();
        rules
    };
    assert_eq!(sorted(&moved), sorted(&ruleset), "nothing but the order has changed");
    commit("default", Some(&ruleset));
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));
    assert_eq!(listed(), before);
}

#[test]
fn a_bridge_made_anew_is_drift() {
    isolate!();
    bridge("virbr0");
    let ruleset = install(&default_policy());
    run("ip", &["link", "delete", "virbr0"]);
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset));
    run("ip", &["link", "add", "virbr0", "index", "4711", "type", "bridge"]);
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset));
    commit("default", Some(&ruleset));
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));
    assert_eq!(listed(), ruleset.to_string());
}
