//! Rules of others: what we foretell becomes of a packet is what becomes of it.

use std::net::IpAddr;
use std::time::Duration;

use rstest::rstest;
use vnet_firewall::{Access, Carried, CtState, Foreign, Hook, Judgement, Packet};
use vnet_tests::{isolate, run, wait_for};

use crate::lab::{Fate, GUEST, GUEST6, Lab, OUTSIDE, OUTSIDE6};
use crate::*;

const DOCKER: &str = include_str!("foreign/docker.nft");
const FIREWALLD: &str = include_str!("foreign/firewalld.nft");
/// As these programs make them, with matches of iptables inside. Real ones: what programs made,
/// listed.
const DOCKER_OF_IPTABLES: &[(&str, &str)] = &[("iptables", include_str!("foreign/docker.iptables"))];
const UFW: &[(&str, &str)] =
    &[("iptables", include_str!("foreign/ufw.iptables")), ("ip6tables", include_str!("foreign/ufw.ip6tables"))];
/// Written by hand: verdict maps, intervals, a priority before ours.
const MAPS: &str = "
table inet mine {
	set friends {
		type ipv4_addr
		flags interval
		elements = { 192.168.0.0-192.168.121.255, 192.168.123.0/24 }
	}
	map by_port {
		type inet_service : verdict
		elements = { 22 : accept, 4000 : drop }
	}
	chain forward {
		type filter hook forward priority -5; policy accept;
		ct state vmap { established : accept, related : accept, invalid : drop }
		ip saddr @friends accept
		udp dport vmap @by_port
		iifname \"virbr*\" oifname { \"eth1\", \"eth2\" } drop
		meta l4proto { tcp, udp } th dport 5000-5999 reject
		meta mark 0x1 drop
		ip daddr & 255.0.0.0 == 203.0.0.0 goto far
	}
	chain far {
		ip saddr 192.168.122.10 drop
	}
}
";
/// Nothing that can be known beforehand.
const LIMIT: &str = "
table ip mine {
	chain forward {
		type filter hook forward priority 0;
		limit rate over 1000/second drop
	}
}
";
/// As it is, no packet meets it.
const DORMANT: &str = "
table ip mine {
	flags dormant
	chain forward {
		type filter hook forward priority 0; policy drop;
	}
}
";

#[rstest]
#[case::nothing("", "passes", "passes")]
#[case::docker(DOCKER, "policy of chain `FORWARD` in table `ip filter`", "passes")]
#[case::docker_with_leave(
    &format!("{DOCKER}\nadd rule ip filter DOCKER-USER iifname virbr0 accept\nadd rule ip filter DOCKER-USER oifname virbr0 accept"),
    "policy of chain `FORWARD` in table `ip filter`", "passes")]
#[case::docker_with_leave_in_front(
    &format!("{DOCKER}\ninsert rule ip filter DOCKER-USER iifname virbr0 accept\ninsert rule ip filter DOCKER-USER oifname virbr0 accept"),
    "passes", "passes")]
#[case::firewalld(
    FIREWALLD,
    "chain `filter_FWD_public` in table `inet firewalld`",
    "chain `filter_FWD_public` in table `inet firewalld`"
)]
#[case::firewalld_with_a_way_out_in_the_same_zone(
    &format!("{FIREWALLD}\nadd rule inet firewalld filter_FWD_public_allow oifname eth0 accept"), "passes", "passes")]
#[case::firewalld_that_trusts(
    &format!("{FIREWALLD}\ninsert rule inet firewalld filter_FORWARD_ZONES iifname virbr0 accept"), "passes", "passes")]
#[case::maps(MAPS, "chain `far` in table `inet mine`", "passes")]
#[case::dormant(DORMANT, "passes", "passes")]
fn foretells_what_the_kernel_does(#[case] rules: &str, #[case] ipv4: &str, #[case] ipv6: &str) {
    isolate!();
    foretold(ipv4, ipv6, || load(rules));
}

/// What is foretold of rules is what the kernel does under them.
fn foretold(ipv4: &str, ipv6: &str, make: impl FnOnce()) {
    let lab = Lab::new();
    install(&policy("default", "virbr0", &[(NET, Access::Routed), (NET6, Access::Routed)]));
    let passes = |destination| matches!(lab.ask(&lab.guest, &lab.outside, destination), Fate::Answered { .. });
    // Everybody knows his neighbours before anything is in the way.
    for destination in [OUTSIDE, OUTSIDE6] {
        wait_for(Duration::from_secs(10), destination, || passes(destination).then_some(()));
    }
    make();
    for (source, destination, expected) in [(GUEST, OUTSIDE, ipv4), (GUEST6, OUTSIDE6, ipv6)] {
        let judgement = judge(&packet(source, destination));
        match &judgement {
            Judgement::Passes => assert_eq!(expected, "passes", "{destination}"),
            Judgement::Refused(site) => assert!(site.to_string().contains(expected), "{destination}: {site}"),
            Judgement::Unsure(site) => panic!("{destination}: {site}"),
        }
        // One packet may be lost.
        let foretold = judgement == Judgement::Passes;
        let said = format!("{destination}: {judgement:?}");
        wait_for(Duration::from_secs(10), &said, || (passes(destination) == foretold).then_some(()));
    }
}

