//! Containers on networks of OVN, on several hosts: each has its own folder of state.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vnet_lab::dns::{Kind, Question, Record};
use vnet_tests::{NamedNetns, Netns, OvnHost, OvnLab, isolate, json as ip_json, run, tell, wait_for};

use super::{Plugin, define, merged};

const LAB: &str = "/run/lab";
const SOON: Duration = Duration::from_secs(10);
const SERVER: &str = "203.0.113.1";
const VM: &str = "52:54:00:00:00:01";
/// A call is killed at each of so many.
const STEP: usize = 5;
/// The system calls by which a process changes something.
const CALLS: &str = "sendto,sendmsg,write,?rename,?renameat,renameat2";

/// A network with a way out by the host `gateway`, or without one. OVN itself has no records of its
/// type.
fn network(lab: &OvnLab, gateway: Option<&str>) -> String {
    let outside = gateway.map(|gateway| {
        format!(
            "<vnet:outside network='physical'><vnet:address address='203.0.113.10' prefix='24' gateway='{SERVER}'/>\
             <vnet:gateway chassis='{gateway}'/></vnet:outside>"
        )
    });
    format!(
        "<network><name>lab</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='{}'>{}</vnet:ovn></vnet:network></metadata>{}<domain name='lab.test'/><dns><txt name='about.lab.test' value='a text'/></dns>\
         <ip address='10.77.0.1' prefix='24'><dhcp><range start='10.77.0.100' end='10.77.0.102'/>\
         <host mac='{VM}' name='web' ip='10.77.0.11'/></dhcp></ip></network>",
        lab.central.remote(),
        outside.as_deref().unwrap_or_default(),
        if gateway.is_some() { "<forward mode='nat'/>" } else { "" },
    )
}

/// A host of the laboratory as a runtime of containers sees it.
struct Host<'l> {
    netns: &'l Netns,
    name: &'l str,
    plugin: Plugin,
}

impl<'l> Host<'l> {
    fn of(host: &'l OvnHost) -> Self {
        fs::create_dir_all(Path::new(LAB).join(&host.name).join("state")).unwrap();
        fs::create_dir_all("/run/vnet").unwrap();
        let base = json!({ "cniVersion": "1.1.0", "name": "blue", "type": "vnet-cni", "network": "lab" });
        Self { netns: &host.netns, name: &host.name, plugin: Plugin { base, ..Plugin::ours() } }
    }

    fn folder(&self) -> PathBuf {
        Path::new(LAB).join(self.name)
    }

