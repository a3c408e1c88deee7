//! Chores of the workspace: `cargo xtask demo`, `cargo xtask test`, `cargo xtask packages`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

#[cfg(test)]
mod arrows;
mod instructions;
mod packages;
mod run;
mod unprivileged;
mod vm;

use std::process::ExitCode;

use run::{Failed, cargo, run};
use vm::tests::Which;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo          install what is missing, build, and run `vnet try` on a NAT and an isolated network
  test          install what is missing, then formatting, lints and every test: as this user and, for root, as nobody too
  unprivileged  of these, only the tests as nobody
  vmtest [NAME] the integration tests on another kernel, in a virtual machine; `test` runs there
                those that need one and those to which the kernel matters most
  guest         make the guest that tests boot, in target/vm: without it they are reported as ignored
  instructions  of these, only that reading, checking and printing take no more instructions than recorded
  bench         measure rules against libvirt's and the bare kernel, and write benches/RESULTS.md
  packages      print the programs that are needed and the packages that have them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo(),
        ["test"] => test(),
        ["unprivileged"] => cargo(&["build", "--package", "vnet-cli"]).and_then(|()| unprivileged::test()),
        ["vmtest"] => packages::install().and_then(|()| vm::tests::test(Which::All)),
        ["vmtest", name] => packages::install().and_then(|()| vm::tests::test(Which::Named(name))),
        ["guest"] => packages::install().and_then(|()| vm::guest::image()),
        ["instructions"] => packages::install().and_then(|()| instructions::check(false)),
        ["instructions", "record"] => instructions::check(true),
        ["bench"] => bench(),
        ["packages"] => {
            print!("{}", packages::table());
            Ok(())
        }
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

/// In namespaces of its own, in release.
fn bench() -> Result<(), Failed> {
    packages::install()?;
    cargo(&["build", "--release", "--package", "vnet-benches", "--bin", "firewall"])?;
    run("unshare", &["--map-root-user", "--net", "--mount", "target/release/firewall", "benches/RESULTS.md"])
}

fn test() -> Result<(), Failed> {
    packages::install()?;
    vm::guest::image()?;
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"])?;
    cargo(&["build", "--package", "vnet-cli"])?;
    cargo(&["test", "--workspace", "--all-features"])?;
    if run::can("cargo", &["nextest", "--version"]) {
        cargo(&["nextest", "run", "--workspace", "--all-features"])?;
    } else {
        println!("xtask: cargo-nextest is not installed: the tests ran under `cargo test` only");
    }
    if run::can("cargo", &["deny", "--version"]) {
        cargo(&["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        println!("xtask: cargo-deny is not installed: licences and sources were not checked");
    }
    unprivileged::test()?;
    instructions::check(false)?;
    vm::tests::test(Which::Chosen)
}
