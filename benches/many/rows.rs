//! What is measured, and the table of it.

use std::fs;
use std::thread;
use std::time::Duration;

use vnet_benches::median;

use crate::host::{Host, ONE, definition, dhcp_network, file};

/// How often short work is done.
const OFTEN: usize = 11;
/// How often long work is done.
const SELDOM: usize = 5;
/// The first of several networks that are started and stopped together.
const FIRST: usize = 61_000;
const GUESTS: usize = 30;
/// How long a network with DHCP has run when it is stopped: dnsmasq has begun, and the kernel has
/// done with the start.
const REST: Duration = Duration::from_millis(200);
/// How many definitions are tried in one call.
const TRIALS: usize = 16;
const DEFAULT: &str = include_str!("../../testdata/network/valid/nat-default.xml");

const HEAD: &str = "
## Many networks and guests

Both sides of a row are measured in turns. `today` is the last build whose costs grew with the number of networks, `beside 1` the
same build beside one other network. Milliseconds, of a whole process unless a row says library, which has made a call before. Load
average LOAD at the start.

| what | measured | against | ratio | target |
|---|---|---|---|---|
";

/// A row: what was measured against what, and the ratio that it is to stay below.
struct Row {
    what: String,
    measured: f64,
    against: f64,
    target: Option<f64>,
}

/// Measures everything.
pub(crate) fn report(before: &str, now: &str) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let mut rows = beside(before, now);
    rows.extend(together(before, now));
    rows.extend(guests(before, now));
    rows.extend(on_disk(before, now));
    rows.extend(trials(before, now));
    let mut text = HEAD.replace("LOAD", load.split(' ').next().unwrap_or_default());
    for Row { what, measured, against, target } in rows {
        let ratio = measured / against;
        let target = match target {
            Some(target) if ratio <= target => format!("≤ {target}"),
            Some(target) => format!("≤ {target}: **not reached**"),
            None => String::new(),
        };
        text += &format!("| {what} | {measured:.2} | {against:.2} | {ratio:.3} | {target} |\n");
    }
    text
}

/// One network beside others, and lists of all.
fn beside(before: &str, now: &str) -> Vec<Row> {
    let (one, xml) = (format!("n{ONE}"), file(ONE));
    let mut hosts: Vec<Host> = [1, 200, 500].map(|count| Host::new(before, count)).into();
    hosts.extend([1, 200, 500, 1000].map(|count| Host::new(now, count)));
    hosts.iter_mut().for_each(|host| host.put(&xml, &definition(ONE)));
    let calls: [&[&str]; 5] = [&["start", &xml], &["diff", &one], &["apply", &xml], &["status", &one], &["stop", &one]];
    let mut times = vec![vec![Vec::new(); calls.len()]; hosts.len()];
    let mut of_library = vec![Vec::new(); hosts.len()];
    let mut lists = vec![[Vec::new(), Vec::new()]; hosts.len()];
    for round in 0..OFTEN {
        for (at, host) in hosts.iter_mut().enumerate() {
            for (times, call) in times[at].iter_mut().zip(calls) {
                times.push(host.vnet(call));
            }
            if at > 2 {
                // What others have changed meanwhile is read once more.
                for call in ["start", "stop"] {
                    host.library(call);
                }
                of_library[at].push(host.library("start"));
                host.library("stop");
            }
            if round < SELDOM {
                for (times, call) in lists[at].iter_mut().zip(["list", "status"]) {
                    times.push(host.vnet(&[call]));
                }
            }
        }
    }
    let time = |at: usize, call: usize| median(times[at][call].clone());
    let library = |at: usize| median(of_library[at].clone());
    let list = |at: usize, call: usize| median(lists[at][call].clone());
    let row = |what: &str, measured, against, target| Row { what: what.to_owned(), measured, against, target };
    vec![
        row("library start beside 500 / beside 1", library(5), library(3), Some(1.3)),
        row("library start beside 1000 / beside 1", library(6), library(3), Some(1.5)),
        row("start beside 200 / beside 1", time(4, 0), time(3, 0), Some(1.3)),
        row("start beside 200 / today", time(4, 0), time(1, 0), None),
        row("start beside 500 / today", time(5, 0), time(2, 0), None),
        row("list of 500 / today", list(5, 0), list(2, 0), Some(0.05)),
        row("status of 500 / today", list(5, 1), list(2, 1), Some(0.05)),
        row("diff beside 500 / beside 1", time(5, 1), time(3, 1), Some(1.3)),
        row("apply without change beside 500 / beside 1", time(5, 2), time(3, 2), Some(1.3)),
        row("diff beside 200 / today", time(4, 1), time(1, 1), None),
        row("apply without change beside 200 / today", time(4, 2), time(1, 2), None),
        row("status of one beside 200 / today", time(4, 3), time(1, 3), None),
        row("stop beside 500 / beside 1", time(5, 4), time(3, 4), None),
    ]
}

