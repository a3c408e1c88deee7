//! Runs programs in the workspace's folder, and prints each command first.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A program that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the file or program of an error.
pub(crate) fn failed(about: &Path) -> impl Fn(std::io::Error) -> Failed {
    let about = about.display().to_string();
    move |error| Failed(format!("{about}: {error}"))
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace").to_owned()
}

/// Prints a command, runs it, and fails when it fails.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), Failed> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = Command::new(program).args(arguments).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failed(format!("`{line}` failed: {status}"))),
        Err(error) => Err(Failed(format!("`{line}` did not start: {error}"))),
    }
}

/// [`run`] in another folder.
pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), Failed> {
    run("env", &[&["--chdir", &folder.display().to_string(), program], arguments].concat())
}

/// Like [`run`], for the cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Result<(), Failed> {
    run(&cargo_program(), arguments)
}

/// Builds the programs that tests run, once, with what packages have, from the same libraries as
/// the tests.
pub(crate) fn build_programs() -> Result<(), Failed> {
    static BUILT: OnceLock<Result<(), Failed>> = OnceLock::new();
    let programs = ["vnet", "vnet-cni", "vnetd"].map(|bin| ["--bin", bin]);
    let build = || cargo(&[&["build", "--workspace", "--all-features"][..], &programs.concat()].concat());
    BUILT.get_or_init(build).clone()
}

/// Runs a program, shows each line of its output and passes it on, and returns whether the program
/// succeeded.
pub(crate) fn watch(program: &str, arguments: &[&str], mut line: impl FnMut(&str)) -> Result<bool, Failed> {
    let words = format!("{program} {}", arguments.join(" "));
    println!("$ {words}");
    let started = |error| Failed(format!("`{words}` did not start: {error}"));
    let (reader, writer) = std::io::pipe().map_err(started)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(started)?).stderr(writer);
    let mut child = command.spawn().map_err(started)?;
    // The pipe ends when its last writer has closed it.
    drop(command);
    for bytes in BufReader::new(reader).split(b'\n') {
        let bytes = bytes.map_err(started)?;
        let text = String::from_utf8_lossy(&bytes);
        println!("{text}");
        line(&text);
    }
    child.wait().map(|status| status.success()).map_err(started)
}

/// The cargo that runs us.
pub(crate) fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Whether the command succeeds. Its output is hidden.
pub(crate) fn can(program: &str, arguments: &[&str]) -> bool {
    let command = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// The standard output of a command.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, Failed> {
    let line = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program).args(arguments).current_dir(root()).stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(Failed(format!("`{line}` failed: {}", output.status))),
        Err(error) => Err(Failed(format!("`{line}` did not start: {error}"))),
    }
}
