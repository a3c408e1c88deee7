//! Runs a test in namespaces of its own, by starting its program again for this one test.
//!
//! Threads cannot enter a user namespace (unshare(2): `EINVAL`), and libtest runs tests in threads.
//! So the test starts its program again in fresh namespaces, for itself alone, and takes over the
//! result.

use std::process::{Command, Output};

use vnet_lab::Isolation;

use crate::furnish;

/// Set for the program inside; the value is the name of the test.
const INSIDE: &str = "VNET_TEST_INSIDE";
/// Set to see how libtest announces a test, without running it.
const PROBE: &str = "VNET_TEST_PROBE";
/// Set by people whose machine has no user namespaces: tests then fail at once, with this reason.
const NO_NAMESPACES: &str = "VNET_TEST_NO_NAMESPACES";

/// Where a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In namespaces of its own: the test itself runs now.
    Inside,
    /// On the host, after the test has passed inside: nothing is left to do.
    Outside,
}

/// The value that a passed test returns.
pub trait Passed {
    /// Returns that value.
    fn passed() -> Self;
}

impl Passed for () {
    fn passed() -> Self {}
}

impl<E> Passed for Result<(), E> {
    fn passed() -> Self {
        Ok(())
    }
}

/// The first line of a test that uses the kernel. Everything after it runs in its own user,
/// network, mount, PID, IPC and UTS namespaces, as root in them. `lo` is up, and there are no other
/// links. `/run`, `/var/lib`, `/var/tmp` and `/tmp` are empty. `/etc` has no `/etc/vnet`, and new
/// files in it belong to the test. The rest of the host is read-only, except cargo's target folder.
/// Processes that the test starts end with it.
///
/// When the system refuses namespaces, the test fails and says what is missing.
#[macro_export]
macro_rules! isolate {
    () => {{
        fn here() {}
        if $crate::place(::core::any::type_name_of_val(&here)) == $crate::Place::Outside {
            return $crate::Passed::passed();
        }
    }};
}

/// The function behind [`isolate!`]; `here` is the path of a function within the test.
///
/// # Panics
/// When there are no namespaces, or when the test fails inside.
pub fn place(here: &str) -> Place {
    if std::env::var_os(PROBE).is_some() {
        return Place::Outside;
    }
    let name = test_name(here);
    if std::env::var(INSIDE).as_ref() == Ok(&name) {
        furnish::furnish();
        return Place::Inside;
    }
    match run_inside(&name) {
        Ok(output) => take_over(&name, &output),
        Err(reason) => unavailable(&name, &reason),
    }
}

fn run_inside(name: &str) -> Result<Output, String> {
    if std::env::var_os(NO_NAMESPACES).is_some() {
        return Err(format!("{NO_NAMESPACES} is set"));
    }
    let mut command = itself(name);
    let isolation = Isolation::of(command.env(INSIDE, name)).map_err(|error| error.to_string())?;
    command.output().map_err(|error| isolation.explain(error).to_string())
}

/// This program, for one test. The link in `/proc` leads to it even when its folder is closed to
/// our user.
fn itself(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    command.env("HOME", "/tmp");
    command
}

/// The environment variables that a test gets: the search path, and settings of the test program.
/// Variables that change vnet's behaviour, such as `VNET_STATE_DIR`, `XDG_RUNTIME_DIR` or
/// `NO_COLOR`, are removed.
fn is_kept(name: &str) -> bool {
    let families = ["CARGO", "INSTA_", "LLVM_PROFILE_", "NEXTEST", "PROPTEST_", "RUST_", "VNET_TEST_"];
    let is_kept = ["PATH", "LD_LIBRARY_PATH", "TERM", "VNET_BLESS", "VNET_SWEEP"].contains(&name);
    name != "RUST_TEST_SHUFFLE" && (is_kept || families.iter().any(|family| name.starts_with(family)))
}

/// Reports the result of the test inside as our own.
///
/// A test that should panic has to panic here too: with the same message, and only if it panicked
/// inside.
fn take_over(name: &str, output: &Output) -> Place {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    show(&stdout, &stderr);
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    match (passed, is_should_panic(name, output)) {
        (true, false) | (false, true) => Place::Outside,
        (true, true) => panic!("{stderr}"),
        (false, false) => panic!("{name} failed in its namespaces: {}", output.status),
    }
}

/// Fails the test. A test that should panic would count our panic as its own, so this ends the
/// process without one.
fn unavailable(name: &str, reason: &str) -> Place {
    let reason = format!("{name} needs namespaces of its own: {reason}");
    let probe = itself(name).env(PROBE, "1").output().expect("the test program runs again");
    assert!(is_should_panic(name, &probe), "{reason}");
    show("", &reason);
    Place::Outside
}

fn is_should_panic(name: &str, output: &Output) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(&format!("test {name} - should panic"))
}

/// libtest captures what goes through these macros.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "the output of a test")]
fn show(stdout: &str, stderr: &str) {
    print!("{stdout}");
    eprint!("{stderr}");
}

/// libtest's name of the test, which is also the name of its thread. The function's own path lacks
/// the case of an rstest; it is used when the test runs on the main thread.
fn test_name(here: &str) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => {
            let exact = std::env::args().skip(1).find(|word| !word.starts_with('-'));
            let path = here.split("::").collect::<Vec<_>>();
            exact.unwrap_or_else(|| path[1..path.len() - 1].join("::"))
        }
    }
}
