//! What the compiler and its companions check.

use crate::metadata::{packages, promised_rust, too_new};
use crate::run::{Failed, can, cargo, cargo_program, run};
use crate::tally::Tally;

/// The words for clippy and rustdoc that make a warning fail.
const STRICT: [&str; 3] = ["--", "--deny", "warnings"];

/// Formatting, clippy's warnings, and, where cargo-deny is installed, licences and sources.
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

/// The documentation builds without a warning, such as one of a broken link.
pub(crate) fn doc() -> Tally {
    let doc = ["RUSTDOCFLAGS=--deny warnings", &cargo_program(), "doc", "--workspace", "--no-deps", "--all-features"];
    Tally::of(run("env", &doc))
}

/// Each package builds without features, and with each feature alone.
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
    // Clippy, because its arguments are for these packages alone: those of rustc have everything
    // built anew.
    let build = |(name, feature): (&String, &str)| {
        let clippy = ["clippy", "--quiet", "--package", name, "--no-default-features", "--features", feature];
        Tally::of(cargo(&[&clippy[..], &STRICT].concat()))
    };
    builds.map(build).sum()
}

/// The workspace builds with the Rust release that `Cargo.toml` promises.
///
/// With that toolchain where rustup has it. Elsewhere clippy finds what the standard library has
/// only since, and cargo which dependency needs a newer release: what stays unseen is a newer
/// feature of the language itself.
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
        "xtask: Rust {toolchain} is not installed: clippy judges; `rustup toolchain install {toolchain}` for more"
    );
    let deny = ["--", "--deny", "clippy::incompatible_msrv"];
    cargo(&[&["clippy", "--workspace", "--all-features"], &deny[..]].concat())
}
