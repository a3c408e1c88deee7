//! libvirt's own test data. It is not part of this project: `VNET_LIBVIRT_CORPUS` names its folder.
//!
//! What does not pass is listed with its reason, and has to fail: a listed case that passes fails
//! the test.

#![allow(clippy::unwrap_used, reason = "a test")]

mod dnsmasq;
mod interface;
mod network;
mod network_port;
mod update;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What a case should have been, where it is not.
type Failure = String;

fn corpus() -> &'static Path {
    Path::new(env!("VNET_LIBVIRT_CORPUS_FOLDER"))
}

/// The text of a file that a case names.
fn text(case: &Value, field: &str) -> String {
    let path = corpus().join(case[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {case}")));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether the case has to be refused.
fn is_error(case: &Value) -> bool {
    match case["expect"].as_str() {
        Some("error") => true,
        Some("ok") => false,
        other => panic!("{other:?} is no expectation"),
    }
}

/// Runs all cases of a kind and compares what failed with what is listed, both ways.
fn run(kind: &str, exceptions: &[(&str, &str)], check: impl Fn(&Value) -> Result<(), Failure>) {
    let manifest: Vec<Value> =
        serde_json::from_str(&text(&serde_json::json!({"file": "manifest.json"}), "file")).unwrap();
    let cases: Vec<&Value> = manifest.iter().filter(|case| case["kind"] == kind).collect();
    assert!(!cases.is_empty(), "the manifest has no case of kind {kind}");
    let failed: BTreeMap<&str, Failure> =
        cases.iter().filter_map(|case| Some((case["name"].as_str().unwrap(), check(case).err()?))).collect();
    let surprises: Vec<_> = failed.iter().filter(|(name, _)| !exceptions.iter().any(|(it, _)| it == *name)).collect();
    let report: String = surprises.iter().map(|(name, failure)| format!("=== {name}\n{failure}\n")).collect();
    assert!(surprises.is_empty(), "{} of {} cases of kind {kind}:\n{report}", surprises.len(), cases.len());
    let passed: Vec<_> = exceptions.iter().filter(|(name, _)| !failed.contains_key(name)).collect();
    assert!(passed.is_empty(), "no exceptions any more: {passed:#?}");
}

/// Two texts that should be the same.
fn same(ours: &str, expected: &str) -> Result<(), Failure> {
    if ours == expected { Ok(()) } else { Err(format!("--- ours:\n{ours}--- libvirt's:\n{expected}")) }
}
