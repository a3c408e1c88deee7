//! Ports of the host that lead to guests: as nft(8) shows them, as they are read back, and what one
//! more of them changes.

use std::net::IpAddr;

use vnet_firewall::{Batch, Firewall, ForwardedPorts, Policy, Ruleset, Transport};
use vnet_tests::{isolate, run};

use crate::{NET, NET6, bridge, commit, default_policy, index_of, install, listed, nat, policy, read};

fn forward(transport: Transport, ports: &str, guest: &str, first: u16) -> ForwardedPorts {
    let guest: IpAddr = guest.parse().expect("an address");
    let mut forward = ForwardedPorts::new(transport, ports.parse().expect("ports"), guest);
    forward.first = first;
    forward
}

fn forwarding() -> Policy {
    let mut policy = policy("default", "virbr0", &[(NET, nat()), (NET6, nat())]);
    let mut at_an_address = forward(Transport::Udp, "53-53", "192.168.122.10", 53);
    at_an_address.address = "198.51.100.7".parse().ok();
    let mut at_a_device = forward(Transport::Tcp, "443-443", "2001:db8:ca2:2::10", 443);
    at_a_device.device = "eth0".parse().ok();
    let mut at_both = forward(Transport::Tcp, "444-444", "192.168.122.10", 443);
    (at_both.address, at_both.device) = ("198.51.100.7".parse().ok(), "eth0".parse().ok());
    policy.forwards = vec![
        forward(Transport::Tcp, "2222-2224", "192.168.122.10", 22),
        forward(Transport::Tcp, "2222-2222", "2001:db8:ca2:2::10", 22),
        at_an_address,
        at_a_device,
        at_both,
    ];
    policy
}

/// The subjects of the messages that change one policy to another.
fn changes(from: &Ruleset, to: &Ruleset) -> Vec<String> {
    let batch = Batch::new(&read(), Some(from), Some(to), index_of).expect("it can be encoded");
    (1..).map_while(|at| batch.describe(at)).map(str::to_owned).collect()
}

/// The lines in an order that does not depend on that of elements, which nft lists as the kernel
/// has them.
fn lines(text: &str) -> Vec<String> {
    let line = |line: &str| line.replace("elements = {", "").trim_matches([' ', '\t', ',', '}']).to_owned();
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn forwards_are_elements_that_nft_shows_and_that_are_read_back() {
    isolate!();
    ["virbr0", "virbr1"].into_iter().for_each(bridge);
    let ruleset = install(&forwarding());
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset), "as it was installed");
    assert_eq!(lines(&listed()), lines(&ruleset.to_string()), "nft shows what we print");

    // One more is two elements, whatever is there already.
    let mut more = forwarding();
    more.forwards.push(forward(Transport::Tcp, "8080-8080", "192.168.122.10", 80));
    let more = Ruleset::compile(&more);
    assert_eq!(
        changes(&ruleset, &more),
        [
            "element `\"virbr0\" . tcp . 192.168.122.10 . 80` of set forwarded_ipv4",
            "element `tcp . 8080 : 192.168.122.10 . 80` of set lead_any_ipv4"
        ]
    );

    // What somebody has taken away, or led elsewhere, is missed and mended.
    for damage in [
        "delete element inet vnet lead_any_ipv4 { tcp . 2223 }",
        "delete element inet vnet forwarded_ipv6 { \"virbr0\" . tcp . 2001:db8:ca2:2::10 . 22 }",
        "delete element inet vnet hairpin { \"virbr0\" . \"virbr0\" }",
        "flush chain inet vnet output",
    ] {
        run("sh", &["-c", &format!("nft '{damage}'")]);
        let firewall = Firewall::open().expect("sockets");
        let near = firewall.read_near(&ruleset).expect("it can be read");
        assert_ne!(near.ruleset("default").as_ref(), Some(&ruleset), "{damage}");
        commit("default", Some(&ruleset));
        assert_eq!(lines(&listed()), lines(&ruleset.to_string()), "{damage}");
    }

    // Another network cannot have the same port, and takes nothing away with it.
    let mut other = policy("other", "virbr1", &[("192.168.123.0/24", nat())]);
    other.forwards = vec![forward(Transport::Tcp, "2222-2222", "192.168.123.10", 22)];
    let error = Firewall::open().expect("sockets").replace(None, Some(&Ruleset::compile(&other)));
    let error = error.expect_err("the port is taken").to_string();
    assert_eq!(error, "tcp . 2222 is taken: tcp . 2222 is of network `default`");
    other.forwards = vec![forward(Transport::Tcp, "2225-2225", "192.168.123.10", 22)];
    let other = install(&other);
    commit("other", None);
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset), "without {}", other.network);

    // The last forward takes the maps with it.
    let plain = install(&default_policy());
    assert_eq!(listed(), plain.to_string());
    commit("default", Some(&ruleset));
    commit("default", None);
    assert_eq!(crate::tables(), "");
}
