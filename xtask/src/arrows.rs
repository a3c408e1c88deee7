//! Which crate may know which: checked against what cargo says.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::run::output;

/// What each crate may depend on, of ours. `ARCHITECTURE.md` draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("vnet-types", &[]),
    ("vnet-xml", &["vnet-types"]),
    ("vnet-netlink", &["vnet-types"]),
    ("vnet-lab", &["vnet-netlink", "vnet-types"]),
    // With the feature `netlink` only.
    ("vnet-firewall", &["vnet-netlink", "vnet-types"]),
    ("vnet-dnsmasq", &["vnet-types"]),
    ("vnet-passt", &["vnet-types"]),
    ("vnet-validate", &["vnet-types", "vnet-xml"]),
    ("vnet-plan", &["vnet-dnsmasq", "vnet-firewall", "vnet-passt", "vnet-types", "vnet-xml"]),
    ("vnet-host", &["vnet-firewall", "vnet-netlink", "vnet-passt", "vnet-plan", "vnet-types"]),
    (
        "vnet-cli",
        &[
            "vnet-dnsmasq",
            "vnet-firewall",
            "vnet-host",
            "vnet-lab",
            "vnet-netlink",
            "vnet-passt",
            "vnet-plan",
            "vnet-types",
            "vnet-validate",
            "vnet-xml",
        ],
    ),
];

#[test]
fn crates_know_only_what_is_below_them() {
    let metadata = output("cargo", &["metadata", "--no-deps", "--format-version=1"]).expect("cargo metadata");
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let actual: BTreeMap<String, Vec<String>> =
        metadata["packages"].as_array().expect("packages").iter().filter_map(published).collect();
    let allowed: BTreeMap<String, Vec<String>> = ARROWS
        .iter()
        .map(|(name, below)| ((*name).to_owned(), below.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    assert_eq!(actual.keys().collect::<Vec<_>>(), allowed.keys().collect::<Vec<_>>(), "the eleven crates");
    for (name, below) in &actual {
        let forbidden: Vec<_> = below.iter().filter(|it| !allowed[name].contains(it)).collect();
        assert!(forbidden.is_empty(), "{name} must not depend on {forbidden:?}");
    }
}

/// A published crate with its normal dependencies among ours.
fn published(package: &Value) -> Option<(String, Vec<String>)> {
    let name = package["name"].as_str()?;
    let private = package["publish"].as_array().is_some_and(Vec::is_empty);
    let ours = package["dependencies"].as_array()?.iter().filter(|dependency| dependency["kind"].is_null());
    let ours = ours.filter_map(|dependency| dependency["name"].as_str()).filter(|name| name.starts_with("vnet-"));
    (!private).then(|| (name.to_owned(), ours.map(str::to_owned).collect()))
}
