//! What documents cost beside libvirt and libxml2, and what `vnet` costs before it does anything:
//! `cargo xtask bench`.
//!
//! libvirt's functions are called in a program of C that is compiled for it, `others.c`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

mod others;
mod process;

use std::fs::{self, OpenOptions};
use std::hint::black_box;
use std::io::Write;
use std::process::Command;
use std::time::Instant;

use vnet_arrows::{DEFAULT, many_hosts};
use vnet_xml::Network;

use others::Others;

/// How often the sides take turns.
const TURNS: usize = 30;

/// What has glibc's allocator keep freed memory: whether it gives a document's memory back to the
/// kernel, which takes as long as the rest, depends on its largest piece.
const KEEPING: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "1000000000"), ("MALLOC_MMAP_THRESHOLD_", "1000000000")];

/// Where the documents are, and the program of C.
const FOLDER: &str = "target/documents";

const HEAD: &str = "
# Speed of documents

Made by `benches/documents`, part of `cargo xtask bench`. libvirt is VIRT: `virNetworkDefParse`, `virNetworkDefFormat` and
`virNetworkDefFree`; libxml2 is LIBXML: `xmlReadMemory` and `xmlFreeDoc`. Both are called by a program of C, vnet's functions by one of
Rust, a round of each in turns, TURNS times; a time is the shortest of all. Each includes what it takes to free the result, which
both allocators keep for the next round. Load average LOAD at the start.

| what | vnet, µs | other, µs | ratio | target |
|---|---|---|---|---|
";

/// A comparison with a bound.
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// The bound in words, and whether it is reached.
    fn of(&self, value: f64) -> String {
        let (word, bound, is_reached) = match self {
            Self::AtLeast(bound) => ("≥", bound, value >= *bound),
            Self::AtMost(bound) => ("≤", bound, value <= *bound),
        };
        format!("{word} {bound}{}", if is_reached { "" } else { ": **not reached**" })
    }
}

/// The shortest time of a piece of work, in microseconds.
fn shortest(times: usize, work: impl Fn()) -> f64 {
    let once = |_| {
        let begin = Instant::now();
        work();
        begin.elapsed().as_secs_f64() * 1e6
    };
    (0..times).map(once).fold(f64::INFINITY, f64::min)
}

fn parse_and_print(text: &str) {
    let network = Network::parse(black_box(text.as_bytes())).value.unwrap();
    drop(black_box(network.to_string()));
}

fn documents(others: &mut Others) -> String {
    let many = [1000, 10_000].map(many_hosts);
    let texts = [("default", DEFAULT, 2000), ("1000", &many[0], 40), ("10000", &many[1], 4)];
    let mut taken = [(); 3].map(|()| [(); 3].map(|()| Vec::new()));
    for (name, text, _) in texts {
        fs::write(format!("{FOLDER}/{name}.xml"), text).unwrap();
    }
    for _ in 0..TURNS {
        for ((name, text, times), taken) in texts.iter().zip(&mut taken) {
            let path = format!("{FOLDER}/{name}.xml");
            taken[0].push(shortest(*times, || parse_and_print(text)));
            taken[1].push(others.shortest("libvirt", *times, &path));
            taken[2].push(others.shortest("libxml2", *times, &path));
        }
    }
    let [default, thousand, all] =
        taken.map(|taken| taken.map(|times| times.into_iter().fold(f64::INFINITY, f64::min)));
    let row = |what: &str, [ours, other]: [f64; 2], ratio: f64, target: Target| {
        format!("| {what} | {ours:.1} | {other:.1} | {ratio:.2} | {} |\n", target.of(ratio))
    };
    let over = |[ours, virt, _]: [f64; 3]| ([ours, virt], virt / ours);
    let under = |[ours, _, bare]: [f64; 3]| ([ours, bare], ours / bare);
    let mut text = String::new();
    let (pair, ratio) = over(default);
    text += &row("parse + print of the default network, libvirt / vnet", pair, ratio, Target::AtLeast(10.0));
    for (count, times) in [("1000", thousand), ("10 000", all)] {
        let (pair, ratio) = over(times);
        text += &row(&format!("parse + print of {count} hosts, libvirt / vnet"), pair, ratio, Target::AtLeast(4.0));
        let (pair, ratio) = under(times);
        let what = format!("parse + print of {count} hosts, vnet / libxml2's bare tree");
        text += &row(&what, pair, ratio, Target::AtMost(1.0));
    }
    let growth = [all[0], 10.0 * thousand[0]];
    text += &row("10 000 hosts / 10 times 1000 hosts", growth, growth[0] / growth[1], Target::AtMost(1.2));
    let network: Network = many[0].parse().unwrap();
    let check = shortest(200, || drop(black_box(vnet_validate::check(black_box(&network)))));
    text + &format!("| check of 1000 hosts | {check:.0} | | | {} |\n", Target::AtMost(1000.0).of(check))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, before, now] = match &arguments[..] {
        [once, command @ ..] if once == process::ONCE => return process::measure(command),
        [file, before, now] => [file, before, now],
        _ => panic!("usage: documents RESULTS.md VNET-BEFORE VNET-NOW"),
    };
    if std::env::vars_os().all(|(name, _)| name != KEEPING[0].0) {
        let itself = std::env::current_exe().unwrap();
        let status = Command::new(itself).args(&arguments).envs(KEEPING).status().unwrap();
        return assert!(status.success());
    }
    fs::create_dir_all(FOLDER).unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let mut others = Others::start();
    let [virt, libxml] = others.releases.clone();
    let head = HEAD.replace("VIRT", &virt).replace("LIBXML", &libxml).replace("TURNS", &TURNS.to_string());
    let mut text = head.replace("LOAD", load.split(' ').next().unwrap_or_default());
    text += &documents(&mut others);
    text += &process::section(before, now);
    print!("{text}");
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
