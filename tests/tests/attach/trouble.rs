//! What goes wrong while guests are attached: it is said in so many words, and nothing is left of
//! it.

use std::fs;
use std::process::{Child, Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;
use vnet_driver::{AttachOptions, Driver};
use vnet_host::{Error, LinuxHost, PortHeader, Store};
use vnet_netlink::{Cause, Tap};
use vnet_plan::{LoweredPort, PortChoices};
use vnet_tests::{isolate, run};
use vnet_xml::{Interface, Network};

use crate::{NAT, begin, done, everything, in_lab, is_there, nothing_is_left, refused, stderr, vnet};

/// An error with its causes, as people are told it.
fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// This host, and what is decided of an interface on it.
struct Planned {
    host: LinuxHost,
    store: Store,
    lowered: LoweredPort,
}

impl Planned {
    fn new(interface: &str, network: Option<&str>) -> Self {
        let (host, store) = (LinuxHost::open().unwrap(), Store::new("/run/vnet"));
        let inventory = vnet_host::inventory(&host, &store).unwrap();
        let (interface, network): (Interface, Option<Network>) =
            (interface.parse().unwrap(), network.map(|network| network.parse().unwrap()));
        let lowered = vnet_plan::attach(&interface, network.as_ref(), &inventory, &PortChoices::default()).unwrap();
        Self { host, store, lowered }
    }

    fn start(&mut self) -> Error {
        let lock = self.store.lock().unwrap();
        let header =
            PortHeader { port: self.lowered.port.clone(), namespace: LinuxHost::namespace().unwrap(), owner: None };
        vnet_host::start(&mut self.host, &lock, header, &self.lowered.desired).unwrap_err()
    }
}

/// A process that has a tap open, for as long as the value lives.
struct Holder(Child);

impl Holder {
    fn of(tap: &str) -> Self {
        let tap = Tap::open(&tap.parse().unwrap(), std::num::NonZeroU16::MIN).unwrap();
        let [queue] = tap.into_queues().try_into().unwrap();
        Self(Command::new("sleep").arg("600").stdin(Stdio::from(queue)).spawn().unwrap())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

const ALONE: &str = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/></interface>";
const DIRECT: &str = "<interface type='direct'><mac address='52:54:00:00:00:01'/><source dev='eth1'/></interface>";
const SHAPED: &str = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/>\
                      <bandwidth><outbound average='100'/></bandwidth></interface>";

#[rstest]
#[case::bridge_gone(
    &in_lab(""),
    &["ip", "link", "del", "lab0"],
    "No such device; there is no bridge lab0"
)]
#[case::bridge_replaced_by_another_link(
    &in_lab(""),
    &["sh", "-c", "ip link del lab0 && ip link add lab0 type veth peer name lab1"],
    "Operation not supported on transport endpoint; there is no bridge lab0"
)]
#[case::name_taken(
    ALONE,
    &["ip", "tuntap", "add", "vnet0", "mode", "tap"],
    "there is already: link vnet0; vnet did not make it, and it stays as it is"
)]
#[case::name_taken_by_another_kind(
    ALONE,
    &["ip", "link", "add", "vnet0", "type", "bridge"],
    "there is already: link vnet0; vnet did not make it, and it stays as it is"
)]
#[case::device_below_gone(
    DIRECT,
    &["ip", "link", "del", "eth1"],
    "link macvtap0 failed; what was done before it is undone: cannot add link macvtap0: No such device"
)]
#[case::device_below_taken(
    DIRECT,
    &["sh", "-c", "ip link add br1 type bridge && ip link set eth1 master br1"],
    "link macvtap0 failed; what was done before it is undone: cannot add link macvtap0: Device or resource busy"
)]
#[case::tun_gone(
    ALONE,
    &["mount", "-t", "tmpfs", "tmpfs", "/dev/net"],
    "cannot add tap vnet0: No such file or directory; taps need /dev/net/tun (`modprobe tun`) and the right to read \
     and write it"
)]
fn what_changes_between_plan_and_act_is_said_and_undone(
    #[case] interface: &str,
    #[case] meddle: &[&str],
    #[case] expected: &str,
) {
    isolate!();
    done(&["start", "-"], NAT);
    run("ip", &["link", "add", "eth1", "type", "veth", "peer", "name", "eth2"]);
    let mut planned = Planned::new(interface, Some(NAT).filter(|_| interface.contains("type='network'")));
    run(meddle[0], &meddle[1..]);
    let before = everything();
    let error = planned.start();
    assert!(words(&error).contains(expected), "{}", words(&error));
    assert_eq!(everything(), before);
    assert!(!is_there("@ports/vnet0") && !is_there("@ports/macvtap0"));
}

