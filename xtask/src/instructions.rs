//! Counts the instructions of each arrow of the data flow with valgrind. Wall-clock times vary more
//! from run to run than most changes cost; instruction counts do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run::{Failed, failed, output, root};

/// The file with the recorded counts.
const RECORD: &str = "benches/instructions.txt";
/// An increase of more than this percentage is a failure. Compilers differ by less.
const TOLERANCE: u64 = 10;

/// Counts in this tree and in another one, and prints the ratios.
pub(crate) fn compare(before: &Path) -> Result<(), Failed> {
    let (before, now) = (counts(before)?, counts(&root())?);
    println!("| instructions of | before | now | now / before |\n|---|---|---|---|");
    for (name, now) in &now {
        match before.get(name) {
            Some(before) => println!("| {name} | {before} | {now} | {:.2} |", *now as f64 / *before as f64),
            None => println!("| {name} | | {now} | |"),
        }
    }
    Ok(())
}

/// The number of instructions of each arrow, by name.
fn counts(tree: &Path) -> Result<BTreeMap<String, u64>, Failed> {
    let program = build(tree)?;
    let arrows = output(&program, &[])?;
    let mut counted = BTreeMap::new();
    for arrow in arrows.lines() {
        let (name, times) = arrow.rsplit_once(' ').expect("a name and a number");
        let times: u64 = times.parse().expect("a number");
        // Work that happens once is in both counts and cancels out.
        let (few, many) = (count(&program, name, times)?, count(&program, name, 2 * times)?);
        counted.insert(name.to_owned(), (many - few) / times);
    }
    Ok(counted)
}

/// Counts, then compares with the recorded counts, or records them.
pub(crate) fn check(record: bool) -> Result<(), Failed> {
    let counted = counts(&root())?;
    let file = root().join(RECORD);
    if record {
        let lines: String = counted.iter().map(|(name, count)| format!("{count:>10} {name}\n")).collect();
        return fs::write(&file, lines).map_err(failed(&file));
    }
    let recorded = fs::read_to_string(&file).map_err(failed(&file))?;
    let recorded: BTreeMap<&str, u64> = recorded
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .filter_map(|(count, name)| Some((name, count.parse().ok()?)))
        .collect();
    let mut worse = Vec::new();
    for (name, count) in &counted {
        let before = recorded.get(name.as_str()).copied().unwrap_or_default();
        println!("{count:>10} instructions, {before:>10} before: {name}");
        if *count > before + before * TOLERANCE / 100 {
            worse.push(name.as_str());
        }
    }
    if worse.is_empty() {
        return Ok(());
    }
    let names = worse.join(", ");
    Err(Failed(format!(
        "more instructions than recorded in {RECORD}: {names}; `cargo xtask instructions record` if they are worth it"
    )))
}

fn build(tree: &Path) -> Result<String, Failed> {
    let manifest = format!("--manifest-path={}", tree.join("Cargo.toml").display());
    let target = format!("--target-dir={}", tree.join("target").display());
    let bench = ["bench", "--package=vnet-arrows", "--bench=instructions", "--no-run", "--message-format=json"];
    let messages = output("cargo", &[&bench[..], &[manifest.as_str(), &target]].concat())?;
    let programs = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = programs.filter(|message| message["target"]["name"] == "instructions");
    let mut programs = programs.filter_map(|message| message["executable"].as_str().map(str::to_owned));
    programs.next_back().ok_or_else(|| Failed("cargo named no benchmark".to_owned()))
}

fn count(program: &str, name: &str, times: u64) -> Result<u64, Failed> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--log-fd=1", "--tool=callgrind", "--callgrind-out-file=/dev/null"]).args([
        program,
        name,
        &times.to_string(),
    ]);
    let run = valgrind.output().map_err(failed(Path::new("valgrind")))?;
    let log = String::from_utf8_lossy(&run.stdout);
    let counted = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.ok_or_else(|| Failed(format!("valgrind counted nothing for `{name}`:\n{log}")))
}
