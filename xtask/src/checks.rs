//! Checks by the compiler and its tools.

use crate::metadata::{packages, promised_rust, too_new};
use crate::run::{Failed, can, cargo, cargo_program, run};
use crate::tally::Tally;

/// The arguments for clippy and rustdoc that turn warnings into errors.
const STRICT: [&str; 3] = ["--", "--deny", "warnings"];

/// Formatting, clippy's warnings, and, if cargo-deny is installed, licences and sources.
pub(crate) fn lint() -> Tally {
    let clippy = ["clippy", "--workspace", "--all-targets", "--all-features"];
    let deny = match can(&cargo_program(), &["deny", "--version"]) {
        true => Some(cargo(&["deny", "check", "bans", "licenses", "sources"])),
        false => {
            println!("xtask: cargo-deny is not installed: licences and sources were not checked");
            None
        }
    };
    let results = [cargo(&["fmt", "--all", "--check"]), cargo(&[&clippy[..], &STRICT].concat())];
    results.into_iter().chain(deny).map(Tally::of).sum()
}

/// Builds the documentation; a warning, such as a broken link, is an error.
pub(crate) fn doc() -> Tally {
    let doc = ["RUSTDOCFLAGS=--deny warnings", &cargo_program(), "doc", "--workspace", "--no-deps", "--all-features"];
    Tally::of(run("env", &doc))
}

/// Builds each package without features, and with each feature alone.
pub(crate) fn features() -> Tally {
    let packages = match packages() {
        Ok(packages) => packages,
        Err(failed) => return Tally::of(Err(failed)),
    };
    let published = packages.iter().filter(|package| package.is_published);
    let builds = published.flat_map(|package| {
        let alone = package.features.iter().map(|feature| (&package.name, feature.as_str()));
        std::iter::once((&package.name, "")).chain(alone)
    });
    // This uses clippy because its arguments apply to these packages alone: rustc's arguments would
    // rebuild everything.
    let build = |(name, feature): (&String, &str)| {
        let clippy = ["clippy", "--quiet", "--package", name, "--no-default-features", "--features", feature];
        Tally::of(cargo(&[&clippy[..], &STRICT].concat()))
    };
    builds.map(build).sum()
}

/// Builds the workspace with the Rust release that `Cargo.toml` promises.
///
/// Uses that toolchain if rustup has it. Without it, cargo finds dependencies that need a newer
/// release, and clippy's `incompatible_msrv`, one of its warnings in [`lint`], finds uses of newer
/// parts of the standard library. Newer language features are then not found.
pub(crate) fn msrv() -> Tally {
    Tally::of(promised_rust().and_then(|release| with_release(&release)))
}

fn with_release(release: &str) -> Result<(), Failed> {
    let too_new = too_new(release)?;
    if !too_new.is_empty() {
        let remedy = format!("`cargo update --precise` to an older one, or a newer rust-version than {release}");
        return Err(Failed(format!("{}: {remedy}", too_new.join(", "))));
    }
    let toolchain = format!("{release}.0");
    if can("rustup", &["run", &toolchain, "cargo", "--version"]) {
        let check = ["run", &toolchain, "cargo", "check", "--workspace", "--all-features", "--target-dir=target/msrv"];
        return run("rustup", &check);
    }
    println!(
        "xtask: Rust {toolchain} is not installed: `lint` judges; `rustup toolchain install {toolchain}` for more"
    );
    Ok(())
}
