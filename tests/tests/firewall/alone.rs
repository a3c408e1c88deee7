//! `Firewall`: one network at a time, beside others, beside other programs.

use std::sync::atomic::{AtomicBool, Ordering};

use vnet_firewall::{Direction, EncodeError, Error, Firewall, Statement, Subject};
use vnet_netlink::Netfilter;
use vnet_tests::{isolate, run};

use crate::*;

#[test]
fn a_policy_goes_in_and_a_table_comes_out() {
    isolate!();
    bridge("virbr0");
    let firewall = Firewall::open().unwrap();
    let table = firewall.apply(&default_policy()).unwrap();
    assert_eq!(table.ruleset("default"), Some(Ruleset::compile(&default_policy())));
    assert_eq!(table.ruleset("default"), firewall.read().unwrap().ruleset("default"));
    let counted: Vec<_> = table.counts("default").map(|(set, ..)| set).collect();
    let sets =
        ["same_network", "leave_ipv4", "refuse_to", "refuse_from", "answer_ipv4", "inside_ipv4", "translate_ipv4"];
    assert_eq!(counted, sets);
    firewall.remove("default").unwrap();
    assert_eq!(tables(), "");
    firewall.remove("default").unwrap();
}

/// Whatever it had before: another bridge, other subnets, rules of its own.
#[test]
fn another_policy_leaves_nothing_of_the_one_before() {
    isolate!();
    bridge("virbr0");
    bridge("virbr1");
    let firewall = Firewall::open().unwrap();
    let beside = policy("beside", "virbr1", &[("10.0.0.0/24", nat())]);
    firewall.apply(&beside).unwrap();
    run("ip", &["link", "add", "virbr2", "type", "bridge"]);
    let policies = [
        default_policy(),
        policy("default", "virbr0", &[(OTHER_NET, Access::Routed), (NET6, Access::Routed)]),
        policy("default", "virbr2", &[(NET, Access::Isolated)]),
        through("eth0", default_policy()),
        policy("default", "virbr0", &[("192.168.0.0/16", nat())]),
        policy("default", "virbr2", &[(OTHER_NET, nat()), (NET6, nat())]),
    ];
    for policy in policies.iter().chain(policies.iter().rev()) {
        let anew = Firewall::open().unwrap();
        for firewall in [&firewall, &anew] {
            firewall.apply(policy).unwrap();
            let table = firewall.read().unwrap();
            assert_eq!(table.ruleset("default"), Some(Ruleset::compile(policy)));
            assert_eq!(table.ruleset("beside"), Some(Ruleset::compile(&beside)));
        }
    }
    firewall.remove("default").unwrap();
    firewall.remove("beside").unwrap();
    assert_eq!(tables(), "");
}