/// The bridge goes as its network is repaired at the same time: the port comes back with it.
#[test]
fn a_guest_whose_bridge_is_gone_is_refused_until_its_network_is_repaired() {
    isolate!();
    done(&["start", "-"], NAT);
    run("ip", &["link", "del", "lab0"]);
    let told = refused(&["attach", "-"], &in_lab(""));
    assert!(told.contains("there is no bridge `lab0` on this host"), "{told}");
    done(&["apply", "-"], NAT);
    done(&["attach", "-"], &in_lab(""));
    done(&["stop", "lab"], "");
    nothing_is_left();
}

const UNMANAGED: &str = "<interface type='ethernet'><target dev='mine' managed='no'/></interface>";

#[test]
fn a_tap_that_another_process_holds_is_told_so_and_opened_when_that_has_ended() {
    isolate!();
    run("ip", &["tuntap", "add", "mine", "mode", "tap"]);
    let holder = Holder::of("mine");
    let before = everything();
    let (driver, interface) = (Driver::open("/run/vnet").unwrap(), UNMANAGED.parse().unwrap());
    let open = || driver.attach_open(&interface, &AttachOptions::default());
    let error = open().unwrap_err();
    let vnet_driver::Error::Host(inner) = &error else { panic!("{error:?}") };
    assert!(matches!(&**inner, Error::Netlink(error) if error.cause == Some(Cause::Busy)), "{error:?}");
    assert_eq!(words(&error), "cannot open tap mine: Device or resource busy; another program has the tap open");
    assert_eq!(everything(), before);
    assert!(!is_there("@ports/mine"), "it is not attached");
    drop(holder);
    let guest = open().unwrap();
    assert_eq!(guest.queues().len(), 1);
    drop(guest);
    assert_eq!(everything(), before);
    nothing_is_left();
}

/// A hypervisor that still runs does not keep a tap alive that is taken away.
#[test]
fn a_guest_is_detached_though_its_tap_is_in_use() {
    isolate!();
    done(&["start", "-"], NAT);
    let before = everything();
    done(&["attach", "-"], &in_lab(""));
    let holder = Holder::of("vnet0");
    done(&["detach", "vnet0"], "");
    assert_eq!(everything(), before);
    drop(holder);
    assert_eq!(everything(), before);
}

/// The tap that was looked at has gone, and one of that name has come that cannot do as much.
#[test]
fn a_tap_with_fewer_queues_than_were_seen_is_told() {
    isolate!();
    run("ip", &["tuntap", "add", "mine", "mode", "tap", "multi_queue"]);
    let interface = "<interface type='ethernet'><target dev='mine' managed='no'/><model type='virtio'/>\
                     <driver queues='2'/></interface>";
    run("ip", &["tuntap", "del", "mine", "mode", "tap", "multi_queue"]);
    run("ip", &["tuntap", "add", "mine", "mode", "tap"]);
    let error = Tap::open(&"mine".parse().unwrap(), 2.try_into().unwrap()).unwrap_err();
    assert_eq!(
        words(&error),
        "cannot open tap mine: Invalid argument; the tap was made without multi_queue, for a single queue"
    );
    let told = refused(&["attach", "-"], interface);
    let expected = "error[VN0620]: the tap `mine` has one queue";
    assert!(told.contains(expected), "{told}");
    nothing_is_left();
}

