//! Networks of OVN over real hosts of a cluster: what guests get and reach, who wins when two hosts
//! change a network at once, and what is left when a host dies.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vnet_driver::OvnNetwork;
use vnet_lab::probe::{Outcome, Transport, serve};
use vnet_ovn::OvnGuest;
use vnet_tests::{Machine, OvnCentral, OvnHost, OvnLab, as_its_schema_says, isolate, run, wait_for};
use vnet_types::Uuid;

mod apart;
mod doctor;
mod failover;
mod open;
mod ports;

const SOON: Duration = Duration::from_secs(10);
/// What does not come in this time does not come.
const NEVER: Duration = Duration::from_millis(700);
const SERVER: &str = "203.0.113.1";
const GATEWAY: &str = "203.0.113.10";
const WEB: &str = "52:54:00:00:00:01";
const DB: &str = "52:54:00:00:00:02";
const CACHE: &str = "52:54:00:00:00:04";
const CELL: &str = "52:54:00:00:00:03";

/// A network of OVN. `inside` stands before its `<ip>`, `engine` in `<vnet:network>`.
fn network(lab: &OvnLab, name: &str, engine: &str, outside: &str, inside: &str) -> String {
    format!(
        "<network><name>{name}</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         {engine}<vnet:ovn northbound='{}'>{outside}</vnet:ovn></vnet:network></metadata>{inside}</network>",
        lab.central.remote()
    )
}

fn nat(lab: &OvnLab, gateways: &[&str], last: u8) -> String {
    let ranked = gateways.iter().rev().enumerate();
    let gateways: String =
        ranked.map(|(rank, it)| format!("<vnet:gateway chassis='{it}' priority='{rank}'/>")).collect();
    let outside = format!(
        "<vnet:outside network='physical'><vnet:address address='{GATEWAY}' prefix='24' gateway='{SERVER}'/>{gateways}\
         </vnet:outside>"
    );
    let forward = "<vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' to='7777'/></vnet:portForward>";
    let inside = format!(
        "<forward mode='nat'/><ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.{last}'/>\
         <host mac='{WEB}' name='web' ip='10.77.0.11'/></dhcp></ip>\
         <route address='10.99.0.0' prefix='16' gateway='10.77.0.11'/>"
    );
    network(lab, "lab", forward, &outside, &inside)
}

