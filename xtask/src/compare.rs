//! Compares this tree with another commit in speed and size, in one run.

use std::path::PathBuf;

use crate::packages;
use crate::run::{Failed, cargo_program, output, root, run, run_in};

/// Builds both in release mode and runs them in turns, then counts the instructions of both.
pub(crate) fn compare(commit: &str) -> Result<(), Failed> {
    packages::install()?;
    let (tree, before) = build(commit)?;
    let cargo = cargo_program();
    run(&cargo, &["build", "--release", "--package", "vnet-cli"])?;
    run(&cargo, &["build", "--release", "--package", "vnet-benches", "--bin", "compare"])?;
    let namespaces = ["--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc"];
    run("unshare", &[&namespaces[..], &["target/release/compare", &before, "target/release/vnet"]].concat())?;
    crate::instructions::compare(&tree)
}

/// Builds another commit in release mode. Returns its tree and its program.
pub(crate) fn build(commit: &str) -> Result<(PathBuf, String), Failed> {
    let commit = output("git", &["rev-parse", "--verify", "--end-of-options", &format!("{commit}^{{commit}}")])?;
    let commit = commit.trim();
    let tree = root().join("target/compare").join(commit);
    if !tree.exists() {
        run("git", &["worktree", "add", "--detach", &tree.display().to_string(), commit])?;
    }
    run_in(&tree, &cargo_program(), &["build", "--release", "--package", "vnet-cli", "--target-dir=target"])?;
    let program = tree.join("target/release/vnet").display().to_string();
    Ok((tree, program))
}