#[rstest]
#[case::user("--owner", "user 4711 does not exist in this user namespace")]
#[case::group("--group", "group 4711 does not exist in this user namespace")]
fn an_owner_whom_the_namespace_does_not_know_is_named(#[case] option: &str, #[case] expected: &str) {
    isolate!();
    let before = everything();
    let told = refused(&["attach", "-", option, "4711"], ALONE);
    assert!(told.contains(&format!("cannot add tap vnet0: Invalid argument; {expected}")), "{told}");
    assert_eq!(everything(), before);
    nothing_is_left();
}

/// A change that fails half-way leaves the port as it was.
#[test]
fn a_port_whose_change_is_refused_stays_as_it_was() {
    isolate!();
    done(&["attach", "-"], ALONE);
    let before = everything();
    fs::create_dir("/run/vnet/@ports/vnet0/interface.xml.new").unwrap();
    let change = SHAPED.replace("<bandwidth>", "<target dev='vnet0'/><bandwidth>");
    let output = vnet(&["apply", "-"], &change);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("what was done before it is undone"), "{}", stderr(&output));
    assert_eq!(everything(), before);
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "in-sync");
    fs::remove_dir("/run/vnet/@ports/vnet0/interface.xml.new").unwrap();
    done(&["apply", "-"], &change);
    assert_ne!(everything(), before);
    done(&["detach", "vnet0"], "");
    nothing_is_left();
}

#[test]
fn guests_that_come_while_their_network_stops_are_attached_or_refused_and_leave_nothing() {
    isolate!();
    done(&["start", "-"], NAT);
    let guest = in_lab("").replace("<mac address='52:54:00:00:00:01'/>", "");
    let attaches: Vec<Child> = (0..6).map(|_| begin(&["attach", "-"], &guest)).collect();
    done(&["stop", "lab"], "");
    for attach in attaches {
        let output = attach.wait_with_output().unwrap();
        let late = stderr(&output).contains("network `lab` does not run");
        assert!(output.status.success() || late, "{}", stderr(&output));
    }
    assert_eq!(done(&["ports"], "")["ports"].as_array().unwrap().len(), 0);
    assert!(!run("ip", &["link"]).contains("vnet0"));
    nothing_is_left();
}

#[test]
fn guests_that_come_at_once_never_get_the_same() {
    isolate!();
    let cards = ["eth1", "eth2", "eth3", "eth4"];
    for card in cards {
        run("ip", &["link", "add", card, "type", "veth", "peer", "name", &format!("{card}p")]);
    }
    let pool: String = cards.iter().map(|card| format!("<interface dev='{card}'/>")).collect();
    let network = format!("<network><name>lab</name><forward mode='passthrough'>{pool}</forward></network>");
    let before = everything();
    done(&["start", "-"], &network);
    let guest = "<interface type='network'><source network='lab'/></interface>";
    let attaches: Vec<Child> = (0..7).map(|_| begin(&["attach", "-", "--format", "json"], guest)).collect();
    let outputs: Vec<Output> = attaches.into_iter().map(|attach| attach.wait_with_output().unwrap()).collect();
    let (got, late): (Vec<&Output>, Vec<&Output>) = outputs.iter().partition(|output| output.status.success());
    let reports: Vec<Value> = got.iter().map(|output| serde_json::from_slice(&output.stdout).unwrap()).collect();
    let each = |fact: &str| {
        let mut all: Vec<&str> = reports.iter().map(|report| report["port"][fact].as_str().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    assert_eq!(each("lower"), cards);
    assert_eq!((each("name").len(), each("mac").len()), (4, 4));
    for output in late {
        let expected = "network `lab` gives each guest a device of its own, and all 4 are taken";
        assert!(stderr(output).contains(expected), "{}", stderr(output));
    }
    done(&["stop", "lab"], "");
    assert_eq!(everything(), before, "the devices have their own addresses again");
    nothing_is_left();
}
