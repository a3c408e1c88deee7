//! What networks and ports cost in OVN's northbound database, from one client: `cargo xtask bench`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use vnet_benches::median;
use vnet_driver::{Network, OvnNetwork};
use vnet_lab::mounts::mount_new;
use vnet_ovn::OvnGuest;
use vnet_tests::{Machine, OvnCentral, OvnHost, OvnLab};
use vnet_types::{MacAddr, Uuid};

const HEAD: &str = "
## OVN

Networks with DHCP and a router, and guests' ports, written to a northbound database of OVN 23.03 by one client, each in a transaction
of its own, with ovn-northd running beside. Times are until the database has answered. Load average LOAD at the start.

| what | rows | operations of each transaction | milliseconds each, first tenth | last tenth | seconds, all |
|---|---|---|---|---|---|
";

fn network(central: &OvnCentral, number: usize) -> Network {
    let text = format!(
        "<network><name>n{number}</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='{}'/></vnet:network></metadata><ip address='10.64.0.1' prefix='16'><dhcp>\
         <range start='10.64.0.2' end='10.64.255.254'/></dhcp></ip></network>",
        central.remote()
    );
    text.parse().unwrap()
}

const GUESTS: &str = "
A guest is attached to one of two hosts by a process of `vnet`, which waits until OVN says that its port is up, and pings a guest on the
other host as soon as it is there: userspace datapath, medians of COUNT guests.

| what | milliseconds |
|---|---|
";

/// How many guests are attached and ping.
const PINGING: u8 = 15;
const PEER: u8 = 200;

/// One line of the table.
fn line(what: &str, rows: usize, operations: &[usize], times: &[f64]) -> String {
    let all: f64 = times.iter().sum::<f64>() / 1000.0;
    let part = times.len().div_ceil(10);
    let last = times.len() - part;
    let (first, last) = (median(times[..part].to_vec()), median(times[last..].to_vec()));
    let operations = match (operations.iter().min(), operations.iter().max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        _ => String::new(),
    };
    format!("| {what} | {rows} | {operations} | {first:.2} | {last:.2} | {all:.2} |\n")
}

fn networks(folder: &str, count: usize) -> String {
    let central = OvnCentral::start(Path::new(folder));
    let (mut times, mut operations, mut rows) = (Vec::new(), Vec::new(), 0);
    for number in 0..count {
        let network = network(&central, number);
        let begin = Instant::now();
        let mut network = OvnNetwork::open(&network).unwrap();
        let plan = network.plan().unwrap();
        network.carry_out(&plan).unwrap();
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
        operations.push(plan.operations());
        rows += plan.changes.len();
    }
    let what = if count == 1 { "1 network".to_owned() } else { format!("{count} networks") };
    line(&what, rows, &operations, &times)
}

fn ports(folder: &str, count: u16) -> String {
    let central = OvnCentral::start(Path::new(folder));
    let mut network = OvnNetwork::open(&network(&central, 0)).unwrap();
    let plan = network.plan().unwrap();
    network.carry_out(&plan).unwrap();
    let before = network.status().unwrap().rows;
    let mut times = Vec::new();
    for number in 0..count {
        let [high, low] = number.to_be_bytes();
        let mut guest = OvnGuest::new(Uuid([high, low, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), mac(high, low));
        guest.chassis = Some("h1".to_owned());
        let begin = Instant::now();
        network.put_guest(guest).unwrap();
        times.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    let rows = network.status().unwrap().rows - before;
    line(&format!("{count} ports of one network"), rows, &[], &times)
}

/// From an attach to the first answer.
fn first_pings() -> String {
    let lab = OvnLab::start(Path::new("/run/lab"), 2);
    let hosts = (1..=PINGING).chain([PEER]);
    let hosts = hosts.map(|last| format!("<host mac='{}' ip='10.65.0.{last}'/>", mac(9, last))).collect::<String>();
    let definition = format!(
        "<network><name>pings</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
         <vnet:ovn northbound='{}'/></vnet:network></metadata><ip address='10.65.0.254' prefix='24'><dhcp>{hosts}</dhcp></ip>\
         </network>",
        lab.central.remote()
    );
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    one.does(&["start", "-"], &definition);
    for host in [one, two] {
        host.does(&["define", "-"], &definition);
    }
    let reserved = |last: u8| format!("10.65.0.{last}");
    let peer = two.guest("pings", "peer", &mac(9, PEER).to_string(), "");
    peer.address(&format!("{}/24", reserved(PEER)));
    let [mut attach, mut ping] = [Vec::new(), Vec::new()];
    for last in 1..=PINGING {
        let mac = mac(9, last).to_string();
        let begin = Instant::now();
        let attached =
            one.does(&["attach", "-", "--guest", &format!("g{last}")], &OvnHost::interface("pings", &mac, ""));
        attach.push(begin.elapsed().as_secs_f64() * 1000.0);
        let guest = Machine::on(attached["port"]["name"].as_str().unwrap(), &one.netns, &mac);
        guest.address(&format!("{}/24", reserved(last)));
        let begin = Instant::now();
        while !guest.pings(&reserved(PEER), Duration::from_millis(100)) {
            assert!(begin.elapsed() < Duration::from_secs(20), "{last} has no answer");
        }
        ping.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    let both = attach.iter().zip(&ping).map(|(attach, ping)| attach + ping).collect();
    let rows = [("attach", attach), ("first ping after it", ping), ("attach to first ping", both)];
    let rows = rows.map(|(what, times)| format!("| {what} | {:.1} |\n", median(times)));
    GUESTS.replace("COUNT", &PINGING.to_string()) + &rows.concat()
}

fn mac(high: u8, low: u8) -> MacAddr {
    MacAddr([0x52, 0x54, 0, 0, high, low])
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file] = &arguments[..] else { panic!("usage: ovn RESULTS.md") };
    mount_new("tmpfs", "/run").unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let head = HEAD.replace("LOAD", load.split(' ').next().unwrap());
    let counts = [("/run/one", 1), ("/run/many", 100), ("/run/most", 1000)];
    let lines: String = counts.into_iter().map(|(folder, count)| networks(folder, count)).collect();
    let text = head + &lines + &ports("/run/ports", 1000) + &first_pings();
    print!("{text}");
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