    /// A program with this host's folders, before which others may stand.
    fn command(&self, before: &[&str], program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /run/vnet && exec \"$@\""]);
        command.arg(self.folder().join("state")).args(before).arg(program);
        command.env("OVS_RUNDIR", self.folder()).env("OVN_RUNDIR", self.folder());
        command
    }

    fn ends(&self, before: &[&str], verb: &str, container: &str, more: &Value) -> Output {
        let mut command = self.command(before, &self.plugin.folder.join("vnet-cni"));
        command.envs(self.plugin.variables(verb, container));
        // The names of namespaces are mounts, which a host does not see.
        let namespace = File::open(format!("/run/netns/{container}")).ok();
        if let Some(namespace) = &namespace {
            command.env("CNI_NETNS", format!("/proc/{}/fd/{}", process::id(), namespace.as_raw_fd()));
        }
        let input = merged(&self.plugin.base, more).to_string();
        self.netns.run(|| tell(command, &input))
    }

    fn done(&self, verb: &str, container: &str, more: &Value) -> Value {
        let output = self.ends(&[], verb, container, more);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{verb} {container} on {}: {text}", self.name);
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The code of the error and its words.
    fn fails(&self, verb: &str, container: &str, more: &Value) -> (u64, String) {
        let output = self.ends(&[], verb, container, more);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success(), "{verb} {container} on {} succeeds", self.name);
        let error: Value = serde_json::from_str(&text).unwrap();
        (error["code"].as_u64().unwrap(), format!("{} {}", error["msg"], error["details"]))
    }

    fn vnet(&self, arguments: &[&str]) -> String {
        let mut command = self.command(&[], &vnet_tests::vnet());
        let output = self.netns.run(|| command.args(arguments).output().unwrap());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What this host has of containers and of the name server for them: links, ports of Open
    /// vSwitch, receipts, processes.
    fn has(&self) -> Vec<String> {
        let is_ours = |name: &String| ["veth", "vdns", "vres"].iter().any(|word| name.starts_with(word));
        let mut has = self.links();
        has.extend(self.vsctl(&["list-ports", "br-int"]).lines().map(str::to_owned));
        let receipts = fs::read_dir(self.folder().join("state/@ports")).into_iter().flatten().flatten();
        has.extend(receipts.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        has.retain(is_ours);
        has.extend(self.folder().join("state/@ovn").exists().then(|| "@ovn".to_owned()));
        has.extend(self.name_server().into_iter().map(|pid| format!("dnsmasq {pid}")));
        has
    }

    fn links(&self) -> Vec<String> {
        let links = self.netns.run(|| ip_json("ip", &["-j", "link"]));
        links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
    }

    /// Its processes, which see its folder as theirs.
    fn name_server(&self) -> Vec<Pid> {
        let identity = |path: PathBuf| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
        let own = identity(self.folder().join("state"));
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|process| process.path());
        let is_it = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).next().unwrap().ends_with(b"/dnsmasq")
                && identity(process.join("root/run/vnet")) == own
        };
        let found = processes.filter(is_it);
        found.map(|process| Pid::from_raw(process.file_name().unwrap().to_str().unwrap().parse().unwrap())).collect()
    }

    /// Kills its name server. The links go a moment later.
    fn loses_its_name_server(&self) {
        let processes = self.name_server();
        assert_eq!(processes.len(), 2, "{processes:?}");
        processes.iter().for_each(|pid| kill(*pid, Signal::SIGKILL).unwrap());
        let is_left = || self.links().iter().any(|link| link.starts_with("vdns"));
        wait_for(SOON, "the end of the links", || (!is_left()).then_some(()));
    }

    fn vsctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.folder().join("db.sock").display());
        run("ovs-vsctl", &[&[&*database, "--timeout=20"], arguments].concat())
    }
}

/// The addresses of the ports that the northbound database has of containers and guests.
fn rows(lab: &OvnLab) -> Vec<String> {
    let guests = ["--bare", "--columns=addresses", "find", "Logical_Switch_Port", "external_ids:vnet-guest!=\"\""];
    let text = lab.central.nbctl(&guests);
    let mut rows: Vec<_> = text.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect();
    rows.sort();
    rows
}

fn pings(from: &str, to: &str) -> bool {
    let namespace = format!("--net=/run/netns/{from}");
    let ping = ["ping", "-c1", "-W1", "-q", to];
    Command::new("nsenter").arg(namespace).args(ping).output().unwrap().status.success()
}

fn reaches(from: &str, to: &str) {
    wait_for(SOON, &format!("a ping from {from} to {to}"), || pings(from, to).then_some(()));
}

/// Asks the name server of a container's result for what only that has, over UDP and TCP.
fn is_answered(container: &NamedNetns, result: &Value) {
    let server = result["dns"]["nameservers"][0].as_str().unwrap().parse().unwrap();
    let question = Question { name: "about.lab.test".to_owned(), kind: Kind::Txt };
    let expected = Some(vec![Record::Text(b"a text".to_vec())]);
    let soon = || Instant::now() + SOON;
    assert_eq!(container.run(|| question.ask(server, soon()).unwrap()), expected);
    assert_eq!(container.run(|| question.ask_by_tcp(server, soon()).unwrap()), expected);
}

/// What a result says of a container's interface.
fn eth0(result: &Value) -> &Value {
    result["interfaces"].as_array().unwrap().iter().find(|it| it["name"] == "eth0").unwrap()
}

