//! Whole processes: how long they take, and how much memory.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{FOLDER, KEEPING, Target};
use nix::sys::resource::{UsageWho, getrusage};

/// The argument before a command that is measured.
pub(crate) const ONCE: &str = "once";
/// How often each process is run.
const ROUNDS: usize = 101;
/// The most that a start may take beyond that of `/bin/true`, in milliseconds.
const START: f64 = 1.5;

const HEAD: &str = "
Whole processes in turns, medians of ROUNDS. Times are those of a program that was copied, as an installation does: what the linker
has written is in small pieces in the page cache, and starts 1 ms later. The older build is that of the rows on many networks.

| what | measured | against | more | target |
|---|---|---|---|---|
";

/// Runs one command and prints its peak of memory in KiB. This is a separate process, because the
/// kernel reports the peak of all children.
pub(crate) fn measure(command: &[String]) {
    run(&command.iter().map(String::as_str).collect::<Vec<_>>());
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss());
}

/// The value in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a command. Returns its milliseconds.
fn run(command: &[&str]) -> f64 {
    let mut process = Command::new(command[0]);
    let folder = |name: &str| format!("{FOLDER}/{name}");
    for (name, _) in KEEPING {
        process.env_remove(name);
    }
    process.args(&command[1..]).env("VNET_STATE_DIR", folder("state")).env("VNET_CONFIG_DIR", folder("config"));
    let begin = Instant::now();
    let status = process.stdout(Stdio::null()).status().unwrap();
    let elapsed = begin.elapsed().as_secs_f64() * 1000.0;
    assert!(status.success(), "{command:?} failed");
    elapsed
}

/// The peak of memory of a command in MiB.
fn peak(command: &[&str]) -> f64 {
    let output = Command::new("/proc/self/exe").arg(ONCE).args(command).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).unwrap().trim().parse::<f64>().unwrap() / 1024.0
}

/// The rows on processes.
pub(crate) fn section(before: &str, now: &str) -> String {
    let copy = &format!("{FOLDER}/vnet");
    std::fs::copy(now, copy).unwrap();
    let [default, many] = ["default", "10000"].map(|name| format!("{FOLDER}/{name}.xml"));
    let commands: [&[&str]; 3] = [&["/bin/true"], &[copy, "--version"], &[copy, "check", &default]];
    let mut times = [(); 3].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        for (command, times) in commands.iter().zip(&mut times) {
            times.push(run(command));
        }
    }
    let [bare, version, check] = times.map(median);
    let mut text = HEAD.replace("ROUNDS", &ROUNDS.to_string());
    for (what, time) in [("`vnet --version`", version), ("`vnet check` of the default network", check)] {
        let (more, target) = (time - bare, Target::AtMost(START).of(time - bare));
        text += &format!("| {what} / `/bin/true`, ms | {time:.2} | {bare:.2} | {more:.2} | {target} |\n");
    }
    let peaks = [now, before].map(|program| median((0..5).map(|_| peak(&[program, "check", &many])).collect()));
    let (more, target) = (peaks[0] - peaks[1], Target::AtMost(0.0).of(peaks[0] - peaks[1]));
    let what = "peak memory of `vnet check` of 10 000 hosts / the older build, MiB";
    text + &format!("| {what} | {:.1} | {:.1} | {more:.1} | {target} |\n", peaks[0], peaks[1])
}
