//! Runs programs in tests, and waits for results.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use vnet_lab::Programs;

/// Runs a program and returns its output.
///
/// # Panics
/// With its standard error, when it fails.
pub fn run(program: &str, arguments: &[&str]) -> String {
    let line = format!("{program} {}", arguments.join(" "));
    // `ip` and its like are often not in an ordinary user's PATH.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(program).args(arguments).env("PATH", path).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("`{line}` did not start: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` failed: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap_or_else(|error| panic!("`{line}` printed no text: {error}"))
}

/// Like [`run`], for a program that prints JSON. Empty output is null: `ip` prints nothing for an
/// empty list.
///
/// # Panics
/// When it fails, or prints something else.
pub fn json(program: &str, arguments: &[&str]) -> Value {
    match run(program, arguments) {
        nothing if nothing.trim().is_empty() => Value::Null,
        text => serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("`{program} {}`: {error}:\n{text}", arguments.join(" "))),
    }
}

/// Runs a program with a document as its standard input.
///
/// # Panics
/// When it does not start, or ends before it has read the document.
pub fn tell(mut command: Command, document: &str) -> Output {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    child.stdin.take().expect("it was asked for").write_all(document.as_bytes()).expect("a program that reads");
    child.wait_with_output().expect("its output")
}

/// Runs `vnet` with a document as its standard input, and its state in `/run/vnet`. It answers in
/// JSON.
///
/// # Panics
/// Those of [`tell`].
pub fn tell_vnet(arguments: &[&str], document: &str) -> Output {
    let mut command = Command::new(vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments).args(["--format", "json"]);
    tell(command, document)
}

/// The same, and its answer.
///
/// # Panics
/// Those of [`tell`]; with its standard error, when it fails.
pub fn vnet_does(arguments: &[&str], document: &str) -> Value {
    let output = tell_vnet(arguments, document);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The command lines of all processes, each word with a NUL behind it.
///
/// # Panics
/// When there is no `/proc`.
pub fn commands() -> impl Iterator<Item = String> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned())
}

/// Asks until there is an answer.
///
/// # Panics
/// When there is no answer by the deadline.
pub fn wait_for<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < deadline, "waited {deadline:?} in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The program `vnet`, built in the same profile as the test.
///
/// # Panics
/// When it is not built.
pub fn vnet() -> PathBuf {
    built("vnet", "vnet-cli")
}

/// The program `vnetd`, built in the same profile as the test.
///
/// # Panics
/// When it is not built.
pub fn vnetd() -> PathBuf {
    built("vnetd", "vnetd")
}

/// The program `vnet-cni`, built in the same profile as the test.
///
/// # Panics
/// When it is not built.
pub fn vnet_cni() -> PathBuf {
    built("vnet-cni", "vnet-cni")
}

/// The programs that are installed, or unpacked below `target/unpacked`.
pub(crate) fn programs() -> Programs {
    let own = std::env::current_exe().expect("a program knows its file");
    // Tests are in target/PROFILE/deps, measurements in target/PROFILE.
    let unpacked = own.ancestors().map(|folder| folder.join("unpacked/usr/bin"));
    unpacked.fold(Programs::installed(), Programs::and_in)
}

/// A `$PATH` by which others find these programs, too.
pub fn path_to_programs() -> String {
    let own = program("ovn-northd");
    let folder = Path::new(&own).parent().expect("a file is in a folder").display();
    format!("{}:{folder}", std::env::var("PATH").unwrap_or_default())
}

/// The file of a program.
///
/// # Panics
/// When it is neither installed nor unpacked.
pub fn program(name: &str) -> String {
    let found = programs().find(name);
    let found = found.unwrap_or_else(|_| panic!("{name} is missing, `cargo xtask packages` installs or unpacks it"));
    found.display().to_string()
}

fn built(program: &str, package: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a program knows its file");
    let folder = test.parent().expect("a program is in a folder");
    // Tests are in `target/PROFILE/deps`, benchmarks above it.
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let built = profile.expect("a profile has a folder").join(program);
    assert!(built.is_file(), "{} is missing, build it first: cargo build -p {package}", built.display());
    built
}
