//! Ends that nobody planned: a disk that is full, a process that was killed at a bad moment, a
//! program that does not start anew. What is there afterwards is as before, or can be stopped.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use vnet_host::{Error, Header, LinuxHost, MemoryHost, Named, Namespace, Store};
use vnet_plan::{Change, Choices, HostState, Resource, Sysctl, SysctlSetting, lower};
use vnet_tests::{run, vnet};
use vnet_types::{Inventory, NetworkName};
use vnet_xml::Network;

const HOME: Namespace = Namespace::new(0, 1);
const STATE: &str = "/run/vnet";

fn lab() -> NetworkName {
    "lab".parse().expect("a name")
}

fn header() -> Header {
    Header {
        network: lab(),
        uuid: None,
        bridge: Some("virbr0".parse().expect("a name")),
        namespace: HOME,
        owner: None,
        awaits_hooks: false,
        of_libvirt: false,
    }
}

fn definition(inner: &str) -> Network {
    let text = format!(
        "<network><name>lab</name>{inner}<ip address='192.168.130.1' prefix='24'>
         <dhcp><range start='192.168.130.2' end='192.168.130.9'/></dhcp></ip></network>"
    );
    text.parse().expect("a definition without errors")
}

fn desired(inner: &str, store: &Store) -> HostState {
    let choices = Choices { directory: store.directory(&lab()), random: [1, 2, 3], bridge: None, leases: None };
    let inventory = Inventory { single_user: true, ..Inventory::default() };
    lower(&definition(inner), &inventory, &choices).expect("a sound definition").desired
}

fn forwarding(value: u32) -> MemoryHost {
    let state = [Resource::Sysctl(SysctlSetting { switch: Sysctl::Ipv4Forward, value })].into_iter().collect();
    MemoryHost { state, ..MemoryHost::default() }
}

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("vnet-crash-{}-{name}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// `vnet` where no file can grow beyond some bytes.
fn vnet_with_little_space(bytes: usize, arguments: &str) -> Output {
    let limit = format!("--fsize={bytes}");
    let mut limited = Command::new("prlimit");
    limited.args([&limit, "sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(vnet());
    limited.args(arguments.split(' ')).output().expect("prlimit is of util-linux")
}

/// A disk may be full at any byte of the receipt: in the middle of a line, between a change and the
/// note that it is made.
#[test]
fn a_full_disk_undoes_the_start_and_does_not_hinder_the_stop() {
    vnet_tests::isolate!();
    let file = "/run/lab.xml";
    fs::write(file, definition("").to_string()).expect("a file");
    let start = format!("start {file}");
    let mut refused = 0;
    for bytes in (400..12_000).step_by(389) {
        let output = vnet_with_little_space(bytes, &start);
        if !output.status.success() {
            refused += 1;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("cannot") && said.contains("File too large"), "{bytes} bytes: {said}");
        }
        if Path::new(STATE).join("lab/receipt").exists() {
            let stop = vnet_with_little_space(bytes, "stop lab");
            assert!(stop.status.success(), "{bytes} bytes: {}", String::from_utf8_lossy(&stop.stderr));
        }
        assert_eq!(run("ip", &["-br", "link", "show", "type", "bridge"]), "", "{bytes} bytes");
        assert_eq!(run("nft", &["list", "ruleset"]), "", "{bytes} bytes");
        assert!(!Path::new(STATE).exists(), "{bytes} bytes");
    }
    assert!(refused > 5, "most starts must have met the end of the disk, not {refused}");
}

#[rstest]
#[case::half_a_header("{\"header\":{\"net")]
#[case::half_a_letter("{\"header\":{\"network\":\"\u{fc}")]
fn a_receipt_of_the_old_format_that_was_never_begun_in_full_is_none(#[case] text: &str) {
    let folder = Folder::new(&text.len().to_string());
    let store = Store::new(&folder.0);
    fs::create_dir_all(store.directory(&lab())).expect("a folder");
    let torn = text.strip_suffix('\u{fc}').map_or(text.as_bytes(), |_| &text.as_bytes()[..text.len() - 1]);
    fs::write(store.directory(&lab()).join("receipt"), torn).expect("a file");
    let mut host = forwarding(1);
    assert!(matches!(vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME), Err(Error::Absent(_))));
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
    assert_eq!(host, MemoryHost { asked: host.asked, ..forwarding(1) });
}

/// What a receipt says no more may be there all the same.
#[rstest]
#[case::empty(|_: &str| String::new())]
#[case::cut_short(|text: &str| text[..text.len() / 2].to_owned())]
#[case::newer(|text: &str| text.replace("{\"receipt\":2", "{\"receipt\":77"))]
#[case::nonsense(|_: &str| "nonsense\n".to_owned())]
fn a_receipt_that_cannot_be_read_stops_nobody_else(#[case] damage: fn(&str) -> String) {
    let folder = Folder::new(&format!("damage-{}", damage("abc").len()));
    let store = Store::new(&folder.0);
    let mut host = forwarding(1);
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    let receipt = store.directory(&lab()).join("receipt");
    let text = fs::read_to_string(&receipt).expect("a receipt");
    fs::write(&receipt, damage(&text)).expect("a file");
    let other = Header { network: "other".parse().expect("a name"), bridge: None, ..header() };
    let nothing = HostState::new();
    vnet_host::start(&mut host, &store.lock().expect("a lock"), other.clone(), &nothing).expect("another starts");
    let listed = store.receipts().expect("a list");
    let [Err(unreadable), Ok(readable)] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&unreadable.of, &readable.header), (&Named::Network(lab()), &other));
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &other.network, HOME).expect("another stops");
    let told = |refused: Result<Vec<Change>, Error>| {
        let told = refused.expect_err("it may run").to_string();
        assert!(told.contains("receipt"), "{told}");
    };
    told(vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &nothing));
    told(vnet_host::apply(&mut host, &store.lock().expect("a lock"), header(), &nothing));
    told(vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME));
    fs::write(&receipt, &text).expect("a file");
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
}

