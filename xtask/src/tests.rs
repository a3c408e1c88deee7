//! Runs the tests as this user, and for root also as `nobody`. Tests that work in a user namespace
//! must not need root outside of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::available_parallelism;

use serde_json::Value;

use crate::run::{Failed, build_programs, can, cargo_program, output, root, watch};
use crate::tally::Tally;

const WORKSPACE: [&str; 2] = ["--workspace", "--all-features"];

/// Runs a program with a `/dev/net/tun` that everyone may open.
const WITH_TUN: [&str; 8] = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    "mount -t tmpfs -o mode=755 none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun \
     && exec \"$@\"",
    "sh",
];

const NOBODY: [&str; 3] = ["--reuid=nobody", "--regid=65534", "--clear-groups"];

/// A tier of tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The tests of each crate, and the examples in its documentation.
    Unit,
    /// The integration tests, in namespaces.
    Kernel,
}

impl Tier {
    fn has(self, program: &TestProgram) -> bool {
        program.is_integration() == (self == Self::Kernel)
    }

    /// How many tests run at once. Those of the kernel mostly wait: for a program, a lease, a limit
    /// on time.
    fn threads(self) -> String {
        let processors = available_parallelism().map_or(1, |number| number.get());
        let each = if self == Self::Kernel { 4 } else { 1 };
        format!("--test-threads={}", processors * each)
    }
}

/// Whether this user is root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a tier as this user, and for root also as `nobody`.
pub(crate) fn test(tier: Tier) -> Tally {
    if let Err(failed) = build_programs() {
        return Tally::of(Err(failed));
    }
    let examples = if tier == Tier::Unit { documentation() } else { Ok(Tally::default()) };
    [as_this_user(tier), examples, unprivileged(tier)].into_iter().map(Tally::or_failed).sum()
}

/// Runs the tests with nextest, which gives each test a process. Without nextest, each test program
/// is one process.
fn as_this_user(tier: Tier) -> Result<Tally, Failed> {
    if has_nextest() {
        return nextest(tier, &[]);
    }
    println!("xtask: cargo-nextest is not installed: tests of one program share a process");
    programs(tier)?.iter().map(|program| run_program(program, tier, &[])).collect::<Result<Vec<_>, _>>().map(sum)
}

fn has_nextest() -> bool {
    can(&cargo_program(), &["nextest", "--version"])
}

/// Runs a tier with nextest, started through another program. A test that uses the kernel and
/// fails is run once more: a busy machine loses a packet now and then. The end names such tests and
/// counts them.
fn nextest(tier: Tier, wrapper: &[&str]) -> Result<Tally, Failed> {
    let filter = match tier {
        Tier::Unit => "not package(vnet-tests)",
        Tier::Kernel => "package(vnet-tests)",
    };
    let (cargo, threads) = (cargo_program(), tier.threads());
    let retries = if tier == Tier::Kernel { "--retries=1" } else { "--retries=0" };
    let nextest =
        [cargo.as_str(), "nextest", "run", "--no-fail-fast", "--color=never", retries, &threads, "-E", filter];
    counted("env", &[wrapper, &nextest[..], &WORKSPACE].concat())
}

fn documentation() -> Result<Tally, Failed> {
    let doc = [&["test", "--doc", "--no-fail-fast"], &WORKSPACE[..]].concat();
    // Each crate has a last line.
    let mut tallies = Vec::new();
    let succeeded = watch(&cargo_program(), &doc, |line| {
        let mut tally = Tally::default();
        tally.line(line);
        tallies.push(tally);
    })?;
    Ok(sum(tallies).with_status(succeeded))
}

/// Runs the built test programs as `nobody`. An ordinary user has run them already.
pub(crate) fn unprivileged(tier: Tier) -> Result<Tally, Failed> {
    if !is_root() {
        println!("xtask: the tests ran as an unprivileged user; as root, they run as root too");
        return Ok(Tally::default());
    }
    // xtask's own tests run cargo, which nobody may be unable to run; they do not use the kernel.
    let programs: Vec<_> = programs(tier)?.into_iter().filter(|program| program.name != "xtask").collect();
    let user = as_nobody(&programs)?;
    // Distributions let everyone open it; containers often do not.
    let has_tun = can("setpriv", &[&user[..], &["test", "-w", "/dev/net/tun"]].concat());
    let tun = if has_tun { &[][..] } else { &WITH_TUN };
    if tier == Tier::Kernel && has_nextest() {
        let runner = format!("{}=setpriv {}", runner_variable()?, user.join(" "));
        let variables = [without_cargo(), runner];
        return nextest(tier, &[&variables.each_ref().map(String::as_str), tun].concat());
    }
    let wrapper = [tun, &["setpriv"], &user[..]].concat();
    programs.iter().map(|program| run_program(program, tier, &wrapper)).collect::<Result<Vec<_>, _>>().map(sum)
}