/// Several networks in one call, against one call for each.
fn together(before: &str, now: &str) -> Vec<Row> {
    let mut hosts = [before, now].map(|vnet| Host::new(vnet, 1));
    let of = |count: usize, dhcp: bool| -> Vec<(String, String, String)> {
        let text = |number| if dhcp { dhcp_network(number) } else { definition(number) };
        (FIRST..FIRST + count).map(|it| (file(it), format!("n{it}"), text(it))).collect()
    };
    let mut rows = Vec::new();
    for (count, dhcp, kind, start) in [(100, false, "100 networks", 0.15), (40, true, "40 networks with DHCP", 0.4)] {
        let networks = of(count, dhcp);
        let files: Vec<String> = networks.iter().map(|(file, _, _)| file.clone()).collect();
        let names: Vec<String> = networks.iter().map(|(_, name, _)| name.clone()).collect();
        let mut times: [[Vec<f64>; 3]; 2] = Default::default();
        let mut bare = Vec::new();
        for (path, _, text) in &networks {
            hosts.iter_mut().for_each(|host| host.put(path, text));
        }
        for _ in 0..SELDOM {
            for (verb, arguments, at) in [("start", &files, 0), ("apply", &files, 1), ("stop", &names, 2)] {
                times[0][at].push(hosts[0].each(verb, arguments));
                let all: Vec<&str> = std::iter::once(verb).chain(arguments.iter().map(String::as_str)).collect();
                times[1][at].push(hosts[1].vnet(&all));
            }
            bare.push(hosts[1].delete_bridges(count));
        }
        let targets = if dhcp { [Some(start), None, None] } else { [Some(start), Some(0.04), Some(0.1)] };
        for (at, what) in ["start", "apply without change", "stop"].into_iter().enumerate() {
            let [against, measured] = times.each_ref().map(|times| median(times[at].clone()));
            let what = format!("{what} of {kind} in one call / today's loop");
            rows.push(Row { what, measured, against, target: targets[at] });
        }
        let (stop, bare) = (rows.last().unwrap(), median(bare));
        let (measured, against) = (stop.measured, stop.against);
        let what = format!("`ip link delete` of a group of {count} bridges / today's loop of stops of {kind}");
        rows.push(Row { what, measured: bare, against, target: None });
        let what = format!("stop of {kind} in one call / `ip link delete` of a group of {count} bridges");
        rows.push(Row { what, measured, against: bare, target: None });
    }
    rows
}

