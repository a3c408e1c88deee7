//! The rules of many networks: ours, and libvirt 11.3's as nft(8) takes them.

use vnet_firewall::{Access, Batch, Policy, Ruleset, Subnet, Table};
use vnet_netlink::Netfilter;
use vnet_types::{Egress, EgressPreset, Family, InterfaceName};

/// Whether outgoing traffic is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Nat,
    Routed,
}

/// The network with this number. The guest of the laboratory is in number 0.
pub(crate) fn policy(number: u32, mode: Mode) -> Policy {
    policy_of(number, mode, Family::Ipv4)
}

fn policy_of(number: u32, mode: Mode, family: Family) -> Policy {
    let mut policy = Policy::new(format!("net{number}"), bridge(number));
    let ports = "1024-65535".parse().unwrap();
    let access = if mode == Mode::Nat { Access::Nat { addresses: None, ports } } else { Access::Routed };
    let net = match family {
        Family::Ipv4 => net(number),
        Family::Ipv6 => format!("2001:db8:0:{number:x}::/64"),
    };
    policy.subnets = vec![Subnet { net: net.parse().unwrap(), access }];
    policy
}

fn bridge(number: u32) -> InterfaceName {
    if number == 0 { "guest".parse().unwrap() } else { format!("virbr{number}").parse().unwrap() }
}

fn net(number: u32) -> String {
    format!("10.{}.{}.0/24", number / 256, number % 256)
}

/// The index of a network's bridge. All except the first network's are made up: the kernel takes
/// any number.
pub(crate) fn index_of(name: &InterfaceName) -> Option<u32> {
    match name.as_str().strip_prefix("virbr") {
        Some(number) => number.parse().ok().map(|number: u32| number + 100_000),
        None => nix::net::if_::if_nametoindex(name.as_str()).ok(),
    }
}

/// Adds networks, the first one last: a linear search would go through the whole list.
pub(crate) fn load(count: u32, mode: Mode, family: Family) {
    load_each(count, |number| policy_of(number, mode, family));
}

/// The same, with guests that may reach the internet only.
pub(crate) fn load_limited(count: u32, mode: Mode) {
    load_each(count, |number| {
        let mut policy = policy(number, mode);
        policy.egress = Some(Egress::new(EgressPreset::InternetOnly));
        policy
    });
}

/// One network whose established connections skip the rules.
pub(crate) fn load_accelerated(mode: Mode, family: Family) {
    load_each(1, |number| {
        let mut policy = policy_of(number, mode, family);
        policy.accelerated = vec!["outside".parse().unwrap()];
        policy
    });
}

fn load_each(count: u32, policy: impl Fn(u32) -> Policy) {
    let netfilter = Netfilter::open().unwrap();
    for number in (0..count).rev() {
        let ruleset = Ruleset::compile(&policy(number));
        let table = Table::read_near(&[&ruleset], |requests| netfilter.find_all(requests), index_of, |_| None).unwrap();
        netfilter.commit(&Batch::new(&table, None, Some(&ruleset), index_of).unwrap().bytes).unwrap();
    }
}

/// The commands with which libvirt creates its tables.
pub(crate) fn libvirt_base() -> Vec<String> {
    let mut commands = Vec::new();
    for family in ["ip", "ip6"] {
        let mut command = |text: &str| commands.push(text.replace("T", &format!("{family} libvirt_network")));
        command("add table T");
        command("add chain T forward { type filter hook forward priority 0 ; policy accept ; }");
        for chain in ["guest_output", "guest_input", "guest_cross"] {
            command(&format!("add chain T {chain}"));
            command(&format!("insert rule T forward counter jump {chain}"));
        }
        command("add chain T guest_nat { type nat hook postrouting priority 100 ; policy accept ; }");
    }
    commands
}

/// The commands with which libvirt adds a network. libvirt gives each to a separate nft(8).
pub(crate) fn libvirt_network(number: u32, mode: Mode) -> Vec<String> {
    let net = net(number);
    let guest = index_of(&bridge(number)).unwrap();
    let mut commands = Vec::new();
    let mut rule = |rule: String| commands.push(format!("insert rule ip libvirt_network {rule}"));
    rule(format!("guest_output iif {guest} counter reject"));
    rule(format!("guest_input oif {guest} counter reject"));
    rule(format!("guest_cross iif {guest} oif {guest} counter accept"));
    rule(format!("guest_output ip saddr {net} iif {guest} counter accept"));
    if mode == Mode::Routed {
        rule(format!("guest_input ip daddr {net} oif {guest} counter accept"));
        return commands;
    }
    rule(format!("guest_input oif {guest} ip daddr {net} ct state related,established counter accept"));
    for (transport, act) in [
        ("", "masquerade"),
        ("meta l4proto udp", "masquerade to :1024-65535"),
        ("meta l4proto tcp", "masquerade to :1024-65535"),
    ] {
        rule(format!("guest_nat {transport} ip saddr {net} ip daddr != {net} counter {act}"));
    }
    for keep in ["255.255.255.255/32", "224.0.0.0/24"] {
        rule(format!("guest_nat ip saddr {net} ip daddr {keep} counter return"));
    }
    commands
}

/// All of libvirt's commands for this number of networks.
pub(crate) fn libvirt(count: u32, mode: Mode) -> Vec<String> {
    libvirt_base().into_iter().chain((0..count).flat_map(|number| libvirt_network(number, mode))).collect()
}
