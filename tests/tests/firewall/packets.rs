//! Packets that meet our rules.

use vnet_firewall::Access;
use vnet_tests::{isolate, run};

use crate::lab::{Fate, GUEST, GUEST6, HOST, Lab, NEIGHBOUR, OUTSIDE, OUTSIDE6, UPLINK};
use crate::*;

#[test]
fn nat_lets_out_and_answers_back_and_nothing_in() {
    isolate!();
    let lab = Lab::new();
    install(&policy("default", "virbr0", &[(NET, nat_from(None, "5000-5005"))]));
    let Fate::Answered { peer, .. } = lab.ask(&lab.guest, &lab.outside, OUTSIDE) else {
        panic!("the guest may reach out")
    };
    assert_eq!(peer.ip().to_string(), HOST);
    assert!((5000..=5005).contains(&peer.port()), "{peer}");
    lab.guest.run(|| run("ping", &["-c1", "-W5", OUTSIDE]));
    assert_eq!(lab.ask(&lab.outside, &lab.guest, GUEST), Fate::Rejected);
    let Fate::Answered { peer, .. } = lab.ask(&lab.guest, &lab.neighbour, NEIGHBOUR) else { panic!("guest to guest") };
    assert_eq!(peer.ip().to_string(), GUEST);

    let table = read();
    let rejected = table.counts("default").find(|(set, ..)| set == "refuse_to");
    assert_eq!(rejected.map(|(_, _, counts)| counts.packets), Some(1));
    // The answer to a network without IPv6 is libvirt's: its IPv6 packets pass.
    assert!(matches!(lab.ask(&lab.outside, &lab.guest, GUEST6), Fate::Answered { .. }));
}

#[test]
fn nat_translates_ipv6_where_asked() {
    isolate!();
    let lab = Lab::new();
    install(&policy("default", "virbr0", &[(NET, nat()), (NET6, nat())]));
    let Fate::Answered { peer, .. } = lab.ask(&lab.guest, &lab.outside, OUTSIDE6) else {
        panic!("the guest may reach out")
    };
    assert_eq!(peer.ip().to_string(), "2001:db8:ffff::1");
    assert_eq!(lab.ask(&lab.outside, &lab.guest, GUEST6), Fate::Rejected);
}

#[test]
fn nat_uses_the_addresses_it_is_given() {
    isolate!();
    let lab = Lab::new();
    run("ip", &["address", "add", "203.0.113.9/32", "dev", "eth0"]);
    install(&policy("default", "virbr0", &[(NET, nat_from(Some("203.0.113.9-203.0.113.9"), "700-700"))]));
    let expected = "203.0.113.9:700".parse().expect("an address");
    assert_eq!(lab.ask(&lab.guest, &lab.outside, OUTSIDE), Fate::Answered { peer: expected, moved: true });
}

#[test]
fn routed_guests_are_reached_under_their_own_address() {
    isolate!();
    let lab = Lab::new();
    install(&policy("default", "virbr0", &[(NET, Access::Routed)]));
    for (from, to, address, expected) in
        [(&lab.guest, &lab.outside, OUTSIDE, GUEST), (&lab.outside, &lab.guest, GUEST, OUTSIDE)]
    {
        let Fate::Answered { peer, .. } = lab.ask(from, to, address) else { panic!("routed both ways") };
        assert_eq!(peer.ip().to_string(), expected);
    }
}

#[test]
fn isolated_guests_have_only_each_other() {
    isolate!();
    let lab = Lab::new();
    install(&policy("default", "virbr0", &[(NET, Access::Isolated), (NET6, Access::Isolated)]));
    for (from, to, address) in [
        (&lab.guest, &lab.outside, OUTSIDE),
        (&lab.outside, &lab.guest, GUEST),
        (&lab.guest, &lab.outside, OUTSIDE6),
        (&lab.outside, &lab.guest, GUEST6),
    ] {
        assert_eq!(lab.ask(from, to, address), Fate::Rejected, "{address}");
    }
    assert!(matches!(lab.ask(&lab.guest, &lab.neighbour, NEIGHBOUR), Fate::Answered { .. }));
}

#[test]
fn the_forward_device_may_go_and_come_back() {
    isolate!();
    let lab = Lab::new();
    run("ip", &["link", "delete", "eth0"]);
    let ruleset = install(&through("eth0", default_policy()));
    for _ in 0..2 {
        lab.plug_uplink(UPLINK);
        assert!(matches!(lab.ask(&lab.guest, &lab.outside, OUTSIDE), Fate::Answered { .. }));
        assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));
        run("ip", &["link", "delete", "eth0"]);
    }
}

#[test]
fn another_device_is_no_way_out() {
    isolate!();
    let lab = Lab::new();
    install(&through("eth1", default_policy()));
    assert_eq!(lab.ask(&lab.guest, &lab.outside, OUTSIDE), Fate::Rejected);
}
