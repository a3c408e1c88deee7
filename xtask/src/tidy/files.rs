//! Finds files that are too long, and files that tools leave behind.

use super::{Problem, Text};
use crate::run::output;

/// The most lines that a Rust file may have.
const LINES: usize = 400;

/// Files that may have more lines, each with the reason.
const TABLES: &[(&str, &str)] = &[];

/// The files that insta leaves when an expectation failed.
const LEFTOVERS: [&str; 2] = ["*.pending-snap", "*.snap.new"];

pub(super) fn too_long(texts: &[Text]) -> Vec<Problem> {
    let rust = texts.iter().filter(|text| text.path.ends_with(".rs"));
    let mut problems: Vec<Problem> = rust
        .filter(|text| text.content.lines().count() > LINES && !TABLES.iter().any(|(table, _)| *table == text.path))
        .map(|text| format!("{}: {} lines, of {LINES} at most", text.path, text.content.lines().count()))
        .collect();
    for (table, _) in TABLES {
        if !texts.iter().any(|text| text.path == *table && text.content.lines().count() > LINES) {
            problems.push(format!("{table} is an exception for no reason: it has no more than {LINES} lines"));
        }
    }
    problems
}

/// Ignored files count too: nobody has seen them.
pub(super) fn leftovers() -> Vec<Problem> {
    let known = [&["ls-files", "--cached"], &LEFTOVERS[..]].concat();
    let strays = [&["ls-files", "--others"], &LEFTOVERS[..]].concat();
    let listed = [known, strays].map(|arguments| output("git", &arguments));
    let mut problems = Vec::new();
    for listed in listed {
        match listed {
            Ok(listed) => {
                let left = listed.lines().filter(|path| !path.starts_with("target/"));
                problems.extend(left.map(|path| format!("{path} is left over: accept it, or delete it")));
            }
            Err(failed) => problems.push(failed.to_string()),
        }
    }
    problems
}