/// Runs a test program through another program.
fn run_program(program: &TestProgram, tier: Tier, wrapper: &[&str]) -> Result<Tally, Failed> {
    let folder = format!("--chdir={}", package_folder(program)?.display());
    let (threads, snapshots) = (tier.threads(), without_cargo());
    let arguments = [&[folder.as_str(), &snapshots], wrapper, &[&program.executable, &threads]].concat();
    counted("env", &arguments)
}

/// The variable without which insta would run cargo, which nobody may be unable to run.
fn without_cargo() -> String {
    format!("INSTA_WORKSPACE_ROOT={}", root().display())
}

/// The variable for the program through which cargo and nextest run tests.
fn runner_variable() -> Result<String, Failed> {
    let version = output("rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failed("rustc does not say for which host it builds".to_owned()))?;
    Ok(format!("CARGO_TARGET_{}_RUNNER", host.replace('-', "_").to_uppercase()))
}

/// Runs a program that prints how many tests passed.
fn counted(program: &str, arguments: &[&str]) -> Result<Tally, Failed> {
    let mut tally = Tally::default();
    let succeeded = watch(program, arguments, |line| tally.line(line))?;
    Ok(tally.with_status(succeeded))
}

fn sum(tallies: Vec<Tally>) -> Tally {
    tallies.into_iter().sum()
}

/// A built test program.
pub(crate) struct TestProgram {
    /// The name of its source file.
    pub(crate) name: String,
    pub(crate) executable: String,
    manifest: String,
}

impl TestProgram {
    /// Whether it belongs to the integration tests.
    pub(crate) fn is_integration(&self) -> bool {
        Path::new(&self.manifest) == root().join("tests/Cargo.toml")
    }
}

fn programs(tier: Tier) -> Result<Vec<&'static TestProgram>, Failed> {
    Ok(test_programs()?.iter().filter(|program| tier.has(program)).collect())
}

/// Builds the test programs of the workspace, once.
pub(crate) fn test_programs() -> Result<&'static [TestProgram], Failed> {
    static BUILT: OnceLock<Result<Vec<TestProgram>, Failed>> = OnceLock::new();
    BUILT.get_or_init(build_tests).as_deref().map_err(Failed::clone)
}

fn build_tests() -> Result<Vec<TestProgram>, Failed> {
    let build = [&["test", "--no-run", "--message-format=json"], &WORKSPACE[..]].concat();
    let listed = output(&cargo_program(), &build)?;
    let messages = listed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter(|message| message["profile"]["test"] == true).filter_map(|message| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(TestProgram {
            name: text(&message["target"]["name"])?,
            executable: text(&message["executable"])?,
            manifest: text(&message["manifest_path"])?,
        })
    });
    match programs.collect::<Vec<_>>() {
        programs if programs.is_empty() => Err(Failed("cargo named no test program".to_owned())),
        programs => Ok(programs),
    }
}

fn package_folder(program: &TestProgram) -> Result<&Path, Failed> {
    Path::new(&program.manifest).parent().ok_or_else(|| Failed(format!("{} is in no folder", program.manifest)))
}

/// The arguments for setpriv(1). If `nobody` cannot reach the workspace, it may read past the
/// folders above it.
fn as_nobody(programs: &[&TestProgram]) -> Result<Vec<&'static str>, Failed> {
    let reaches = |user: &[&str]| {
        let probe = |path: &str| can("setpriv", &[user, &["test", "-r", path]].concat());
        probe(&root().join("Cargo.toml").display().to_string())
            && programs.iter().all(|program| probe(&program.executable))
    };
    let past = [&NOBODY[..], &["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]].concat();
    if reaches(&NOBODY) {
        Ok(NOBODY.to_vec())
    } else if reaches(&past) {
        println!("xtask: nobody cannot reach {}: it gets the capability to read it", root().display());
        Ok(past)
    } else {
        Err(Failed(format!("nobody cannot read {}", root().display())))
    }
}