fn address(result: &Value) -> &str {
    result["ips"][0]["address"].as_str().unwrap().trim_end_matches("/24")
}

/// The port of Open vSwitch of a container.
fn dev(result: &Value) -> String {
    let interfaces = result["interfaces"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
    interfaces.clone().find(|name| name.starts_with("veth")).unwrap().to_owned()
}

#[test]
fn containers_of_several_hosts_are_on_one_network() {
    isolate!();
    let mut lab = OvnLab::start(Path::new(LAB), 3);
    let definition = network(&lab, Some("h3"));
    define(&definition);
    let [one, two, _] = &lab.hosts[..] else { unreachable!() };
    let (first, second) = (Host::of(one), Host::of(two));
    let containers = ["c1", "c2", "c3", "c4"].map(NamedNetns::new);

    // Nothing runs: the first one makes the network. The second host has only what it is told.
    first.done("STATUS", "c1", &Value::Null);
    let c1 = first.done("ADD", "c1", &Value::Null);
    let c2 = second.done("ADD", "c2", &json!({ "definition": definition }));
    assert_eq!((address(&c1), address(&c2)), ("10.77.0.100", "10.77.0.101"));
    assert_eq!(c1["ips"][0]["gateway"], "10.77.0.1");
    assert_eq!(c1["routes"], json!([{ "dst": "0.0.0.0/0", "gw": "10.77.0.1" }]));
    let dns = json!({ "nameservers": ["10.77.0.254"], "domain": "lab.test", "search": ["lab.test"] });
    assert_eq!((&c1["dns"], &eth0(&c1)["mtu"]), (&dns, &json!(1442)));
    assert_eq!(ip_json("ip", &["-n", "c1", "-j", "link", "show", "eth0"])[0]["mtu"], 1442);
    reaches("c1", "10.77.0.101");
    reaches("c2", "10.77.0.100");
    // Each host has a name server of its own.
    is_answered(&containers[0], &c1);
    is_answered(&containers[1], &c2);
    // The way back is found by translation alone.
    reaches("c1", SERVER);
    reaches("c2", SERVER);

    // Reservations, and what cannot be.
    fs::write("/tmp/vm.xml", OvnHost::interface("lab", VM, "")).unwrap();
    let vm: Value =
        serde_json::from_str(&second.vnet(&["attach", "/tmp/vm.xml", "--guest", "web", "--format", "json"])).unwrap();
    let asked = |ips: &[&str]| json!({ "runtimeConfig": { "ips": ips } });
    for (ip, words) in [("10.77.0.11", "belongs"), ("10.77.0.101", "belongs"), ("10.78.0.1", "subnet")] {
        let (code, said) = first.fails("ADD", "c3", &asked(&[ip]));
        assert!(code == 101 && said.contains(words), "{ip}: {code} {said}");
    }
    let ports = json!({ "runtimeConfig": { "portMappings": [{ "hostPort": 8080, "containerPort": 80 }] } });
    let (code, said) = first.fails("ADD", "c3", &ports);
    assert!(code == 7 && said.contains("portForward"), "{said}");
    let c3 = first.done("ADD", "c3", &asked(&["10.77.0.50"]));
    assert_eq!(address(&c3), "10.77.0.50");

    // A name server that has ended is told, and the next container brings it back.
    first.loses_its_name_server();
    let said = "the name server of network `lab` is not as it was made";
    let (code, words) = first.fails("CHECK", "c1", &json!({ "prevResult": c1 }));
    assert!(code == 104 && words.contains(said), "{words}");
    let (code, words) = first.fails("STATUS", "c1", &Value::Null);
    assert!(code == 51 && words.contains(said), "{words}");
    let c4 = first.done("ADD", "c4", &Value::Null);
    assert_eq!(address(&c4), "10.77.0.102");
    is_answered(&containers[0], &c1);
    is_answered(&containers[1], &c2);
    assert_eq!(rows(&lab), ["10.77.0.100", "10.77.0.101", "10.77.0.102", "10.77.0.11", "10.77.0.50"]);
    let (code, said) = first.fails("STATUS", "c1", &Value::Null);
    assert!(code == 50 && said.contains("10.77.0.102"), "{said}");
    assert!(first.vnet(&["ports"]).contains("c1"));

    // What others change is seen.
    let check = || first.ends(&[], "CHECK", "c1", &json!({ "prevResult": c1 }));
    let sees = |what: &str| {
        let text = String::from_utf8_lossy(&check().stdout).into_owned();
        assert!(text.contains("104") && text.contains(what), "{what}: {text}");
    };
    let is_well = || assert!(check().status.success(), "{}", String::from_utf8_lossy(&check().stdout));
    let inside = |arguments: &[&str]| _ = run("ip", &[&["-n", "c1"], arguments].concat());
    is_well();
    inside(&["route", "del", "default"]);
    sees("no route to 0.0.0.0/0");
    inside(&["address", "del", "10.77.0.100/24", "dev", "eth0"]);
    sees("address 10.77.0.100/24");
    inside(&["address", "add", "10.77.0.100/24", "dev", "eth0"]);
    inside(&["route", "add", "default", "via", "10.77.0.1"]);
    is_well();
    let id = first.vsctl(&["get", "Interface", &dev(&c1), "external_ids:iface-id"]);
    first.vsctl(&["set", "Interface", &dev(&c1), "external_ids:iface-id=other"]);
    sees(&dev(&c1));
    first.vsctl(&["set", "Interface", &dev(&c1), &format!("external_ids:iface-id={}", id.trim())]);
    wait_for(SOON, "the port", || check().status.success().then_some(()));
    let port = id.trim().trim_matches('"');
    let before = lab.central.nbctl(&["lsp-get-addresses", port]);
    lab.central.nbctl(&["lsp-set-addresses", port, "unknown"]);
    sees("Logical_Switch_Port");
    lab.central.nbctl(&["lsp-set-addresses", port, before.trim()]);
    is_well();

    // A runtime that knows of no container any more gives back those of this host.
    let none = json!({ "cni.dev/valid-attachments": [{ "containerID": "c4", "ifname": "eth0" }] });
    first.done("GC", "c1", &none);
    assert_eq!(rows(&lab), ["10.77.0.101", "10.77.0.102", "10.77.0.11"]);
    assert_eq!(first.has().iter().filter(|it| **it == dev(&c4)).count(), 3, "{:?}", first.has());
    let (code, said) = first.fails("CHECK", "c1", &json!({ "prevResult": c1 }));
    assert!(code == 3, "{said}");
    // So it is when the host has forgotten them, whether their links are there, or not, as after a
    // boot.
    let c1 = first.done("ADD", "c1", &Value::Null);
    assert_eq!(address(&c1), "10.77.0.100");
    first.netns.run(|| run("ip", &["link", "del", &dev(&c4)]));
    first.loses_its_name_server();
    fs::remove_dir_all(first.folder().join("state")).unwrap();
    fs::create_dir(first.folder().join("state")).unwrap();
    first.done("DEL", "c1", &Value::Null);
    assert!(!first.has().contains(&dev(&c1)), "{:?}", first.has());
    assert_eq!(rows(&lab), ["10.77.0.101", "10.77.0.102", "10.77.0.11"]);
    first.done("GC", "c4", &json!({ "cni.dev/valid-attachments": [] }));
    assert_eq!(rows(&lab), ["10.77.0.101", "10.77.0.11"]);
    first.vnet(&["gc"]);
    assert_eq!(first.has(), Vec::<String>::new());
    // The last one takes the name server along.
    is_answered(&containers[0], &first.done("ADD", "c1", &Value::Null));
    first.done("GC", "c1", &json!({ "cni.dev/valid-attachments": [] }));
    assert_eq!(first.has(), Vec::<String>::new());

    // Somebody has removed the receipt alone.
    let c1 = first.done("ADD", "c1", &Value::Null);
    fs::remove_file(first.folder().join(format!("state/@ports/{}/receipt", dev(&c1)))).unwrap();
    first.done("DEL", "c1", &Value::Null);
    assert_eq!((rows(&lab), first.has()), (vec!["10.77.0.101".to_owned(), "10.77.0.11".to_owned()], Vec::new()));

    // A detach needs no namespace and no definition, and may come twice.
    let place = json!({ "network": "lab", "definition": "<broken" });
    second.done("DEL", "c2", &place);
    second.done("DEL", "c2", &Value::Null);
    assert_eq!(rows(&lab), ["10.77.0.11"]);
    assert_eq!(second.name_server().len(), 2, "a guest is left");
    second.vnet(&["detach", vm["port"]["name"].as_str().unwrap()]);
    assert_eq!((rows(&lab), second.has()), (Vec::new(), Vec::new()));

    // What cannot be reached is said, and what it means.
    let controllers = fs::read_dir(second.folder()).unwrap().flatten();
    let mut names = controllers.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let socket = names.find(|name| name.starts_with("ovn-controller.") && name.ends_with(".ctl")).unwrap();
    run("kill", &["-9", socket.split('.').nth(1).unwrap()]);
    wait_for(SOON, "its end", || {
        (second.ends(&[], "STATUS", "c2", &Value::Null).status.code() != Some(0)).then_some(())
    });
    let (code, said) = second.fails("STATUS", "c2", &Value::Null);
    assert!(code == 51 && said.contains("ovn-controller of this host does not run"), "{code} {said}");
    first.done("STATUS", "c1", &Value::Null);
    lab.central.northbound.kill();
    let (code, said) = first.fails("STATUS", "c1", &Value::Null);
    assert!(code == 50 && said.contains("nb/db.sock"), "{code} {said}");
    let (code, said) = first.fails("ADD", "c1", &Value::Null);
    assert!(code == 11, "{said}");
}

/// An ADD that is killed between its changes leaves nothing after one DEL or GC, and a DEL that is
/// killed leaves nothing after another one.
#[test]
fn a_call_that_was_killed_leaves_nothing_on_ovn() {
    isolate!();
    let lab = OvnLab::start(Path::new(LAB), 1);
    define(&network(&lab, None));
    let host = Host::of(&lab.hosts[0]);
    let killed = |verb: &str, number: usize| {
        let (traced, inject) = (format!("trace={CALLS}"), format!("inject={CALLS}:signal=KILL:when={number}"));
        // Programs that it starts are let go.
        let strace = ["strace", "-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", &traced, "-e", &inject];
        host.ends(&strace, verb, "c1", &Value::Null).status.signal().is_some()
    };
    host.vnet(&["start", "lab"]);
    let none = json!({ "cni.dev/valid-attachments": [] });
    for (verb, then, input) in [("ADD", "DEL", &Value::Null), ("DEL", "DEL", &Value::Null), ("ADD", "GC", &none)] {
        let (mut deaths, mut left) = (0, 0);
        for number in (1..).step_by(STEP) {
            let container = NamedNetns::new("c1");
            if verb == "DEL" {
                host.done("ADD", "c1", &Value::Null);
            }
            let died = killed(verb, number);
            deaths += usize::from(died);
            let has_port = host.has().iter().any(|it| it.starts_with("veth"));
            left += usize::from(!rows(&lab).is_empty() && !has_port);
            // The container may be gone by then.
            let container = Some(container).filter(|_| number % 2 == 0);
            host.done(then, "c1", input);
            drop(container);
            let when = format!("{verb} killed at call {number}, then {then}");
            assert_eq!((host.has(), rows(&lab)), (Vec::new(), Vec::new()), "{when}");
            if !died {
                break;
            }
        }
        // Some left a row that no receipt told of.
        assert!(deaths > 2 && left > 0, "{verb}, then {then}: {deaths} {left}");
    }
}
