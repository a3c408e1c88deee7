//! libvirt's own test data. It is not part of this project: `VNET_LIBVIRT_CORPUS` names its folder.
//!
//! What does not pass is listed with its reason, and has to fail: a listed case that passes fails the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vnet_xml::{Network, Parsed};

/// Cases of networks that are not printed as libvirt does.
const NETWORKS: &[(&str, &str)] = &[
    ("8021Qbh-net", MODE),
    ("host-bridge-net", MODE),
    ("host-bridge-no-flood", MODE),
    ("hostdev", MODE),
    ("hostdev-pf", MODE),
    ("hostdev-pf-driver-model", MODE),
    ("isolated-ports", MODE),
    ("openvswitch-net", MODE),
    ("passthrough-pf", MODE),
    ("vepa-net", MODE),
    ("dnsmasq-options", "`<dnsmasq:options>` is not supported yet"),
    ("nat-network-explicit-flood", "`macTableManager` is not supported yet"),
    ("routed-network", "`zone` is not supported yet"),
];

const MODE: &str = "the forward mode is not supported yet";

fn corpus() -> &'static Path {
    Path::new(env!("VNET_LIBVIRT_CORPUS_FOLDER"))
}

fn cases(kind: &str) -> Vec<Value> {
    let manifest = fs::read_to_string(corpus().join("manifest.json")).expect("the manifest");
    let manifest: Vec<Value> = serde_json::from_str(&manifest).expect("JSON");
    manifest.into_iter().filter(|case| case["kind"] == kind).collect()
}

fn file(case: &Value, field: &str) -> PathBuf {
    corpus().join(case[field].as_str().expect("a path"))
}

fn network(path: &Path) -> Parsed<Network> {
    Network::parse(&fs::read(path).expect("a file of the corpus"))
}

/// Compares what failed with what is listed, both ways.
fn assert_exceptions(failed: &BTreeMap<String, String>, listed: &[(&str, &str)]) {
    let surprises: Vec<_> = failed.iter().filter(|(name, _)| !listed.iter().any(|(it, _)| it == name)).collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
    let passed: Vec<_> = listed.iter().filter(|(name, _)| !failed.contains_key(*name)).collect();
    assert!(passed.is_empty(), "no exceptions any more: {passed:#?}");
}

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn networks_are_printed_as_libvirt_prints_them() {
    let mut failed = BTreeMap::new();
    for case in cases("network-roundtrip") {
        let name = case["name"].as_str().expect("a name").to_owned();
        let parsed = network(&file(&case, "input"));
        let refused = parsed.has_errors()
            || parsed.value.as_ref().is_some_and(|network| {
                vnet_validate::check(network).iter().any(|finding| finding.severity == vnet_xml::Severity::Error)
            });
        let unsupported: Vec<_> =
            parsed.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect();
        if case["expect"] == "error" {
            if !refused {
                failed.insert(name, "should be refused".to_owned());
            }
            continue;
        }
        let expected = fs::read_to_string(file(&case, "output")).expect("a file of the corpus");
        match parsed.value.filter(|_| !refused) {
            Some(network) if printed(network.clone(), &expected) == expected => {}
            Some(network) => {
                failed.insert(name, format!("{unsupported:?}\n{network}\n--- libvirt:\n{expected}"));
            }
            None => {
                failed.insert(name, format!("refused: {unsupported:?}"));
            }
        }
    }
    assert_exceptions(&failed, NETWORKS);
}

/// libvirt generates what is missing in the input: a UUID, where the output has one.
fn printed(mut network: Network, expected: &str) -> String {
    let generated = |text: &str| text.split("<uuid>").nth(1)?.split('<').next()?.parse().ok();
    if network.uuid.is_none() {
        network.uuid = generated(expected);
    }
    network.to_string()
}
