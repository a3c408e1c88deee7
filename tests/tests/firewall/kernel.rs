//! Rules that we encode, seen by nft(8) and read back by us.

use rstest::rstest;
use vnet_firewall::{Access, Batch, Ruleset, Table, Verdict};
use vnet_tests::{isolate, run};

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
    ruleset.maps[0].elements[0].verdict = Verdict::Jump("nowhere".to_owned());
    let batch = Batch::new(&Table::default(), None, Some(&ruleset), index_of).expect("the bridge is there");
    let refused = Netfilter::open().expect("a socket").commit(&batch.bytes).expect_err("there is no such chain");
    assert_eq!(
        refused.sequence.and_then(|sequence| batch.describe(sequence)),
        Some("element `\"virbr0\" : jump nowhere` of map to_guests")
    );
    assert_eq!(tables(), "");
}

#[rstest]
#[case::table_flushed("flush table inet vnet")]
#[case::everything_flushed("flush ruleset")]
#[case::chain_flushed("flush chain inet vnet out_default")]
#[case::rule_inserted("insert rule inet vnet in_default tcp dport 22 accept")]
#[case::rule_added("add rule inet vnet in_default drop")]
#[case::rule_inserted_in_base_chain("insert rule inet vnet forward drop")]
#[case::rule_of_another_kind("insert rule inet vnet out_default limit rate 10/second accept")]
#[case::base_chain_flushed("flush chain inet vnet postrouting")]
#[case::policy_changed("chain inet vnet forward { policy drop; }")]
#[case::switched_off("add table inet vnet { flags dormant; }")]
#[case::element_deleted("delete element inet vnet to_guests { virbr0 }")]
#[case::interval_deleted("delete element inet vnet nat_ipv4 { 192.168.122.0/24 }")]
#[case::element_changed(
    "delete element inet vnet to_guests { virbr0 }; add element inet vnet to_guests { virbr0 : accept }"
)]
#[case::interval_split(
    "delete element inet vnet nat_ipv4 { 192.168.122.0/24 }; add element inet vnet nat_ipv4 { 192.168.122.128/25 : accept }"
)]
#[case::element_added("add element inet vnet to_guests { lo : jump in_default }")]
#[case::interval_added("add element inet vnet nat_ipv4 { 10.0.0.1-10.0.0.5 : jump nat_default }")]
fn drift_is_seen_and_repaired(#[case] change: &str) {
    isolate!();
    bridge("virbr0");
    let ruleset = install(&default_policy());
    let before = listed();
    load(&change.replace("; add", "\nadd"));
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset), "{}", run("nft", &["list", "ruleset"]));
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
