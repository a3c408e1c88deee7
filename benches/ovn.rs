//! What networks and ports cost in OVN's northbound database, from one client: `cargo xtask bench`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use vnet_benches::median;
use vnet_driver::{Network, OvnNetwork};
use vnet_lab::mounts::mount_new;
use vnet_ovn::OvnGuest;
use vnet_tests::OvnCentral;
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
    let text = head + &lines + &ports("/run/ports", 1000);
    print!("{text}");
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