#[test]
fn a_file_that_was_being_written_goes_too() {
    vnet_tests::isolate!();
    let store = Store::new(STATE);
    let mut host = LinuxHost::open().expect("sockets");
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    fs::write(store.directory(&lab()).join("dnsmasq.conf.new"), "half").expect("a file");
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
    assert!(!Path::new(STATE).exists());
}

/// The remains of a start are taken away where they are: here, things of the same names belong to
/// others.
#[test]
fn a_network_of_another_namespace_is_not_started_here() {
    let folder = Folder::new("elsewhere");
    let store = Store::new(&folder.0);
    let mut host = forwarding(1);
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    let before = host.clone();
    let receipt = store.directory(&lab()).join("receipt");
    let text = fs::read_to_string(&receipt).expect("a receipt");
    for text in [text.clone(), text.replace("\"settled\":true", "\"settled\":false")] {
        fs::write(&receipt, text).expect("a file");
        let here = Header { namespace: Namespace::new(0, 2), ..header() };
        let refused = vnet_host::start(&mut host, &store.lock().expect("a lock"), here, &desired("", &store));
        assert!(matches!(refused, Err(Error::Elsewhere(_))));
        assert_eq!(host, before);
    }
}

/// Who lost the number of its process looks for the command line, and finds that of a container as
/// well.
#[test]
fn a_process_of_another_namespace_is_left_alone() {
    vnet_tests::isolate!();
    let store = Store::new(STATE);
    let mut host = LinuxHost::open().expect("sockets");
    let desired = desired("", &store);
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired).expect("it starts");
    let processes = desired.iter().filter_map(|it| if let Resource::Process(it) = it { Some(it) } else { None });
    let arguments = processes.flat_map(|process| process.args.clone());
    let mut other = Command::new("unshare");
    other.args(["--net", "sh", "-c", "echo; read line", "sh"]).args(arguments);
    let mut other = other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare is of util-linux");
    let mut ready = [0];
    other.stdout.as_mut().expect("a pipe").read_exact(&mut ready).expect("it runs");
    let receipt = store.directory(&lab()).join("receipt");
    let text = fs::read_to_string(&receipt).expect("a receipt");
    let told = text.find(",\"fact\":{\"process\"").expect("a process");
    let rest = text[told..].find('\n').expect("a line") + told;
    fs::write(&receipt, format!("{}}}{}", &text[..told], &text[rest..])).expect("a file");
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
    assert!(!run("ss", &["-lnup"]).contains("dnsmasq"));
    assert!(other.try_wait().expect("a child").is_none(), "it was ended");
    other.kill().expect("a child");
    other.wait().expect("a child");
}