/// A stop with DHCP, and guests.
fn guests(before: &str, now: &str) -> Vec<Row> {
    let mut hosts = [before, now].map(|vnet| Host::new(vnet, 1));
    let (xml, name) = (file(ONE), format!("n{ONE}"));
    let interface = format!("<interface type='network'><source network='{name}'/></interface>");
    let domain = format!("<domain><name>g</name><devices>{}</devices></domain>", interface.repeat(GUESTS));
    for host in &mut hosts {
        host.put(&xml, &dhcp_network(ONE));
        host.put("/run/guest.xml", &interface);
        host.put("/run/domain.xml", &domain);
    }
    let mut times: [[Vec<f64>; 3]; 2] = Default::default();
    let [mut attach, mut floor] = [Vec::new(), Vec::new()];
    for round in 0..OFTEN {
        for (at, host) in hosts.iter_mut().enumerate() {
            host.vnet(&["start", &xml]);
            thread::sleep(REST);
            times[at][0].push(host.vnet(&["stop", &name]));
            if round < SELDOM {
                host.vnet(&["start", &xml]);
                let all = vec!["/run/guest.xml".to_owned(); GUESTS];
                times[at][1].push(if at == 0 {
                    host.each("attach", &all)
                } else {
                    host.vnet(&["attach", "/run/domain.xml"])
                });
                times[at][2].push(host.vnet(&["stop", &name]));
            }
        }
        attach.push(hosts[1].library("attach"));
        floor.push(hosts[1].library("floor"));
    }
    let targets = [("stop with DHCP", 0.55), ("attach of 30 guests in one call", 0.4), ("stop with 30 guests", 0.12)];
    let mut rows: Vec<Row> = Vec::new();
    for (at, (what, target)) in targets.into_iter().enumerate() {
        let [against, measured] = times.each_ref().map(|times| median(times[at].clone()));
        rows.push(Row { what: format!("{what} / today"), measured, against, target: Some(target) });
    }
    let what = "library attach / tap, bridge and two syncs".to_owned();
    rows.push(Row { what, measured: median(attach), against: median(floor), target: Some(1.2) });
    rows
}

/// A start and a stop with the state on a disk, and how often they wait for it.
fn on_disk(before: &str, now: &str) -> Vec<Row> {
    let folder = std::env::current_dir().unwrap().join("target/bench-state");
    let states = ["before", "now"].map(|build| folder.join(build).display().to_string());
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut hosts = [before, now].map(|vnet| Host::new(vnet, 0));
    for (host, state) in hosts.iter_mut().zip(&states) {
        host.put(&file(ONE), &definition(ONE));
        host.set_state(state);
    }
    let (start, stop) = (["start", &file(ONE)], ["stop", &format!("n{ONE}")]);
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..OFTEN {
        for (times, host) in times.iter_mut().zip(&mut hosts) {
            times[0].push(host.vnet(&start));
            times[1].push(host.vnet(&stop));
        }
    }
    let syncs = hosts.each_mut().map(|host| [host.syncs(&start), host.syncs(&stop)]);
    fs::remove_dir_all(&folder).unwrap();
    let mut rows = Vec::new();
    for (at, what) in ["start", "stop"].into_iter().enumerate() {
        let [against, measured] = times.each_ref().map(|times| median(times[at].clone()));
        rows.push(Row { what: format!("{what} with the state on disk / today"), measured, against, target: None });
        let (measured, against) = (syncs[1][at], syncs[0][at]);
        rows.push(Row { what: format!("waits for the disk of a {what} / today"), measured, against, target: None });
        rows.push(Row {
            what: format!("waits for the disk of a {what} / 2"),
            measured,
            against: 2.0,
            target: Some(1.0),
        });
    }
    rows
}

/// Trials of one definition, and of several in one call.
fn trials(before: &str, now: &str) -> Vec<Row> {
    let mut hosts = [before, now].map(|vnet| Host::new(vnet, 0));
    hosts.iter_mut().for_each(|host| host.put("/run/default.xml", DEFAULT));
    let files: Vec<String> = (FIRST..FIRST + TRIALS).map(file).collect();
    (FIRST..FIRST + TRIALS).for_each(|number| hosts[1].put(&file(number), &dhcp_network(number)));
    let each: Vec<&str> = ["try", "--each"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let mut one: [Vec<f64>; 2] = Default::default();
    let mut several: [Vec<f64>; 2] = Default::default();
    for round in 0..OFTEN {
        for (times, host) in one.iter_mut().zip(&mut hosts) {
            times.push(host.vnet(&["try", "/run/default.xml"]));
        }
        if round < SELDOM {
            several[0].push(hosts[1].each("try", &files));
            several[1].push(hosts[1].vnet(&each));
        }
    }
    let row = |what: String, [against, measured]: [Vec<f64>; 2], target| Row {
        what,
        measured: median(measured),
        against: median(against),
        target: Some(target),
    };
    vec![
        row("try of the default network / today".to_owned(), one, 0.35),
        row(format!("try of {TRIALS} files in one call / {TRIALS} calls"), several, 0.7),
    ]
}