#[test]
fn what_somebody_has_added_is_found_when_all_is_read() {
    isolate!();
    bridge("virbr0");
    bridge("virbr1");
    let firewall = Firewall::open().unwrap();
    let ruleset = Ruleset::compile(&default_policy());
    assert_eq!(firewall.read_all_of(&ruleset).unwrap(), None);
    firewall.apply(&default_policy()).unwrap();
    firewall.apply(&policy("two", "virbr1", &[("10.0.0.0/24", nat())])).unwrap();
    assert_eq!(firewall.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
    run("nft", &["add", "element", "inet", "vnet", "leave_ipv4", "{ virbr0 . 10.0.7.0 }"]);
    let found = firewall.read_all_of(&ruleset).unwrap();
    assert_ne!(found.as_ref(), Some(&ruleset));
    firewall.replace(found.as_ref(), Some(&ruleset)).unwrap();
    assert_eq!(firewall.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
    assert!(!listed().contains("10.0.7.0"));
    // What one process knows serves the next, until somebody changes a rule.
    let next = Firewall::open().unwrap();
    next.remember(firewall.ledger().unwrap());
    assert_eq!(next.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
    let fewer = Ruleset { sets: Vec::new(), ..ruleset.clone() };
    assert_eq!(next.read_all_of(&fewer).unwrap().as_ref(), Some(&ruleset), "more than was expected");
    let theirs = "{ virbr0 . 10.0.8.0 counter comment \"network default: by hand\" }";
    run("nft", &["add", "element", "inet", "vnet", "leave_ipv4", theirs]);
    assert_ne!(next.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
    run("nft", &["delete", "element", "inet", "vnet", "leave_ipv4", "{ virbr0 . 10.0.8.0 }"]);
    assert_eq!(next.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
    // Nobody has changed a rule, but there is another bridge now.
    run("ip", &["link", "delete", "virbr0"]);
    assert_ne!(firewall.read_all_of(&ruleset).unwrap().as_ref(), Some(&ruleset));
}

#[test]
fn a_network_that_is_switched_off_is_removed_too() {
    isolate!();
    bridge("virbr0");
    let firewall = Firewall::open().unwrap();
    firewall.apply(&default_policy()).unwrap();
    load("add table inet vnet { flags dormant; }");
    firewall.remove("default").unwrap();
    assert_eq!(tables(), "");
}

#[test]
fn a_bridge_that_is_gone_is_no_reason_to_leave_its_rules() {
    isolate!();
    bridge("virbr0");
    let firewall = Firewall::open().unwrap();
    firewall.apply(&default_policy()).unwrap();
    run("ip", &["link", "delete", "virbr0"]);
    firewall.replace(Some(&Ruleset::compile(&default_policy())), None).unwrap();
    assert_eq!(tables(), "");
}

/// What a network that does not know of it cannot ask for, but the kernel counts it.
#[test]
fn elements_that_nobody_asks_for_are_seen_and_go() {
    isolate!();
    bridge("virbr0");
    bridge("virbr1");
    let firewall = Firewall::open().unwrap();
    let policy = through("eth0", default_policy());
    let ruleset = Ruleset::compile(&policy);
    firewall.apply(&policy).unwrap();
    firewall.apply(&through("eth0", crate::policy("two", "virbr1", &[("10.0.0.0/24", nat())]))).unwrap();
    for element in ["own_to { lo : goto in_default }", "own_nat_ipv4 { 10.0.7.1-10.0.7.5 : jump nat_default }"] {
        run("nft", &["add", "element", "inet", "vnet", element]);
        let table = firewall.read_near(&ruleset).unwrap();
        assert_ne!(table.ruleset("default").as_ref(), Some(&ruleset), "{element}");
        firewall.replace(None, Some(&ruleset)).unwrap();
        let table = firewall.read_near(&ruleset).unwrap();
        assert_eq!(table.ruleset("default").as_ref(), Some(&ruleset), "{element}");
        assert_eq!(table.ruleset("default"), read().ruleset("default"));
    }
}

/// One after the other in the file, inside, around, and with the last address of all.
#[test]
fn neighbouring_subnets_are_told_apart() {
    isolate!();
    let firewall = Firewall::open().unwrap();
    let nets = ["10.0.0.0/25", "10.0.0.128/25", "10.0.1.0/24", "255.255.255.0/24", "0.0.0.0/8", "172.16.1.0/24"];
    let policies: Vec<Policy> = (0..)
        .zip(nets)
        .map(|(at, net)| {
            bridge(&format!("virbr{at}"));
            through("eth0", policy(&format!("net{at}"), &format!("virbr{at}"), &[(net, nat())]))
        })
        .collect();
    for policy in &policies {
        let table = firewall.apply(policy).unwrap();
        assert_eq!(table.ruleset(&policy.network), Some(Ruleset::compile(policy)));
    }
    for policy in &policies {
        let expected = Ruleset::compile(policy);
        assert_eq!(firewall.read_near(&expected).unwrap().ruleset(&policy.network), Some(expected));
    }
    bridge("virbr9");
    for (net, taken) in [
        ("10.0.0.0/24", "net0"),
        ("10.0.0.16/28", "net0"),
        ("10.0.0.0/16", "net0"),
        ("0.0.0.0/0", "net4"),
        ("172.16.0.0/23", "net5"),
        ("255.255.0.0/16", "net3"),
    ] {
        let before = listed();
        let late = through("eth0", policy("late", "virbr9", &[(net, nat())]));
        let error = firewall.apply(&late).unwrap_err();
        let Error::Encode(EncodeError::Taken { network, .. }) = error else { panic!("{net}: {error:?}") };
        assert_eq!(network, taken, "{net}");
        assert_eq!(listed(), before, "{net}");
    }
    for policy in &policies {
        firewall.replace(Some(&Ruleset::compile(policy)), None).unwrap();
    }
    assert_eq!(tables(), "");
}

#[test]
fn an_outdated_transaction_is_refused() {
    isolate!();
    bridge("virbr0");
    let before = read();
    let batch = Batch::new(&before, None, Some(&Ruleset::compile(&default_policy())), index_of).unwrap();
    run("nft", &["add", "table", "ip", "somebodys"]);
    let refused = Netfilter::open().unwrap().commit(&batch.bytes).unwrap_err();
    assert!(refused.is_outdated(), "{refused:?}");
    assert!(!tables().contains("vnet"));
}

/// Networks come and go from several threads, while another program changes the host's rules all
/// the time.
#[test]
fn everybody_at_the_same_time() {
    isolate!();
    let count = 4;
    for at in 0..count {
        bridge(&format!("virbr{at}"));
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let noise = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                load("add table ip noise\ndelete table ip noise");
            }
        });
        let workers: Vec<_> = (0..count)
            .map(|at| {
                scope.spawn(move || {
                    let firewall = Firewall::open().unwrap();
                    let policy =
                        policy(&format!("net{at}"), &format!("virbr{at}"), &[(&format!("10.{at}.0.0/24"), nat())]);
                    let ruleset = Ruleset::compile(&policy);
                    for _ in 0..25 {
                        let table = firewall.apply(&policy).unwrap();
                        assert_eq!(table.ruleset(&policy.network).as_ref(), Some(&ruleset));
                        firewall.replace(Some(&ruleset), None).unwrap();
                    }
                })
            })
            .collect();
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        over.store(true, Ordering::Release);
        noise.join().unwrap();
        for end in ended {
            end.unwrap();
        }
    });
    assert_eq!(tables(), "");
}

/// A transaction has to fit the send buffer, which nobody in a user namespace can force: as kernels
/// come, 416 KiB.
#[test]
fn a_network_as_large_as_they_get_is_one_transaction() {
    isolate!();
    bridge("virbr0");
    let nets: Vec<String> =
        (0..30).map(|at| format!("10.{at}.0.0/24")).chain((0..30).map(|at| format!("fd00:{at}::/64"))).collect();
    let subnets: Vec<(&str, Access)> = nets.iter().map(|net| (net.as_str(), nat_from(None, "1024-65535"))).collect();
    let policy = through("a-long-device-1", policy(&"ü".repeat(60), "virbr0", &subnets));
    let firewall = Firewall::open().unwrap();
    let table = firewall.apply(&policy).unwrap();
    assert_eq!(table.ruleset(&policy.network), Some(Ruleset::compile(&policy)));
    firewall.remove(&policy.network).unwrap();
    assert_eq!(tables(), "");
}

#[test]
fn a_refusal_names_the_rule_and_changes_nothing() {
    isolate!();
    bridge("virbr0");
    let firewall = Firewall::open().unwrap();
    firewall.apply(&default_policy()).unwrap();
    let before = listed();
    let mut ruleset = Ruleset::compile(&through("eth0", default_policy()));
    let nat = ruleset.chains.iter_mut().find(|chain| chain.name == "nat_default").unwrap();
    *nat.rules[2].statements.last_mut().unwrap() = Statement::Lookup {
        subjects: vec![Subject::Interface(Direction::Out)],
        set: "nowhere".to_owned(),
        decides: true,
    };
    let error = firewall.replace(None, Some(&ruleset)).unwrap_err();
    let Error::Refused { subject, source } = &error else { panic!("{error:?}") };
    assert!(subject.starts_with("rule `") && subject.ends_with("of chain nat_default"), "{subject}");
    assert!(subject.contains("network default: nat: anything else leaves with another source"), "{subject}");
    assert!(source.is_not_found(), "{source}");
    assert_eq!(listed(), before);
}

/// All of them or none.
#[test]
fn several_networks_come_and_go_together() {
    isolate!();
    let policies = [
        default_policy(),
        policy("two", "virbr1", &[("10.0.1.0/24", Access::Routed)]),
        policy("three", "virbr2", &[("10.0.2.0/24", nat()), (NET6, Access::Isolated)]),
        through("eth0", policy("four", "virbr3", &[("10.0.3.0/24", nat())])),
    ];
    (0..policies.len()).for_each(|number| bridge(&format!("virbr{number}")));
    let rulesets = policies.each_ref().map(Ruleset::compile);
    let [one, others @ ..] = rulesets.each_ref();
    let firewall = Firewall::open().unwrap();
    let add = |all: &[&Ruleset]| firewall.add_all(all).into_iter().collect::<Vec<_>>().join(" ");
    let remove = |all: &[&Ruleset]| firewall.remove_all(all).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(add(&others), "", "nothing is known of what they share");
    assert_eq!(tables(), "");
    firewall.replace(None, Some(one)).unwrap();
    assert_eq!(add(&others), "four three two");
    let all = listed();
    for ruleset in &rulesets {
        assert_eq!(read().ruleset(&ruleset.network).as_ref(), Some(ruleset));
        assert_eq!(firewall.read_all_of(ruleset).unwrap().as_ref(), Some(ruleset));
        assert!(firewall.ledger().unwrap().digest(&ruleset.network).is_some());
    }

    bridge("virbr4");
    let five = Ruleset::compile(&policy("five", "virbr4", &[("10.0.4.0/24", nat())]));
    let taken = Ruleset::compile(&policy("six", "virbr3", &[("10.0.5.0/24", nat())]));
    firewall.replace(Some(one), Some(one)).unwrap();
    assert_eq!(add(&[&five, &taken]), "", "another network has the bridge");
    assert_eq!(listed(), all);
    firewall.replace(Some(one), Some(one)).unwrap();
    run("nft", &["add", "table", "inet", "somebodys"]);
    assert_eq!(add(&[&five]), "", "somebody has changed the rules");
    assert_eq!(listed(), all);
    run("nft", &["delete", "table", "inet", "somebodys"]);

    run("nft", &["delete", "element", "inet", "vnet", "reach_ipv4", "{ virbr1 . 10.0.1.0 }"]);
    assert_eq!(remove(&others), "four three", "one of them has drifted");
    let left = ["default", "two", "three", "four"].map(|network| read().ruleset(network).is_some());
    assert_eq!(left, [true, true, false, false]);
    commit("two", Some(others[0]));
    assert_eq!(remove(&[one, others[0]]), "default two");
    assert_eq!(tables(), "");
}

/// The kernel answers each message of a transaction that it refuses. Nobody takes these answers for
/// those to what is asked next.
#[test]
fn many_answers_to_a_refused_transaction_are_in_nobodys_way() {
    isolate!();
    let rulesets: Vec<Ruleset> = (0..60)
        .map(|number| {
            bridge(&format!("virbr{number}"));
            let subnet = format!("10.0.{number}.0/24");
            Ruleset::compile(&policy(&format!("n{number}"), &format!("virbr{number}"), &[(&subnet, nat())]))
        })
        .collect();
    let all: Vec<&Ruleset> = rulesets.iter().collect();
    let firewall = Firewall::open().unwrap();
    firewall.replace(None, Some(all[0])).unwrap();
    assert_eq!(firewall.add_all(&all[1..]).len(), 59);
    run("nft", &["add", "table", "inet", "vnet", "{ flags dormant; }"]);
    firewall.replace(None, Some(all[0])).unwrap();
    assert!(firewall.add_all(&all[1..]).is_empty(), "they are all there");
    for ruleset in all {
        firewall.replace(None, Some(ruleset)).unwrap();
        assert_eq!(firewall.read_all_of(ruleset).unwrap().as_ref(), Some(ruleset));
    }
}
