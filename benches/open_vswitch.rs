//! What a port of Open vSwitch costs, beside the `ovs-vsctl` that libvirt runs for it, in the same
//! run: `cargo xtask bench`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use vnet_benches::median;
use vnet_host::{Facts, Host, LinuxHost};
use vnet_lab::mounts::mount_new;
use vnet_plan::{Change, Resource, SwitchPort, SwitchVlans};
use vnet_tests::{OpenVSwitch, run};
use vnet_types::{MacAddr, Uuid};

/// How often a port is added by each.
const ROUNDS: usize = 25;
/// The highest ratio to `ovs-vsctl`.
const TARGET: f64 = 1.0 / 5.0;

const HEAD: &str = "
## Open vSwitch

A tap becomes a port with a VLAN: by vnet-host, from opening the database until Open vSwitch has made the port, and by the
`ovs-vsctl` that libvirt 11.3 runs, which waits for the same; in turns, userspace datapath. Milliseconds. Load average LOAD at the
start.

| what | measured | against | ratio | target |
|---|---|---|---|---|
";

fn port(name: &str) -> SwitchPort {
    let vlans = SwitchVlans { tag: Some(42), ..SwitchVlans::default() };
    SwitchPort {
        link: name.parse().unwrap(),
        bridge: "ovs0".parse().unwrap(),
        mac: MacAddr([0x52, 0x54, 0, 0, 0, 1]),
        interface_id: Uuid([1; 16]),
        guest_id: Uuid([2; 16]),
        profile: None,
        vlans,
        shaper: None,
        policer: None,
    }
}

fn millis(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1000.0
}

fn by_us(port: &SwitchPort) -> [f64; 2] {
    let (to, from) = (Resource::from(port.clone()), Resource::from(port.clone()));
    let change = |change: Change| {
        let mut host = LinuxHost::open().unwrap();
        millis(|| {
            host.apply(&change, &Facts::default()).unwrap();
        })
    };
    [change(Change::Create { to }), change(Change::Delete { from })]
}

fn by_libvirt(switch: &OpenVSwitch, port: &SwitchPort) -> [f64; 2] {
    let dev = port.link.as_str();
    let pairs: Vec<String> =
        port.identity().iter().map(|(key, value)| format!("external-ids:{key}=\"{value}\"")).collect();
    let mut words = vec!["--", "--may-exist", "add-port", "ovs0", dev, "--", "set", "Port", dev];
    words.extend(["other_config:transient=true", "tag=42"]);
    pairs.iter().for_each(|pair| words.extend(["--", "set", "Interface", dev, pair]));
    let add = millis(|| drop(switch.vsctl(&words)));
    [add, millis(|| drop(switch.vsctl(&["--", "--if-exists", "del-port", dev])))]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file] = &arguments[..] else { panic!("usage: open_vswitch RESULTS.md") };
    mount_new("tmpfs", "/run").unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let switch = OpenVSwitch::start(Path::new("/run/openvswitch"));
    switch.add_bridge("ovs0");
    let mut times = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for round in 0..ROUNDS {
        let ports = ["a", "b"].map(|side| port(&format!("{side}{round}")));
        ports.iter().for_each(|port| drop(run("ip", &["tuntap", "add", port.link.as_str(), "mode", "tap"])));
        for (side, [add, delete]) in [by_us(&ports[0]), by_libvirt(&switch, &ports[1])].into_iter().enumerate() {
            times[side][0].push(add);
            times[side][1].push(delete);
        }
    }
    let mut text = HEAD.replace("LOAD", load.split(' ').next().unwrap_or_default());
    for (at, what) in ["a port is added", "a port is removed"].into_iter().enumerate() {
        let [measured, against] = [0, 1].map(|side| median(times[side][at].clone()));
        let ratio = measured / against;
        let reached = if ratio <= TARGET { "" } else { ": **not reached**" };
        let target = if at == 0 { format!("≤ {TARGET:.2}{reached}") } else { String::new() };
        text += &format!("| {what} / `ovs-vsctl` | {measured:.2} | {against:.2} | {ratio:.3} | {target} |\n");
    }
    print!("{text}");
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