fn cell(lab: &OvnLab) -> String {
    let inside = "<ip address='10.78.0.1' prefix='24'><dhcp><range start='10.78.0.100' end='10.78.0.200'/></dhcp></ip>";
    network(lab, "cell", "", "", inside)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Gets a lease and uses it, and returns the address and the router.
fn lease(guest: &Machine, mac: &str) -> (String, Option<String>) {
    let lease = guest.lease(mac);
    (lease.address.to_string(), lease.router.map(|it| it.to_string()))
}

fn seen_as(outcome: Outcome) -> Option<IpAddr> {
    if let Outcome::SeenAs(peer, _) = outcome { Some(peer.ip()) } else { None }
}

/// Leads the server outside to a subnet, by the gateway.
fn outside_knows(lab: &OvnLab, net: &str) {
    lab.outside.netns.run(|| run("ip", &["route", "add", net, "via", GATEWAY]));
}

fn rows(answer: &Value) -> usize {
    answer["ovn"]["changes"].as_array().unwrap().len()
}

fn code(output: &std::process::Output) -> Option<i32> {
    output.status.code()
}

#[test]
fn a_network_lives_on_several_hosts() {
    isolate!();
    let begin = Instant::now();
    let mut lab = OvnLab::start(Path::new("/run/lab"), 3);
    println!("the laboratory runs after {:?}", begin.elapsed());
    serve(lab.outside.namespace(), 7777).unwrap();
    let (definition, cell) = (nat(&lab, &["h1", "h2"], 200), cell(&lab));
    lab.central.nbctl(&["ls-add", "others"]);
    let before = lab.central.nbctl(&["show"]);

    // Start on one host; on the other it is in sync.
    let [one, two, three] = &lab.hosts[..] else { unreachable!() };
    let started = one.does(&["start", "-"], &definition);
    assert!(rows(&started) > 10 && started["ovn"]["in_force"] == true, "{started}");
    as_its_schema_says("outcome", &started);
    assert_eq!(rows(&two.does(&["start", "-"], &definition)), 0);
    for host in [one, two, three] {
        host.does(&["define", "-"], &definition);
        host.does(&["define", "-"], &cell);
        assert_eq!(rows(&host.does(&["diff", "lab"], "")), 0, "a kept definition is the same network");
    }
    two.does(&["start", "cell"], "");
    assert!(!three.calls(&["ports"], "connect").contains("nb/db.sock"), "a host without guests asks nobody");

    // A guest whose second interface cannot be leaves no port of the first one.
    let ports = lab.central.nbctl(&["show"]);
    let interfaces = [("lab", WEB), ("nowhere", DB)].map(|(network, mac)| OvnHost::interface(network, mac, ""));
    let both = format!("<domain><devices>{}</devices></domain>", interfaces.concat());
    assert!(!one.vnet(&["attach", "-", "--guest", "web"], &both).status.success());
    assert_eq!(lab.central.nbctl(&["show"]), ports);

    // Guests get their leases from OVN, and reach each other across hosts.
    let web = one.guest("lab", "web", WEB, "");
    let db = two.guest("lab", "db", DB, "");
    // Two hosts that lose each other cannot tell who is cut off: a third one decides.
    let cache = three.guest("lab", "cache", CACHE, "");
    let alone = two.guest("cell", "cell", CELL, "");
    let gateway = Some("10.77.0.1".to_owned());
    assert_eq!(lease(&web, WEB), ("10.77.0.11".to_owned(), gateway.clone()), "its reservation");
    assert_eq!(lease(&db, DB), ("10.77.0.100".to_owned(), gateway), "the lowest of the range");
    assert_eq!(lease(&cache, CACHE).0, "10.77.0.101", "the next one");
    assert_eq!(lease(&alone, CELL), ("10.78.0.100".to_owned(), None), "no way out of an isolated network");
    wait_for(SOON, "a ping to the other host", || web.pings("10.77.0.100", NEVER).then_some(()));
    println!("the first ping after {:?}", begin.elapsed());

    // What goes out is translated, on both hosts, by TCP and UDP.
    serve(web.namespace(), 7777).unwrap();
    serve(db.namespace(), 7777).unwrap();
    for guest in [&web, &db] {
        wait_for(SOON, "a way out", || guest.pings(SERVER, NEVER).then_some(()));
        for how in [Transport::Tcp, Transport::Udp] {
            assert_eq!(seen_as(guest.asks(how, SERVER, 7777, SOON)), Some(ip(GATEWAY)), "{how}");
        }
    }
    // A static route leads to a guest, and what is behind it.
    web.netns.run(|| run("ip", &["address", "add", "10.99.0.1/32", "dev", "lo"]));
    assert!(db.pings("10.99.0.1", SOON), "a static route");
    web.netns.run(|| run("ip", &["route", "add", SERVER, "via", "10.77.0.1", "src", "10.99.0.1"]));
    outside_knows(&lab, "10.99.0.0/16");
    assert!(!web.pings(SERVER, NEVER), "what is behind a guest does not leave, translated or not");
    web.netns.run(|| run("ip", &["route", "del", SERVER]));
    assert!(!lab.outside.pings("10.99.0.1", NEVER), "nor is it reached");
    // A forward leads in; nothing else does, even past the translation.
    let outside = &lab.outside;
    assert_eq!(seen_as(outside.asks(Transport::Tcp, GATEWAY, 8080, SOON)), Some(ip(SERVER)), "the forward");
    outside_knows(&lab, "10.77.0.0/24");
    for (how, to, port) in
        [(Transport::Tcp, "10.77.0.100", 7777), (Transport::Udp, "10.77.0.100", 7777), (Transport::Tcp, GATEWAY, 7777)]
    {
        assert_eq!(seen_as(outside.asks(how, to, port, NEVER)), None, "{how} to {to} comes in unasked");
    }
    assert!(!outside.pings("10.77.0.11", NEVER), "a ping comes in unasked");
    // Networks are apart.
    assert!(!alone.pings(SERVER, NEVER) && !web.pings("10.78.0.100", NEVER));
    println!("the promises after {:?}", begin.elapsed());

    // A change by hand is seen on any host, and repaired by any.
    let acls = lab.central.nbctl(&["--bare", "--columns=_uuid", "find", "acl", "action=drop"]);
    let acl = acls.split_whitespace().next().unwrap();
    lab.central.nbctl(&["set", "acl", acl, "action=allow"]);
    let drifted = two.vnet(&["diff", "lab"], "");
    assert_eq!(code(&drifted), Some(1), "{drifted:?}");
    let drifted: Value = serde_json::from_slice(&drifted.stdout).unwrap();
    as_its_schema_says("changes", &drifted);
    assert!(drifted.to_string().contains(r#""before":{"action":"\"allow\""}"#), "{drifted}");
    let status = one.does(&["status", "lab"], "");
    as_its_schema_says("status", &status);
    assert_eq!(status["ovn"][0]["state"], "drifted", "{status}");
    assert_eq!(code(&one.vnet(&["start", "lab"], "")), Some(1), "a start changes nothing that runs");
    assert_eq!(rows(&two.does(&["apply", "lab"], "")), 1);
    // So is the port of a guest, on the host that has the guest.
    let its = format!("external_ids:vnet-mac=\"{DB}\"");
    let port = lab.central.nbctl(&["--bare", "--columns=name", "find", "Logical_Switch_Port", &its]);
    lab.central.nbctl(&["lsp-del", port.trim()]);
    assert_eq!(code(&two.vnet(&["diff", "lab"], "")), Some(1));
    assert_eq!(two.does(&["status", "lab"], "")["ovn"][0]["state"], "drifted");
    assert!(rows(&two.does(&["apply", "lab"], "")) > 0);
    wait_for(SOON, "a ping to the guest", || web.pings("10.77.0.100", NEVER).then_some(()));
    assert_eq!(lease(&db, DB).0, "10.77.0.100", "its address");
    ports::are_listed_as_ovn_has_them(&lab);
    // A port that an attach has left when it was killed goes, and only on its host.
    let mut killed = OvnGuest::new(Uuid([9; 16]), "52:54:00:00:00:09".parse().unwrap());
    killed.chassis = Some("h2".to_owned());
    OvnNetwork::open(&definition.parse().unwrap()).unwrap().put_guest(killed).unwrap();
    assert_eq!(one.does(&["gc"], "")["ovn_ports"], json!([]));
    let gone = two.does(&["gc"], "");
    as_its_schema_says("gc", &gone);
    assert_eq!(gone["ovn_ports"], json!([Uuid([9; 16]).to_string()]));
    assert_eq!(two.does(&["gc"], "")["ovn_ports"], json!([]));
    let status = one.does(&["status", "lab"], "");
    assert_eq!((&status["ovn"][0]["state"], &status["ovn"][0]["ports"][0]["up"]), (&"in-sync".into(), &true.into()));

    // The gateway moves to the other host under traffic.
    let moved = nat(&lab, &["h2", "h1"], 200);
    let (central, has_moved) = (&lab.central, AtomicBool::new(false));
    assert_eq!(gateway_of(central), gateway_host(central, "h1"));
    let gap = thread::scope(|scope| {
        let traffic = scope.spawn(|| longest_gap(&db, &has_moved));
        one.does(&["apply", "-"], &moved);
        wait_for(SOON, "the gateway", || (gateway_of(central) == gateway_host(central, "h2")).then_some(()));
        wait_for(SOON, "a way out", || cache.pings(SERVER, NEVER).then_some(()));
        has_moved.store(true, Ordering::Relaxed);
        traffic.join().unwrap()
    });
    println!("moving the gateway interrupted traffic for {gap:?}");
    assert_eq!(seen_as(web.asks(Transport::Tcp, SERVER, 7777, SOON)), Some(ip(GATEWAY)));
    two.does(&["define", "-"], &moved);

    // A host dies. Its guest is attached elsewhere, and has the same address.
    println!("a host dies after {:?}", begin.elapsed());
    drop(web);
    lab.hosts[0].kill();
    // Otherwise everybody waits for it.
    lab.central.sbctl(&["chassis-del", "h1"]);
    let [_, two, three] = &lab.hosts[..] else { unreachable!() };
    let web = two.guest("lab", "web", WEB, "");
    assert_eq!(lease(&web, WEB).0, "10.77.0.11");
    wait_for(SOON, "a ping", || db.pings("10.77.0.11", NEVER).then_some(()));
    assert_eq!(seen_as(web.asks(Transport::Tcp, SERVER, 7777, SOON)), Some(ip(GATEWAY)));
    println!("the guest is back after {:?}", begin.elapsed());

    // Nothing of ours is left, and what others have made is.
    drop((web, db, cache, alone));
    for host in [two, three] {
        for port in host.does(&["ports"], "")["ports"].as_array().unwrap() {
            host.does(&["detach", port["name"].as_str().unwrap()], "");
        }
    }
    assert_eq!(two.does(&["status", "lab"], "")["ovn"][0]["ports"], serde_json::json!([]));
    two.does(&["stop", "lab", "cell"], "");
    assert_eq!(code(&two.vnet(&["stop", "lab"], "")), Some(1), "it does not run any more");
    assert_eq!(lab.central.nbctl(&["show"]), before);
    for table in ["DHCP_Options", "DNS", "Port_Group", "Load_Balancer", "Logical_Router", "ACL", "NAT"] {
        assert_eq!(lab.central.nbctl(&["--bare", "list", table]), "", "{table}");
    }
    println!("the end after {:?}", begin.elapsed());
}

#[test]
fn a_gateway_is_one_of_a_group() {
    isolate!();
    let lab = OvnLab::start(Path::new("/run/lab"), 2);
    let definition = nat(&lab, &[], 200).replace("</vnet:outside>", "<vnet:gateway group='edge'/></vnet:outside>");
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    let refused = |why: &str| {
        let output = one.vnet(&["start", "-"], &definition);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains("ha-chassis-group-add edge"), "{why}: {told}");
    };
    refused("there is no group");
    lab.central.nbctl(&["ha-chassis-group-add", "edge"]);
    refused("the group has no hosts");
    lab.central.nbctl(&["ha-chassis-group-add-chassis", "edge", "h1", "20"]);
    lab.central.nbctl(&["ha-chassis-group-add-chassis", "edge", "h2", "10"]);
    for host in [one, two] {
        host.does(&["define", "-"], &definition);
    }
    one.does(&["start", "lab"], "");
    assert_eq!(rows(&two.does(&["diff", "lab"], "")), 0);
    let db = two.guest("lab", "db", DB, "");
    lease(&db, DB);
    wait_for(SOON, "a way out", || db.pings(SERVER, NEVER).then_some(()));
    assert_eq!(gateway_of(&lab.central), gateway_host(&lab.central, "h1"));
    // Who changes the group moves the gateway of every network that names it.
    lab.central.nbctl(&["ha-chassis-group-add-chassis", "edge", "h2", "30"]);
    let is_moved = || gateway_of(&lab.central) == gateway_host(&lab.central, "h2");
    wait_for(SOON, "the gateway", || is_moved().then_some(()));
    wait_for(SOON, "a way out", || db.pings(SERVER, NEVER).then_some(()));
    assert_eq!(rows(&one.does(&["diff", "lab"], "")), 0, "the group's hosts are not the network's");
    one.does(&["stop", "lab"], "");
    assert!(lab.central.nbctl(&["ha-chassis-group-list"]).contains("edge"));
}

/// The host that the gateway is on.
fn gateway_of(central: &OvnCentral) -> String {
    central.sbctl(&["--bare", "--columns=chassis", "find", "Port_Binding", "type=chassisredirect"]).trim().to_owned()
}

fn gateway_host(central: &OvnCentral, name: &str) -> String {
    central.sbctl(&["--bare", "--columns=_uuid", "find", "Chassis", &format!("name={name}")]).trim().to_owned()
}

/// The longest time without an answer from outside, until traffic has an end.
fn longest_gap(guest: &Machine, has_end: &AtomicBool) -> Duration {
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        let has_ended = has_end.load(Ordering::Relaxed);
        if guest.pings(SERVER, Duration::from_millis(100)) {
            longest = longest.max(last.elapsed());
            last = Instant::now();
            if has_ended {
                return longest;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}
