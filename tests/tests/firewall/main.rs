//! Rules in a kernel: encoded by us, seen by nft(8), met by packets, compared with libvirt's.

#![allow(clippy::unwrap_used, reason = "a test")]

mod alone;
mod fate;
mod flowtable;
mod foreign;
mod forwards;
mod kernel;
mod lab;
mod libvirt;
mod matrix;
mod packets;
mod probe;
mod random;
mod second;
mod taken;
#[path = "../../../crates/vnet-firewall/tests/meaning/walk.rs"]
mod walk;
mod wire;

use nix::net::if_::{if_indextoname, if_nametoindex};
use vnet_firewall::{Access, Batch, Firewall, Policy, Ruleset, Subnet, Table};
use vnet_netlink::Netfilter;
use vnet_tests::{json, run};
use vnet_types::{Egress, EgressException, EgressPreset, EgressProtocol, InterfaceName};

const NET: &str = "192.168.122.0/24";
const NET6: &str = "2001:db8:ca2:2::/64";
const OTHER_NET: &str = "192.168.123.0/24";
const OTHER_NET6: &str = "2001:db8:ca2:3::/64";

fn index_of(name: &InterfaceName) -> Option<u32> {
    if_nametoindex(name.as_str()).ok()
}

/// Without a process for each element that is read.
fn name_of(index: u32) -> Option<InterfaceName> {
    if_indextoname(index).ok()?.to_str().ok()?.parse().ok()
}

fn read() -> Table {
    let netfilter = Netfilter::open().expect("a socket");
    Table::read(|request| netfilter.dump(request), name_of).expect("the table can be read")
}

/// Takes a network from what is there to what is wanted.
fn commit(network: &str, to: Option<&Ruleset>) {
    let firewall = Firewall::open().expect("sockets");
    let from = read().ruleset(network);
    if let Some(expected) = &from {
        let near = firewall.read_near(expected).expect("it can be read");
        assert_eq!(near.ruleset(network), from, "near as from afar");
    }
    if let Err(error) = firewall.replace(from.as_ref(), to) {
        panic!("{error}: {error:?}");
    }
}

fn install(policy: &Policy) -> Ruleset {
    let ruleset = Ruleset::compile(policy);
    commit(&policy.network, Some(&ruleset));
    ruleset
}

fn listed() -> String {
    let listed = run("nft", &["--stateless", "list", "table", "inet", "vnet"]);
    // nft 1.1.4 says how many elements a set of limited size has.
    listed.lines().map(|line| line.split("\t# count ").next().unwrap_or(line).to_owned() + "\n").collect()
}

/// What `nft -j` lists, without handles and counts.
fn listed_json() -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                for key in ["handle", "packets", "bytes", "metainfo"] {
                    fields.remove(key);
                }
                fields.values_mut().for_each(strip);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = json("nft", &["-j", "list", "table", "inet", "vnet"]);
    strip(&mut value);
    value
}

fn tables() -> String {
    run("nft", &["list", "tables"])
}

/// Loads text with nft.
fn load(text: &str) {
    std::fs::write("/run/rules.nft", text).expect("/run is ours");
    run("nft", &["-f", "/run/rules.nft"]);
}

fn bridge(name: &str) {
    run("ip", &["link", "add", name, "type", "bridge"]);
    run("ip", &["link", "set", name, "up"]);
}

fn nat() -> Access {
    Access::Nat { addresses: None, ports: "1024-65535".parse().expect("ports") }
}

fn nat_from(addresses: Option<&str>, ports: &str) -> Access {
    let addresses = addresses.map(|addresses| addresses.parse().expect("addresses"));
    Access::Nat { addresses, ports: ports.parse().expect("ports") }
}

fn policy(network: &str, bridge: &str, subnets: &[(&str, Access)]) -> Policy {
    let subnet =
        |(net, access): &(&str, Access)| Subnet { net: net.parse().expect("a subnet"), access: access.clone() };
    let mut policy = Policy::new(network, bridge.parse().expect("a name"));
    policy.subnets = subnets.iter().map(subnet).collect();
    policy
}

fn default_policy() -> Policy {
    policy("default", "virbr0", &[(NET, nat())])
}

fn through(device: &str, mut policy: Policy) -> Policy {
    policy.device = Some(device.parse().expect("a name"));
    policy
}

fn with_ipv6(mut policy: Policy) -> Policy {
    policy.ipv6 = true;
    policy
}

/// Exceptions: whether they allow, addresses, protocol, ports.
const EXCEPTIONS: &str = "\
    allow 203.0.113.0/24
    deny 203.0.113.2/32 tcp
    allow 198.51.100.2/32 udp 7-7
    allow 2001:db8:eeee::/64 icmp
    deny 0.0.0.0/0 tcp 7-9
    allow ::/0 icmp";

fn limited(preset: EgressPreset, exceptions: &str, mut policy: Policy) -> Policy {
    let mut egress = Egress::new(preset);
    for line in exceptions.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut exception = EgressException::default();
        exception.net = Some(words[1].parse().expect("a subnet"));
        let is_it = |(word, _): &&(&str, EgressProtocol)| words.get(2) == Some(word);
        exception.protocol = EgressProtocol::WORDS.iter().find(is_it).map(|(_, protocol)| *protocol);
        exception.ports = words.get(3).map(|ports| ports.parse().expect("ports"));
        let list = if words[0] == "allow" { &mut egress.allow } else { &mut egress.deny };
        list.push(exception);
    }
    policy.egress = Some(egress);
    policy
}
