//! Chores of the workspace: `cargo xtask` lists them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod api;
#[cfg(test)]
mod arrows;
mod checks;
mod compare;
mod crates;
mod dist;
mod instructions;
mod metadata;
mod packages;
mod peers;
mod run;
mod tally;
mod tests;
mod tidy;
mod vm;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Instant;

use run::{Failed, build_programs, cargo, failed, root, run};
use tally::Tally;
use tests::Tier;
use vm::tests::Which;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo          install what is missing, build, and run `vnet try` on a NAT and an isolated network
  test          install what is missing, then all of the following checks; the last line says how many passed

Each check alone:
  tidy          lines and files that are too long, words, leftovers
  lint          formatting, lints, licences
  doc           documentation without a warning
  msrv          the Rust release that Cargo.toml promises
  features      each package without features, and with each of them alone
  api [--write] the public API of each library is that of its api.txt
  unit          the tests of each crate, and the examples in their documentation; for root as nobody too
  kernel        the integration tests, in namespaces; for root as nobody too
  peers [SUITE] vnet with dnsmasq, passt and nft of Debian stable, or of another of its releases, such as sid
  instructions [record]
                reading, checking and printing take no more instructions than recorded
  boot          Debian with systemd in a virtual machine, booted three times: what starts at boot, and what firewalls flush
  vm [NAME]     integration tests on another kernel, in a virtual machine: those that need one and those to which
                the kernel matters most; `all`, or those with NAME in their name

More:
  tidy --fix [PATH]...
                wrap the comments and the Markdown that are too long, below these paths only if any are given
  guest         make the guest that tests boot, in target/vm: without it they are reported as ignored
  bench         measure rules against libvirt's and the bare kernel, many networks against an older build, and
                containers against CNI's reference plugins, documents against libvirt and libxml2, and write
                benches/RESULTS.md
  bench vm      count the instructions of forwarding in a virtual machine, and write that section alone
  compare COMMIT
                time, memory and instructions of this tree and of that commit, in one run
  crates        make each package's .crate file, and run its tests from that alone
  dist [here]   .deb, .rpm and tarball of static programs, for x86_64 and aarch64 or for this machine alone, in target/dist
  dist again    make them again from the commit, in another folder, and compare
  installed     install the .deb of target/dist in trees of Debian 12 and 13, use, upgrade and purge it; lintian;
                install, use and erase the .rpm
  packages      print the programs that are needed and the packages that have them";