/// Ending takes a moment, in which the old process has its sockets still.
#[test]
fn dnsmasq_starts_anew_as_often_as_it_must() {
    vnet_tests::isolate!();
    let store = Store::new(STATE);
    let mut host = LinuxHost::open().expect("sockets");
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    for round in 0..30 {
        let domain = format!("<domain name='d{round}'/>");
        vnet_host::apply(&mut host, &store.lock().expect("a lock"), header(), &desired(&domain, &store))
            .expect("it changes");
    }
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
}

#[test]
fn dnsmasq_that_cannot_start_anew_goes_on_as_it_was() {
    vnet_tests::isolate!();
    let store = Store::new(STATE);
    let mut host = LinuxHost::open().expect("sockets");
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    let mut wanted = desired("<domain name='other'/>", &store);
    let conf = store.directory(&lab()).join("dnsmasq.conf");
    let key = vnet_plan::Key::File(conf);
    let Some(Resource::File(mut file)) = wanted.remove(&key) else { panic!("a configuration") };
    file.contents = Some("no-such-option\n".to_owned());
    wanted.insert(file);
    let error =
        vnet_host::apply(&mut host, &store.lock().expect("a lock"), header(), &wanted).expect_err("no such option");
    assert!(matches!(error, Error::Step { rollback, .. } if rollback.is_empty()));
    assert_eq!(vnet_host::drift(&host, &store, &lab(), HOME).expect("it runs"), []);
    vnet_host::stop(&mut host, &store.lock().expect("a lock"), &lab(), HOME).expect("it stops");
    assert!(!Path::new(STATE).exists());
}

/// A network that forwarded once, or was about to, does not miss it.
#[rstest]
#[case::changed_back(None)]
#[case::undone(Some(0))]
fn a_shared_switch_is_missed_by_those_that_rely_on_it(#[case] fault: Option<usize>) {
    let folder = Folder::new(&format!("shared-{}", fault.is_some()));
    let store = Store::new(&folder.0);
    let (isolated, routed) = (desired("", &store), desired("<forward mode='route'/>", &store));
    let mut host = forwarding(0);
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &isolated).expect("it starts");
    let steps = vnet_host::plan(&host, &store, &lab(), &routed).expect("a plan").len();
    host.faults = fault.map(|_| host.asked + steps - 1).into_iter().collect();
    assert_eq!(
        vnet_host::apply(&mut host, &store.lock().expect("a lock"), header(), &routed).is_err(),
        fault.is_some()
    );
    vnet_host::apply(&mut host, &store.lock().expect("a lock"), header(), &isolated).expect("it changes back");
    for value in [0, 1] {
        host.state.insert(SysctlSetting { switch: Sysctl::Ipv4Forward, value });
        assert_eq!(vnet_host::drift(&host, &store, &lab(), HOME).expect("it runs"), []);
    }
}

#[test]
fn the_receipt_knows_the_bridge_of_now() {
    let folder = Folder::new("bridge");
    let store = Store::new(&folder.0);
    let mut host = forwarding(1);
    vnet_host::start(&mut host, &store.lock().expect("a lock"), header(), &desired("", &store)).expect("it starts");
    let other = Header { bridge: Some("other".parse().expect("a name")), ..header() };
    let wanted = desired("<bridge name='other'/>", &store);
    host.faults = [host.asked].into();
    vnet_host::apply(&mut host, &store.lock().expect("a lock"), other.clone(), &wanted).expect_err("a fault");
    assert_eq!(store.networks().expect("receipts")[0].bridge, header().bridge);
    vnet_host::apply(&mut host, &store.lock().expect("a lock"), other.clone(), &wanted).expect("it changes");
    assert_eq!(store.networks().expect("receipts")[0].bridge, other.bridge);
}
