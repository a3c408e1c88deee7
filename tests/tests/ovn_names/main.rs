//! Names on networks of OVN: what OVN's own records cannot have is answered by the name server that
//! each host runs for its guests.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::{Value, json};
use vnet_lab::dhcp4::Client;
use vnet_lab::dns::{Kind, Question, Record};
use vnet_lab::probe::{Outcome, Transport, serve};
use vnet_tests::{Machine, OvnHost, OvnLab, as_its_schema_says, commands, isolate, run, wait_for};

mod ipv6;
mod killed;

const SOON: Duration = Duration::from_secs(10);
/// What does not come in this time does not come.
const NEVER: Duration = Duration::from_millis(500);
const WEB: &str = "52:54:00:00:00:01";
const DB: &str = "52:54:00:00:00:02";
const SERVER: &str = "10.77.0.254";
/// The addresses of the host's own server, and of the one of a domain.
const RESOLVERS: [(&str, &str, &str); 2] =
    [("127.0.0.53", "outside.example", "203.0.113.7"), ("127.0.0.54", "corp.example", "192.0.2.7")];

/// A name server of a host. It ends with the value.
struct Resolver(Child);

impl Resolver {
    fn start(host: &OvnHost, (at, name, address): (&str, &str, &str)) -> Self {
        let mut dnsmasq = Command::new("dnsmasq");
        dnsmasq.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--user=",
            "--group=",
        ]);
        dnsmasq.args(["--bind-interfaces", "--pid-file", "--log-facility=/dev/null", "--address=/#/"]);
        dnsmasq.args([
            format!("--listen-address={at}"),
            format!("--host-record={name},{address}"),
            format!("--local=/{name}/"),
        ]);
        dnsmasq.stdout(Stdio::null()).stderr(Stdio::null());
        Self(host.netns.run(|| dnsmasq.spawn().expect("dnsmasq is installed")))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn network(lab: &OvnLab) -> String {
    format!(
        "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>lab</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='{}'><vnet:outside network='physical'>\
         <vnet:address address='203.0.113.10' prefix='24' gateway='203.0.113.1'/><vnet:gateway chassis='h1'/></vnet:outside>\
         </vnet:ovn></vnet:network></metadata><forward mode='nat'/><domain name='lab.example' localOnly='yes'/>\
         <dns><forwarder domain='corp.example' addr='127.0.0.54'/><txt name='about.lab.example' value='a text'/>\
         <srv service='ldap' protocol='tcp' domain='lab.example' target='git.lab.example' port='389' priority='1' weight='2'/>\
         <host ip='10.77.0.9'><hostname>git</hostname></host></dns>\
         <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.200'/></dhcp></ip>\
         <dnsmasq:options><dnsmasq:option value='address=/apps.lab.example/10.77.0.9'/></dnsmasq:options></network>",
        lab.central.remote()
    )
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Gets a lease and uses it. Guests are told the name server of their host.
fn lease(guest: &Machine, mac: &str) {
    let client = Client { mac: mac.parse().unwrap(), hostname: "guest".to_owned() };
    let card = Machine::card();
    let ask = || guest.netns.run(|| client.lease(&card, Instant::now() + Duration::from_secs(2)).unwrap());
    let lease = wait_for(SOON, "a lease", ask);
    assert_eq!(lease.server.map(IpAddr::from), Some(ip(SERVER)));
    guest.address(&format!("{}/24", lease.address));
    guest.gateway(&lease.router.unwrap().to_string());
}

fn ask(guest: &Machine, how: Transport, name: &str, kind: Kind, time: Duration) -> Option<Vec<Record>> {
    ask_at(guest, SERVER, how, name, kind, time)
}

fn ask_at(
    guest: &Machine,
    server: &str,
    how: Transport,
    name: &str,
    kind: Kind,
    time: Duration,
) -> Option<Vec<Record>> {
    let question = Question { name: name.to_owned(), kind };
    let deadline = Instant::now() + time;
    let ask = || match how {
        Transport::Udp => question.ask(ip(server), deadline),
        Transport::Tcp => question.ask_by_tcp(ip(server), deadline),
    };
    guest.netns.run(|| ask().unwrap())
}

fn is_answered(guest: &Machine) {
    is_answered_at(guest, SERVER);
}

/// Asks for all that the network promises, over both protocols.
fn is_answered_at(guest: &Machine, server: &str) {
    let service = Record::Service { priority: 1, weight: 2, port: 389, target: "git.lab.example".to_owned() };
    for how in [Transport::Udp, Transport::Tcp] {
        for (name, kind, expected) in [
            ("git.lab.example", Kind::A, Some(Record::Address(ip("10.77.0.9")))),
            ("git", Kind::A, Some(Record::Address(ip("10.77.0.9")))),
            ("git.lab.example", Kind::Aaaa, None),
            ("any.apps.lab.example", Kind::A, Some(Record::Address(ip("10.77.0.9")))),
            ("nobody.lab.example", Kind::A, None),
            ("about.lab.example", Kind::Txt, Some(Record::Text(b"a text".to_vec()))),
            ("_ldap._tcp.lab.example", Kind::Srv, Some(service.clone())),
            ("corp.example", Kind::A, Some(Record::Address(ip("192.0.2.7")))),
            ("outside.example", Kind::A, Some(Record::Address(ip("203.0.113.7")))),
        ] {
            let found = ask_at(guest, server, how, name, kind, SOON);
            assert_eq!(found, Some(expected.into_iter().collect()), "{name} over {how} at {server}");
        }
    }
}

fn reaches(guest: &Machine, to: &str, port: u16) -> bool {
    [Transport::Tcp, Transport::Udp].iter().any(|how| {
        let ask = || how.ask(SocketAddr::new(ip(to), port), Instant::now() + NEVER);
        matches!(guest.netns.run(|| ask().unwrap_or(Outcome::Silence)), Outcome::SeenAs(..))
    })
}

fn folder(host: &OvnHost) -> PathBuf {
    Path::new("/run/lab").join(&host.name).join("vnet/@ovn/lab")
}

fn pid(host: &OvnHost, file: &str) -> Option<Pid> {
    fs::read_to_string(folder(host).join(file)).ok()?.trim().parse().ok().map(Pid::from_raw)
}

/// What a name server has on a host: its links, its port of Open vSwitch, and processes.
fn left(host: &OvnHost) -> Vec<String> {
    let links = host.netns.run(|| run("ip", &["-oneline", "link"]));
    let ports = host.switch.as_ref().unwrap().vsctl(&["list-ports", "br-int"]);
    let ours = |text: String| {
        text.lines()
            .filter(|line| line.contains("vdns") || line.contains("vres"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut left = [ours(links), ours(ports)].concat();
    let lines = commands().map(|command| command.replace('\0', " "));
    left.extend(lines.filter(|line| line.contains(&*folder(host).to_string_lossy())));
    left.extend(folder(host).exists().then(|| "its folder".to_owned()));
    left
}

fn cluster() -> (OvnLab, [Vec<Resolver>; 2]) {
    cluster_with(network)
}

fn cluster_with(network: impl Fn(&OvnLab) -> String) -> (OvnLab, [Vec<Resolver>; 2]) {
    let lab = OvnLab::start(Path::new("/run/lab"), 2);
    fs::remove_file("/etc/resolv.conf").or_else(|_| fs::metadata("/etc").map(drop)).unwrap();
    fs::write("/etc/resolv.conf", "nameserver 127.0.0.53\n").unwrap();
    let resolvers = [0, 1].map(|host| RESOLVERS.map(|it| Resolver::start(&lab.hosts[host], it)).into());
    let definition = network(&lab);
    for host in &lab.hosts {
        host.does(&["define", "-"], &definition);
    }
    lab.hosts[0].does(&["start", "lab"], "");
    (lab, resolvers)
}

fn name_server(host: &OvnHost) -> Value {
    let status = host.does(&["status", "lab"], "");
    as_its_schema_says("status", &status);
    status["ovn"][0]["name_server"].clone()
}

#[test]
fn each_host_answers_its_guests() {
    isolate!();
    let begin = Instant::now();
    let (lab, _resolvers) = cluster();
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    assert_eq!((name_server(one), left(one)), (Value::Null, Vec::new()), "no guest is here");
    let (web, db) = (one.guest("lab", "web", WEB, ""), two.guest("lab", "db", DB, ""));
    println!("attached after {:?}", begin.elapsed());
    for (guest, mac) in [(&web, WEB), (&db, DB)] {
        lease(guest, mac);
        is_answered(guest);
    }
    println!("answered after {:?}", begin.elapsed());
    assert_eq!(name_server(one), "in-sync");
    // A guest that has an IPv4 address only has no other one, as each host knows that was changed
    // since.
    one.does(&["apply", "lab"], "");
    for how in [Transport::Udp, Transport::Tcp] {
        for guest in [&web, &db] {
            assert_eq!(ask(guest, how, "web", Kind::Aaaa, SOON), Some(Vec::new()));
            assert_eq!(
                ask(guest, how, "web.lab.example", Kind::A, SOON),
                Some(vec![Record::Address(ip("10.77.0.100"))])
            );
        }
        assert_eq!(ask(&web, how, "db", Kind::Aaaa, SOON), Some(Vec::new()));
    }

    // Nothing else of the host is reached, not even past the relay.
    serve(one.netns.namespace(), 7777).unwrap();
    let addresses = one.netns.run(|| run("ip", &["-oneline", "-4", "address"]));
    let line = addresses.lines().find(|line| line.contains("vres")).unwrap();
    let own = line.split_whitespace().find_map(|word| word.strip_suffix("/30")).unwrap();
    assert!(one.netns.run(|| reaches_itself(own)), "the server answers on the host");
    web.netns.run(|| run("ip", &["route", "add", &format!("{own}/32"), "via", SERVER]));
    // The host would answer, if the relay forwarded packets.
    let peer = addresses_after(own);
    one.netns.run(|| run("ip", &["route", "add", "10.77.0.0/24", "via", &peer]));
    assert!(!reaches(&web, SERVER, 7777));
    assert!(!reaches(&web, own, 7777));
    forward(one, "1");
    assert!(reaches(&web, own, 7777), "this test sees what is forwarded");
    forward(one, "0");
    assert!(!reaches(&web, own, 7777));
    let question = Question { name: "git".to_owned(), kind: Kind::Txt };
    let past = web.netns.run(|| question.ask(ip(own), Instant::now() + NEVER));
    assert_eq!(past.unwrap_or_default(), None, "the host's end answers the relay alone");

    // The last guest of a host takes its name server along.
    drop(db);
    for port in two.does(&["ports"], "")["ports"].as_array().unwrap() {
        two.does(&["detach", port["name"].as_str().unwrap()], "");
    }
    assert_eq!(left(two), Vec::<String>::new());
    is_answered(&web);
    // So does a stop.
    let stopped = one.does(&["stop", "lab"], "");
    as_its_schema_says("changes", &stopped);
    assert_eq!(left(one), Vec::<String>::new());
    println!("the end after {:?}", begin.elapsed());
}

/// A start that a hook refuses leaves nothing, also where guests were there before.
#[test]
fn a_refused_start_leaves_no_name_server() {
    isolate!();
    let (lab, _resolvers) = cluster();
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    let _web = one.guest("lab", "web", WEB, "");
    two.does(&["stop", "lab"], "");
    assert!(!left(one).is_empty(), "one host does not remove what another has");
    let hooks = folder(one).parent().unwrap().with_file_name("@definitions/hooks");
    fs::create_dir_all(&hooks).unwrap();
    let mut hook = OpenOptions::new().write(true).create_new(true).mode(0o755).open(hooks.join("network")).unwrap();
    hook.write_all(b"#!/bin/sh\n[ $2 != started ]\n").unwrap();
    drop(hook);
    let refused = one.vnet(&["start", "lab"], "");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("is stopped again"), "{said}");
    assert_eq!(left(one), Vec::<String>::new());
    assert_eq!(lab.central.nbctl(&["show"]), "");
}

/// The address after another.
fn addresses_after(address: &str) -> String {
    let address: Ipv4Addr = address.parse().unwrap();
    Ipv4Addr::from_bits(address.to_bits() + 1).to_string()
}

/// Lets the relay of a host forward packets, or not.
fn forward(host: &OvnHost, value: &str) {
    let namespace = format!("--net=/proc/{}/ns/net", pid(host, "relay.pid").unwrap());
    let script = format!("echo {value} > /proc/sys/net/ipv4/conf/all/forwarding");
    run("nsenter", &[&namespace, "sh", "-c", &script]);
}

fn reaches_itself(own: &str) -> bool {
    let outcome = Transport::Tcp.ask(SocketAddr::new(ip(own), 7777), Instant::now() + SOON);
    matches!(outcome, Ok(Outcome::SeenAs(..)))
}

/// What ends on a host is seen as drift, and comes back by an apply.
#[rstest]
#[case::relay("relay.pid")]
#[case::server("dnsmasq.pid")]
fn a_killed_name_server_comes_back(#[case] file: &str) {
    isolate!();
    let (lab, _resolvers) = cluster();
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    let web = one.guest("lab", "web", WEB, "");
    lease(&web, WEB);
    assert!(ask(&web, Transport::Udp, "outside.example", Kind::A, SOON).is_some());
    kill(pid(one, file).unwrap(), Signal::SIGKILL).unwrap();
    wait_for(SOON, "drift", || (name_server(one) == "drifted").then_some(()));
    let drifted = one.vnet(&["diff", "lab"], "");
    let changes: Value = serde_json::from_slice(&drifted.stdout).unwrap();
    as_its_schema_says("changes", &changes);
    assert_eq!((drifted.status.code(), changes["ovn"]["changes"].clone()), (Some(1), json!([])), "{changes}");
    one.does(&["apply", "lab"], "");
    assert_eq!(name_server(one), "in-sync");
    wait_for(SOON, "an answer", || ask(&web, Transport::Tcp, "corp.example", Kind::A, NEVER));
    is_answered(&web);

    // Another host has stopped the network: what is left here is taken away by gc.
    two.does(&["stop", "lab"], "");
    assert!(!left(one).is_empty());
    let gone = one.does(&["gc"], "");
    as_its_schema_says("gc", &gone);
    assert_eq!(gone["name_servers"], json!(["lab"]));
    assert_eq!(left(one), Vec::<String>::new());
}