/// A check and its name.
type Check = (&'static str, fn() -> Tally);

/// The checks of `test`.
const CHECKS: [Check; 12] = [
    ("tidy", tidy::check),
    ("lint", checks::lint),
    ("doc", checks::doc),
    ("msrv", checks::msrv),
    ("features", checks::features),
    ("api", || api::check(false)),
    ("unit", || tests::test(Tier::Unit)),
    ("kernel", || tests::test(Tier::Kernel)),
    ("peers", || peers::test(peers::STABLE)),
    ("instructions", || Tally::of(instructions::check(false))),
    ("boot", vm::boot::test),
    ("vm", || vm::tests::test(Which::Chosen)),
];

/// Those that leave a processor idle: `test` runs [`BUILDS`] beside them.
const IDLE: [&str; 4] = ["boot", "vm", "peers", "instructions"];
/// Those that only build, in one folder, where cargo does one thing at a time.
const BUILDS: [&str; 5] = ["lint", "doc", "msrv", "features", "api"];

fn main() -> ExitCode {
    if api::is_rustdoc() {
        return api::rustdoc();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["demo"] => demo(),
        ["test"] => test(),
        ["api", "--write"] => all(&[("api", || api::check(true))]),
        ["tidy", "--fix", ref paths @ ..] => tidy::fix(paths),
        ["instructions", "record"] => instructions::check(true),
        ["vm", "all"] => installed().and_then(|()| end(&[("vm", vm::tests::test(Which::All))])),
        ["vm", name] => installed().and_then(|()| end(&[("vm", vm::tests::test(Which::Named(name)))])),
        ["peers", release] => end(&[("peers", peers::test(release))]),
        ["guest"] => installed(),
        ["bench"] => bench(),
        ["bench", "vm"] => vm::bench::write_to(Path::new(RESULTS)),
        ["compare", commit] => compare::compare(commit),
        ["crates"] => crates::check(),
        ["dist"] => dist::dist(),
        ["dist", "here"] => dist::here(),
        ["dist", "again"] => dist::again(),
        ["installed"] => dist::installed(),
        ["packages"] => {
            print!("{}", packages::table());
            Ok(())
        }
        [_, ..] if words.iter().all(|word| CHECKS.iter().any(|(check, _)| check == word)) => check(&words),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("xtask: {failed}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Failed> {
    packages::install_for_vnet()?;
    cargo(&["build", "--release", "--package", "vnet-cli"])?;
    let files = ["nat-default", "isolated-reservations"].map(|name| format!("testdata/network/valid/{name}.xml"));
    run("target/release/vnet", &["try", &files[0], &files[1]])
}

/// The commit that many networks are compared with: the last one whose costs grew with their
/// number.
const BEFORE: &str = "799bf8a6fbd2cf75a6a46e2747218de74a4714f9";

const RESULTS: &str = "benches/RESULTS.md";

/// Runs the benchmarks in namespaces of their own, in release mode.
fn bench() -> Result<(), Failed> {
    packages::install()?;
    let (_, before) = compare::build(BEFORE)?;
    cargo(&["build", "--release", "--package", "vnet-cli", "--package", "vnet-cni"])?;
    let bins = ["firewall", "many", "containers", "open_vswitch", "ovn"].map(|bin| ["--bin", bin]);
    cargo(&[&["build", "--release", "--package", "vnet-benches"][..], &bins.concat()].concat())?;
    let (namespaces, results) = (["--map-root-user", "--net", "--mount"], RESULTS);
    run("unshare", &[&namespaces[..], &["target/release/firewall", results]].concat())?;
    run("unshare", &[&namespaces[..], &["target/release/many", results, &before, "target/release/vnet"]].concat())?;
    // The network of the last container has a dnsmasq, which ends with its namespace.
    let ending = ["--pid", "--fork", "--mount-proc"];
    let containers = ["target/release/containers", results, "target/release/vnet-cni"];
    run("unshare", &[&namespaces[..], &ending, &containers].concat())?;
    run("unshare", &[&namespaces[..], &ending, &["target/release/open_vswitch", results]].concat())?;
    run("unshare", &[&namespaces[..], &ending, &["target/release/ovn", results]].concat())?;
    vm::bench::write_to(Path::new(results))?;
    cargo(&["build", "--release", "--package", "vnet-documents"])?;
    run("target/release/documents", &[results, &before, "target/release/vnet"])
}

/// Installs the programs that tests run, and builds the guest that they boot.
fn installed() -> Result<(), Failed> {
    packages::install()?;
    vm::guest::image()
}

/// Runs checks by their names.
fn check(names: &[&str]) -> Result<(), Failed> {
    if ["unit", "kernel", "instructions", "boot", "vm"].iter().any(|name| names.contains(name)) {
        installed()?;
    }
    all(&named(names))
}

fn named(names: &[&str]) -> Vec<Check> {
    CHECKS.into_iter().filter(|(check, _)| names.contains(check)).collect()
}

/// Runs every check, and ends with one line for all.
fn test() -> Result<(), Failed> {
    installed()?;
    let mut tallies = each(&named(&["tidy"]));
    // What the others run is built before, so that they do not wait for BUILDS.
    if let Err(failed) = build_programs().and_then(|()| tests::test_programs().map(drop)) {
        tallies.push(("build", Tally::of(Err(failed))));
        return end(&tallies);
    }
    tallies.extend(thread::scope(|scope| {
        let builds = scope.spawn(builds);
        let idle = each(&named(&IDLE));
        let builds = builds.join().expect("it does not panic");
        [idle, builds].concat()
    }));
    let last: Vec<Check> =
        CHECKS.into_iter().filter(|(name, _)| tallies.iter().all(|(done, _)| done != name)).collect();
    tallies.extend(each(&last));
    end(&tallies)
}

/// Runs the checks of [`BUILDS`] in a process that others go before, and prints its output when it
/// has ended.
fn builds() -> Vec<(&'static str, Tally)> {
    let output = std::env::current_exe().and_then(|this| {
        let words = ["-c", "exec nice -n 5 \"$@\" 2>&1", "sh", &this.display().to_string()];
        Command::new("sh").args(words).args(BUILDS).current_dir(root()).output()
    });
    let output = match output.map_err(failed(Path::new("sh"))) {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(failed) => failed.to_string(),
    };
    println!("{output}");
    let told = |name: &'static str| {
        let begin = format!("xtask: {name}: ");
        let tally = output.lines().find_map(|line| tally::told(line.strip_prefix(&begin)?));
        let Some(tally) = tally else {
            return (name, Tally::of(Err(Failed(format!("{name} did not come to its end")))));
        };
        let failure = format!("{FAILURE}{name}: ");
        let names = output.lines().filter_map(|line| line.strip_prefix(&failure).map(str::to_owned)).collect();
        (name, Tally { names, ..tally })
    };
    BUILDS.map(told).to_vec()
}

/// What a line begins with that names a failure.
const FAILURE: &str = "failed, once or for good: ";

/// Runs every check, even after a failure, and ends with the names of what failed and one line for
/// all.
fn all(checks: &[Check]) -> Result<(), Failed> {
    end(&each(checks))
}

fn each(checks: &[Check]) -> Vec<(&'static str, Tally)> {
    let run = |(name, check): &Check| {
        let begin = Instant::now();
        let tally = check();
        println!("xtask: {name}: {tally}, in {} s", begin.elapsed().as_secs());
        (*name, tally)
    };
    checks.iter().map(run).collect()
}

fn end(tallies: &[(&str, Tally)]) -> Result<(), Failed> {
    if let [_, _, ..] = tallies {
        tallies.iter().for_each(|(name, tally)| println!("{name:<13} {tally}"));
    }
    for (name, tally) in tallies {
        tally.names.iter().for_each(|failed| println!("{FAILURE}{name}: {failed}"));
    }
    let tally: Tally = tallies.iter().map(|(_, tally)| tally.clone()).sum();
    println!("{tally}");
    if tally.failed == 0 { Ok(()) } else { Err(Failed("not everything passed".to_owned())) }
}

#[cfg(test)]
mod verbs {
    use std::fs;

    use super::USAGE;
    use crate::run::root;

    /// Workflows and documents call what there is.
    #[test]
    fn each_verb_that_is_called_exists() {
        let known: Vec<&str> = USAGE.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let files = ["README.md", "CONTRIBUTING.md", "RELEASING.md", "docs/packagers.md"].map(|file| root().join(file));
        let workflows = fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path());
        let mut called = 0;
        for file in files.into_iter().chain(workflows) {
            let text = fs::read_to_string(&file).unwrap();
            for verb in text.split("cargo xtask ").skip(1).filter_map(|rest| rest.split([' ', '`', '\n']).next()) {
                called += 1;
                assert!(verb.starts_with("${{") || known.contains(&verb), "{}: {verb}", file.display());
            }
        }
        assert!(called > 20, "{called}");
    }

    /// The workflow `ci` tries what the README tells to install.
    #[test]
    fn the_workflow_has_the_lines_of_the_readme() {
        let readme = fs::read_to_string(root().join("README.md")).unwrap();
        let workflow = fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
        let table = readme.split("what the build needs").nth(1).unwrap().split("\n\n").next().unwrap();
        let commands: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
        assert!(commands.len() >= 5, "{commands:?}");
        for command in commands {
            // Who is root in a container needs no sudo, and is there to answer nothing.
            let command = command.trim_start_matches("sudo ").replace("install ", "install -y ");
            assert!(workflow.contains(&command), "{command}");
        }
    }
}
