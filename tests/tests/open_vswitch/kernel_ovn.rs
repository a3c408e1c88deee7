//! OVN on two hosts whose frames the kernel carries: each has a datapath of its own, with Geneve
//! between them, and the kernel tracks and translates connections.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use vnet_lab::dns::{Kind, Question, Record};
use vnet_lab::probe::{Outcome, Transport, serve};
use vnet_tests::{OvnHost, OvnLab, isolate, json, run, wait_for};

use super::SOON;

const SERVER: &str = "203.0.113.1";
const GATEWAY: &str = "203.0.113.10";
const WEB: &str = "52:54:00:00:00:01";
const DB: &str = "52:54:00:00:00:02";
/// What does not come in this time does not come.
const NEVER: Duration = Duration::from_secs(1);

fn definition(lab: &OvnLab) -> String {
    format!(
        "<network><name>lab</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:portForward proto='tcp' guest='web'><vnet:range start='8080' to='7777'/></vnet:portForward>\
         <vnet:ovn northbound='{}'><vnet:outside network='physical'>\
         <vnet:address address='{GATEWAY}' prefix='24' gateway='{SERVER}'/><vnet:gateway chassis='h1'/></vnet:outside>\
         </vnet:ovn></vnet:network></metadata><forward mode='nat'/><domain name='lab.example'/>\
         <dns><txt name='about.lab.example' value='a text'/></dns>\
         <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/>\
         <host mac='{WEB}' name='web' ip='10.77.0.11'/></dhcp></ip></network>",
        lab.central.remote()
    )
}

fn seen_as(outcome: Outcome) -> Option<String> {
    if let Outcome::SeenAs(peer, _) = outcome { Some(peer.ip().to_string()) } else { None }
}

/// The flows that the kernel has for a host.
fn flows(host: &OvnHost) -> String {
    let target = format!("--target=/run/lab/{}/switch.ctl", host.name);
    run("ovs-appctl", &[&target, "dpctl/dump-flows", "system@ovs-system"])
}

#[test]
#[ignore = "needs the modules openvswitch and geneve: runs in cargo xtask vm"]
fn a_network_of_ovn_lives_on_two_hosts() {
    isolate!();
    let lab = OvnLab::start_in_kernel(Path::new("/run/lab"), 2);
    serve(lab.outside.namespace(), 7777).unwrap();
    let before = lab.central.nbctl(&["show"]);
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    let definition = definition(&lab);
    for host in [one, two] {
        host.does(&["define", "-"], &definition);
    }
    one.does(&["start", "lab"], "");
    let (web, db) = (one.guest("lab", "web", WEB, ""), two.guest("lab", "db", DB, ""));
    assert_eq!(web.lease(WEB).address.to_string(), "10.77.0.11");
    let lease = db.lease(DB);
    assert_eq!(lease.address.to_string(), "10.77.0.100");

    // From guest to guest, to the host's name server, out by the other host, and in.
    wait_for(SOON, "a ping to the other host", || db.pings("10.77.0.11", NEVER).then_some(()));
    let question = Question { name: "about.lab.example".to_owned(), kind: Kind::Txt };
    let server = IpAddr::from(lease.server.unwrap());
    let asked = db.netns.run(|| question.ask(server, Instant::now() + SOON)).unwrap();
    assert_eq!(asked, Some(vec![Record::Text(b"a text".to_vec())]));
    serve(web.namespace(), 7777).unwrap();
    for guest in [&web, &db] {
        wait_for(SOON, "a way out", || guest.pings(SERVER, NEVER).then_some(()));
        for how in [Transport::Tcp, Transport::Udp] {
            assert_eq!(seen_as(guest.asks(how, SERVER, 7777, SOON)).as_deref(), Some(GATEWAY), "{how}");
        }
    }
    assert_eq!(seen_as(lab.outside.asks(Transport::Tcp, GATEWAY, 8080, SOON)).as_deref(), Some(SERVER));
    lab.outside.netns.run(|| run("ip", &["route", "add", "10.77.0.0/24", "via", GATEWAY]));
    assert_eq!(seen_as(lab.outside.asks(Transport::Tcp, "10.77.0.11", 7777, NEVER)), None, "it comes in unasked");

    // It was the kernel that did it, for each host by itself.
    for host in [one, two] {
        let (tunnel, switch) = host.netns.run(|| {
            let kind = |dev: &str| json("ip", &["-j", "-d", "link", "show", dev])[0]["linkinfo"]["info_kind"].clone();
            (kind("genev_sys_6081"), kind("ovs-system"))
        });
        assert_eq!((tunnel, switch), ("geneve".into(), "openvswitch".into()));
        // Flows that nobody uses go after some seconds.
        let sends = || db.pings("10.77.0.11", NEVER) && flows(host).contains("set(tunnel(");
        wait_for(SOON, "a flow into the tunnel", || sends().then_some(()));
    }
    let tracked = one.netns.run(|| fs::read_to_string("/proc/thread-self/net/nf_conntrack").unwrap());
    let is_translated =
        |line: &str| line.contains("src=10.77.0.100 dst=203.0.113.1 ") && line.contains("dst=203.0.113.10 ");
    assert!(tracked.lines().any(is_translated), "{tracked}");

    assert_eq!(one.does(&["status", "lab"], "")["ovn"][0]["state"], "in-sync");
    let doctor = two.does(&["doctor", "lab"], "");
    assert_eq!(doctor["cause"], serde_json::Value::Null, "{doctor}");
    drop((web, db));
    for host in [one, two] {
        let dev = host.does(&["ports"], "")["ports"][0]["name"].as_str().unwrap().to_owned();
        host.does(&["detach", &dev], "");
    }
    one.does(&["stop", "lab"], "");
    assert_eq!(lab.central.nbctl(&["show"]), before);
}
