//! The firewall's speed, as ratios measured in one run: `cargo xtask bench`.
//!
//! Everything runs in namespaces. The variants take turns in short slices, so that other work of
//! the machine affects all of them alike. The numbers are medians.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]
#![allow(clippy::print_stdout, reason = "a program for people")]

mod apply;
mod forward;
mod machine;
mod rules;

use std::fs;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("usage: firewall RESULTS.md [apply|forward|machine]");
    let only = arguments.next();
    if only.as_deref() == Some("machine") {
        return fs::write(file, machine::report()).unwrap();
    }
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let parts: Vec<String> =
        [wanted("apply").then(apply::report), wanted("forward").then(forward::report)].into_iter().flatten().collect();
    let text = format!("{}\n{}", head(), parts.join("\n"));
    print!("{text}");
    fs::write(file, text).unwrap();
}

fn head() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    format!(
        "# Speed of the firewall

Made by `cargo xtask bench`. The numbers are medians, and variants run in turns. Compare only ratios.

Machine: {} x {}, Linux {}, load average {} at the start.
",
        cpu.matches("model name").count(),
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}