/// The same for rules that iptables makes, as its matches: with what these programs' own users
/// allow, they let pass.
#[rstest]
#[case::docker(DOCKER_OF_IPTABLES, &[], "policy of chain `FORWARD` in table `ip filter`", "passes")]
#[case::docker_with_leave(
    DOCKER_OF_IPTABLES, &["iptables -I DOCKER-USER -i virbr0 -j ACCEPT", "iptables -I DOCKER-USER -o virbr0 -j ACCEPT"],
    "passes", "passes")]
#[case::ufw(
    UFW, &[], "policy of chain `FORWARD` in table `ip filter`", "policy of chain `FORWARD` in table `ip6 filter`")]
#[case::ufw_with_leave(
    UFW, &["iptables -A ufw-user-forward -i virbr0 -j ACCEPT", "ip6tables -A ufw6-user-forward -i virbr0 -j ACCEPT"],
    "passes", "passes")]
fn foretells_what_iptables_does(
    #[case] rules: &[(&str, &str)],
    #[case] leave: &[&str],
    #[case] ipv4: &str,
    #[case] ipv6: &str,
) {
    isolate!();
    foretold(ipv4, ipv6, || {
        rules.iter().for_each(|(program, rules)| restore(program, rules));
        for command in leave {
            let (program, words) = command.split_once(' ').expect("words");
            run(program, &words.split(' ').collect::<Vec<_>>());
        }
    });
}

/// What is for the host: ufw drops what nobody allowed, but not what it always lets in.
#[rstest]
#[case::dhcp(67, "0.0.0.0", "255.255.255.255", Some("ufw-skip-to-policy-input"))]
#[case::names(53, GUEST, "192.168.122.1", Some("INPUT"))]
#[case::mdns(5353, GUEST, "224.0.0.251", None)]
fn foretells_what_ufw_does_with_the_host(
    #[case] port: u16,
    #[case] source: &str,
    #[case] to: &str,
    #[case] chain: Option<&str>,
) {
    isolate!();
    bridge("virbr0");
    UFW.iter().for_each(|(program, rules)| restore(program, rules));
    let judgement = judge(&Packet { hook: Hook::Input, to: None, port, ..packet(source, to) });
    match chain {
        None => assert_eq!(judgement, Judgement::Passes),
        Some(chain) => {
            let Judgement::Refused(site) = judgement else { panic!("{judgement:?}") };
            assert_eq!((site.table.as_str(), site.chain.as_str()), ("ip filter", chain));
        }
    }
}

fn restore(program: &str, rules: &str) {
    std::fs::write("/run/rules", rules).expect("/run is ours");
    run(&format!("{program}-nft-restore"), &["/run/rules"]);
}

#[rstest]
#[case::dropped_by_a_map("4000", "drop")]
#[case::rejected_in_a_range("5500", "reject")]
fn finds_the_rule_of_a_port(#[case] port: u16, #[case] verdict: &str) {
    isolate!();
    bridge("virbr0");
    load(MAPS);
    let judgement = judge(&Packet { port, ..packet("192.168.122.20", OUTSIDE) });
    let Judgement::Refused(site) = judgement else { panic!("{judgement:?}") };
    let listed = run("nft", &["-a", "list", "chain", "inet", "mine", "forward"]);
    let rule = site.rule.expect("a rule, not the policy");
    let handle = rule.split_once(" # ").expect("a handle").1;
    let line = listed.lines().find(|line| line.ends_with(handle)).expect("a rule of this handle");
    assert!(line.contains(verdict) || line.contains("by_port"), "{line}");
}

#[test]
fn says_so_where_nobody_can_tell() {
    isolate!();
    bridge("virbr0");
    load(LIMIT);
    let Judgement::Unsure(site) = judge(&packet(GUEST, OUTSIDE)) else { panic!("it depends on how many there are") };
    assert_eq!((site.table.as_str(), site.chain.as_str()), ("ip mine", "forward"));
    assert_eq!(judge(&packet(GUEST6, OUTSIDE6)), Judgement::Passes);
}

#[test]
fn answers_pass_where_connections_do() {
    isolate!();
    bridge("virbr0");
    load(FIREWALLD);
    let answer = Packet {
        from: Some("eth0".parse().expect("a name")),
        to: Some("virbr0".parse().expect("a name")),
        connection: CtState::Established,
        ..packet(OUTSIDE, GUEST)
    };
    assert_eq!(judge(&answer), Judgement::Passes);
    let dhcp = Packet { hook: Hook::Input, to: None, port: 67, ..packet("0.0.0.0", "255.255.255.255") };
    let Judgement::Refused(site) = judge(&dhcp) else { panic!("the zone public has no DHCP") };
    assert_eq!(site.chain, "filter_IN_public");
}

fn packet(source: &str, destination: &str) -> Packet {
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    Packet {
        hook: Hook::Forward,
        from: Some("virbr0".parse().expect("a name")),
        to: Some("eth0".parse().expect("a name")),
        source: ip(source),
        destination: ip(destination),
        carries: Carried::Udp,
        port: 9,
        connection: CtState::New,
    }
}

fn judge(packet: &Packet) -> Judgement {
    let netfilter = Netfilter::open().expect("a socket");
    Foreign::read(|request| netfilter.dump(request), name_of).expect("they can be read").judge(packet, index_of)
}
