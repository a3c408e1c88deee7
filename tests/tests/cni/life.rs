//! Addresses that are given out once, calls that are killed, calls at the same time, and plugins
//! that come after this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use vnet_tests::{NamedNetns, isolate, run};

use super::{Plugin, ends, is_in_sync, merged, nothing_is_left, start, vnet, world};

/// A network with three addresses to give out.
const SMALL: &str = "<network><name>blue</name><forward mode='nat'/><bridge name='br-blue' stp='off'/>\
    <domain name='blue.test'/><ip address='10.88.7.1' prefix='24'><dhcp><range start='10.88.7.2' end='10.88.7.4'/>\
    <host mac='52:54:00:00:00:50' name='db' ip='10.88.7.50'/></dhcp></ip>\
    <ip family='ipv6' address='fd00:88:7::1' prefix='64'/></network>";

/// The system calls by which a process changes something.
const CALLS: &str = "sendto,sendmsg,write,kill,?rename,?renameat,renameat2";

fn address(result: &Value) -> String {
    result["ips"][0]["address"].as_str().unwrap().to_owned()
}

fn hosts() -> String {
    fs::read_to_string("/run/vnet/blue/dnsmasq.hosts").unwrap()
}

#[test]
fn an_address_is_given_out_once_and_given_back_once() {
    isolate!();
    let _outside = world();
    start(SMALL);
    let plugin = Plugin::ours();
    let names = ["c1", "c2", "c3", "c4", "c5"];
    let _containers = names.map(NamedNetns::new);
    let given: BTreeSet<String> =
        names[..3].iter().map(|name| address(&plugin.done("ADD", name, &Value::Null))).collect();
    assert_eq!(given, ["10.88.7.2/24", "10.88.7.3/24", "10.88.7.4/24"].map(str::to_owned).into());
    // dnsmasq gives none of them to a guest.
    for net in &given {
        assert!(hosts().contains(net.trim_end_matches("/24")), "{}", hosts());
    }
    let code = |verb: &str, name: &str, more: &Value| {
        let output = plugin.call(verb, name, more);
        serde_json::from_slice::<Value>(&output.stdout).map_or(Value::Null, |error| error["code"].clone())
    };
    assert_eq!(code("ADD", "c4", &Value::Null), 102);
    assert_eq!(code("STATUS", "c4", &Value::Null), 50);
    // What the definition reserves is for the name, and for nobody else.
    assert_eq!(code("ADD", "c4", &json!({ "runtimeConfig": { "ips": ["10.88.7.50"] } })), 101);
    let named = |name: &str| {
        let mut variables = plugin.variables("ADD", "c4");
        variables.insert("CNI_ARGS".to_owned(), format!("K8S_POD_NAMESPACE=prod;K8S_POD_NAME={name}"));
        let more = json!({ "runtimeConfig": { "aliases": { "blue": ["web"] } } });
        let output = plugin.begin(&variables, &merged(&plugin.base, &more).to_string()).wait_with_output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(address(&named("db")), "10.88.7.50/24");
    let known = fs::read_to_string("/run/vnet/blue/dnsmasq.addnhosts").unwrap();
    assert!(known.contains("10.88.7.50\tdb\tweb"), "{known}");
    assert!(vnet(&["ports"]).contains("prod/db"), "{}", vnet(&["ports"]));
    plugin.done("DEL", "c2", &Value::Null);
    plugin.done("DEL", "c2", &Value::Null);
    let again = address(&plugin.done("ADD", "c5", &Value::Null));
    assert_eq!(given.iter().filter(|net| hosts().contains(net.trim_end_matches("/24"))).count(), 3, "{}", hosts());
    assert!(given.contains(&again));
    // A change of the network keeps what containers have, and a stop takes it away.
    let changed = SMALL.replace("<domain name='blue.test'/>", "<domain name='other.test'/>");
    fs::write("/run/changed.xml", changed).unwrap();
    vnet(&["apply", "/run/changed.xml"]);
    assert!(hosts().contains(again.trim_end_matches("/24")), "{}", hosts());
    run("nsenter", &["--net=/run/netns/c5", "ping", "-c1", "-W2", "-q", "198.51.100.1"]);
    vnet(&["stop", "blue"]);
    assert_eq!(ends(), Vec::<String>::new());
    for name in names {
        plugin.done("DEL", name, &Value::Null);
    }
    assert!(!Path::new("/run/vnet").exists());
}

/// Sixteen containers come at once, while the network is changed, and go at once.
#[test]
fn many_come_and_go_at_once() {
    isolate!();
    let _outside = world();
    start(&SMALL.replace("10.88.7.4", "10.88.7.40"));
    let plugin = Plugin::ours();
    let names: Vec<String> = (0..16).map(|number| format!("c{number}")).collect();
    let containers: Vec<NamedNetns> = names.iter().map(|name| NamedNetns::new(name)).collect();
    let all = |verb: &str| -> Vec<Value> {
        let input = plugin.base.to_string();
        let calls: Vec<_> = names.iter().map(|name| plugin.begin(&plugin.variables(verb, name), &input)).collect();
        if verb == "ADD" {
            vnet(&["apply", "blue"]);
        }
        let ended = calls.into_iter().map(|call| call.wait_with_output().unwrap());
        ended
            .map(|output| {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
                serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
            })
            .collect()
    };
    let given: BTreeSet<String> = all("ADD").iter().map(address).collect();
    assert_eq!((given.len(), ends().len()), (16, 16));
    is_in_sync();
    all("DEL");
    drop(containers);
    nothing_is_left();
}

/// Another process waits until the kernel has deleted the pair: DEL itself sends no request for
/// that, and goes on when the pair is not found any more.
#[test]
fn another_process_deletes_the_pair() {
    isolate!();
    start(SMALL);
    let plugin = Plugin::ours();
    let _container = NamedNetns::new("c1");
    plugin.done("ADD", "c1", &Value::Null);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/run/calls", "-e", "trace=execve,sendto,ioctl"]);
    strace.arg(plugin.folder.join("vnet-cni")).envs(plugin.variables("DEL", "c1")).stdin(Stdio::piped());
    let mut child = strace.spawn().unwrap();
    child.stdin.take().unwrap().write_all(plugin.base.to_string().as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let calls = fs::read_to_string("/run/calls").unwrap();
    let process = |what: &str| -> BTreeSet<&str> {
        calls.lines().filter(|line| line.contains(what)).filter_map(|line| line.split(' ').next()).collect()
    };
    let (deputy, deletes) = (process("@delete-links"), process("RTM_DELLINK"));
    assert!(deputy.len() == 1 && deputy == deletes, "{calls}");
    let misses = calls.lines().filter(|line| line.contains("ioctl") && line.contains("ENODEV")).count();
    assert_eq!(misses, 1, "{calls}");
    assert_eq!(ends(), Vec::<String>::new());
    nothing_is_left();
}

/// An ADD that is killed at any of its changes, and a DEL that is, leave nothing after one DEL,
/// whether the container is still there or not.
#[test]
fn a_call_that_was_killed_leaves_nothing() {
    isolate!();
    start(&SMALL.replace(" stp='off'", ""));
    let plugin = Plugin::ours();
    let has_tree = || {
        let bridge = vnet_tests::json("ip", &["-j", "-d", "link", "show", "br-blue"]);
        bridge[0]["linkinfo"]["info_data"]["stp_state"] == 1
    };
    let killed = |verb: &str, number: usize| {
        let variables: BTreeMap<String, String> = plugin.variables(verb, "c1");
        let mut strace = Command::new("strace");
        let inject = format!("inject={CALLS}:signal=KILL:when={number}");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={CALLS}"), "-e", &inject]);
        strace.arg(plugin.folder.join("vnet-cni")).envs(variables).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = strace.spawn().unwrap();
        child.stdin.take().unwrap().write_all(plugin.base.to_string().as_bytes()).unwrap();
        child.wait().unwrap().signal().is_some()
    };
    // How often it died, and left the bridge without spanning tree.
    let (mut deaths, mut trees) = (0, 0);
    for verb in ["ADD", "DEL"] {
        for number in 1.. {
            let container = NamedNetns::new("c1");
            if verb == "DEL" {
                plugin.done("ADD", "c1", &Value::Null);
            }
            let died = killed(verb, number);
            deaths += usize::from(died);
            trees += usize::from(!has_tree());
            let mut container = Some(container).filter(|_| number % 2 == 0);
            plugin.done("DEL", "c1", &Value::Null);
            assert_eq!(ends(), Vec::<String>::new(), "{verb} killed at call {number}");
            assert!(has_tree(), "{verb} killed at call {number}");
            let container = container.get_or_insert_with(|| NamedNetns::new("c1"));
            let left = container.run(|| vnet_tests::json("ip", &["-j", "link"]));
            assert_eq!(left.as_array().unwrap().len(), 1, "{verb} killed at call {number}: {left}");
            nothing_is_left();
            if !died {
                break;
            }
        }
    }
    assert!(deaths > 15 && trees > 1, "{deaths} {trees}");
}
