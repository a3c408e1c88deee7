//! The process inside, from outside.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use vnet_lab::Isolation;

use super::stage::{self, Definition};
use crate::output::{Answer, Format};

/// Tries inside of fresh namespaces, and answers what comes of it.
pub(crate) fn run(definitions: &[Definition], format: Format) -> anyhow::Result<Answer> {
    let mut inside = Command::new("/proc/self/exe");
    inside.args([stage::NAME, "--format", if format == Format::Json { "json" } else { "human" }]);
    let isolation = Isolation::of(inside.stdin(Stdio::piped()))?;
    let mut inside = inside.spawn().map_err(|error| isolation.explain(error))?;
    let mut input = inside.stdin.take().expect("it is piped");
    let sent = serde_json::to_vec(definitions)?;
    // If it has died its exit code says more than the broken pipe.
    let _ = input.write_all(&sent);
    drop(input);
    let status = inside.wait().context("the process inside is lost")?;
    match status.code() {
        Some(0) => Ok(Answer::Yes),
        Some(1) => Ok(Answer::No),
        // It has said why.
        Some(2) => std::process::exit(2),
        _ => bail!("the process inside died: {status}"),
    }
}
