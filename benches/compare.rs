//! Measures two builds of `vnet` at the same work, in turns: `cargo xtask compare`.
//!
//! It runs in namespaces of its own. Each run is a separate process, and the kernel measures its
//! time and peak memory.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use vnet_arrows::{DEFAULT, many_hosts};
use vnet_lab::Namespace;
use vnet_lab::mounts::mount_new;

/// How often each build does all the work.
const ROUNDS: usize = 21;
/// The argument before a command that is measured.
const ONCE: &str = "once";
/// The work of each round, in this order.
const WORK: [(&str, &[&str]); 5] = [
    ("check, 1000 reservations", &["check", "/run/many.xml"]),
    ("print, 1000 reservations", &["fmt", "/run/many.xml"]),
    ("start", &["start", "/run/default.xml"]),
    ("apply", &["apply", "/run/changed.xml"]),
    ("stop", &["stop", "default"]),
];

/// The time and memory of one run.
#[derive(Clone, Copy)]
struct Cost {
    milliseconds: f64,
    mebibytes: f64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [once, command @ ..] if once == ONCE => measure(command),
        [before, now] => compare([before, now]),
        _ => panic!("usage: compare VNET-BEFORE VNET-NOW"),
    }
}

/// Runs one command and prints its time and memory. This is a separate process, because the kernel
/// reports the peak of all children.
fn measure(command: &[String]) {
    let begin = Instant::now();
    let run = Command::new(&command[0]).args(&command[1..]).stdout(Stdio::null()).status().unwrap();
    let elapsed = begin.elapsed().as_secs_f64() * 1000.0;
    assert!(run.success(), "{command:?} failed");
    println!("{elapsed} {}", getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss());
}

fn compare(programs: [&String; 2]) {
    mount_new("tmpfs", "/run").unwrap();
    mount_new("sysfs", "/sys").unwrap();
    Namespace::current().unwrap();
    fs::write("/run/default.xml", DEFAULT).unwrap();
    fs::write("/run/changed.xml", DEFAULT.replace("192.168.122.254", "192.168.122.200")).unwrap();
    fs::write("/run/many.xml", many_hosts(1000)).unwrap();
    let mut costs: [[Vec<Cost>; 2]; WORK.len()] = Default::default();
    for round in 0..ROUNDS {
        for turn in [round % 2, 1 - round % 2] {
            for (costs, (_, words)) in costs.iter_mut().zip(WORK) {
                costs[turn].push(run(Path::new(programs[turn]), words));
            }
        }
    }
    println!("| work | before, ms | now, ms | now / before | before, MiB | now, MiB | now / before |");
    println!("|---|---|---|---|---|---|---|");
    for ((name, _), costs) in WORK.iter().zip(&costs) {
        let [before, now] = costs.each_ref().map(|costs| {
            let median = |of: fn(&Cost) -> f64| vnet_benches::median(costs.iter().map(of).collect());
            Cost { milliseconds: median(|cost| cost.milliseconds), mebibytes: median(|cost| cost.mebibytes) }
        });
        let pair = |before: f64, now: f64| format!("{before:.1} | {now:.1} | {:.2}", now / before);
        let (time, memory) = (pair(before.milliseconds, now.milliseconds), pair(before.mebibytes, now.mebibytes));
        println!("| {name} | {time} | {memory} |");
    }
}

fn run(program: &Path, words: &[&str]) -> Cost {
    let mut once = Command::new("/proc/self/exe");
    once.arg(ONCE).arg(program).args(words).env("VNET_STATE_DIR", "/run/vnet").env("VNET_CONFIG_DIR", "/run/etc");
    let output = once.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} {words:?}", program.display());
    let printed = String::from_utf8(output.stdout).unwrap();
    let (time, memory) = printed.trim().split_once(' ').unwrap();
    Cost { milliseconds: time.parse().unwrap(), mebibytes: memory.parse::<f64>().unwrap() / 1024.0 }
}
