//! A test in namespaces of its own, by running its own program again for this one test.
//!
//! Threads cannot enter a user namespace (unshare(2): `EINVAL`), and libtest runs tests in threads.
//! So the test starts its program anew, in fresh namespaces, for itself alone, and takes over what
//! comes of it.

use std::process::{Command, Output};

use vnet_lab::Isolation;

use crate::furnish;

/// Set for the program that runs inside; the value is the test's name.
const INSIDE: &str = "VNET_TEST_INSIDE";
/// Set to see how libtest announces a test, without running any of it.
const PROBE: &str = "VNET_TEST_PROBE";
/// Set by people whose machine has no user namespaces: the tests then fail at once, with this
/// reason.
const NO_NAMESPACES: &str = "VNET_TEST_NO_NAMESPACES";

/// Where a test finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In namespaces of its own: time for the test proper.
    Inside,
    /// On the host, when the test inside has passed: nothing is left to do.
    Outside,
}

/// What a test that has passed returns.
pub trait Passed {
    /// That value.
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

/// The first line of a test that touches the kernel: everything after it runs in its own user,
/// network, mount, PID, IPC and UTS namespace, as root of them, with `lo` up, nothing else on the
/// network, empty `/run`, `/var/lib`, `/var/tmp` and `/tmp`, and an `/etc` without `/etc/vnet` in
/// which new files are its own. All else of the host is read-only, but for cargo's target folder.
/// What the test starts ends with it.
///
/// Where the system gives no namespaces the test fails and says what is missing.
#[macro_export]
macro_rules! isolate {
    () => {{
        fn here() {}
        if $crate::place(::core::any::type_name_of_val(&here)) == $crate::Place::Outside {
            return $crate::Passed::passed();
        }
    }};
}

/// What [`isolate!`] asks; `here` is the path of a function within the test.
///
/// # Panics
/// When there are no namespaces, or when the test fails in its own.
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

/// This program, for one test. The link in `/proc` leads to it even where its folder is closed to
/// our user.
fn itself(name: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--nocapture", "--include-ignored", "--test-threads=1"]);
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    command.env("HOME", "/tmp");
    command
}

/// What of the environment reaches a test: where programs are, and what is said to the test program
/// itself. What would change vnet's behaviour, such as `VNET_STATE_DIR`, `XDG_RUNTIME_DIR` or
/// `NO_COLOR`, does not.
fn is_kept(name: &str) -> bool {
    let families = ["CARGO", "INSTA_", "LLVM_PROFILE_", "NEXTEST", "PROPTEST_", "RUST_", "VNET_TEST_"];
    let is_kept = ["PATH", "LD_LIBRARY_PATH", "TERM", "VNET_BLESS"].contains(&name);
    name != "RUST_TEST_SHUFFLE" && (is_kept || families.iter().any(|family| name.starts_with(family)))
}

/// Reports as our own what the test inside has reported.
///
/// A test that should panic has to do so out here as well: in the same words, and only if it did
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

/// Fails the test. One that should panic would take a panic of ours for its own, so it has to end
/// without.
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

/// The name libtest knows the test by, which it gives to the thread too. The function's own path
/// lacks the case of an rstest; it serves where the test runs on the main thread.
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
