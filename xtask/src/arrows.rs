//! Checks which of our crates depend on which, against cargo's metadata.

use std::collections::BTreeMap;

use crate::metadata::packages;

/// The dependencies among our crates that are allowed. `ARCHITECTURE.md` draws them.
const ARROWS: &[(&str, &[&str])] = &[
    ("vnet-types", &[]),
    ("vnet-xml", &["vnet-types"]),
    ("vnet-nlattr", &[]),
    ("vnet-netlink", &["vnet-nlattr", "vnet-types"]),
    ("vnet-lab", &["vnet-netlink", "vnet-types"]),
    // Only with the feature `netlink`.
    ("vnet-firewall", &["vnet-netlink", "vnet-nlattr", "vnet-types"]),
    ("vnet-dnsmasq", &["vnet-types"]),
    ("vnet-passt", &["vnet-types"]),
    ("vnet-ovsdb", &["vnet-types"]),
    ("vnet-ovn", &["vnet-ovsdb", "vnet-types", "vnet-validate", "vnet-xml"]),
    ("vnet-rpc", &["vnet-types"]),
    ("vnet-validate", &["vnet-dnsmasq", "vnet-ovsdb", "vnet-types", "vnet-xml"]),
    ("vnet-plan", &["vnet-dnsmasq", "vnet-firewall", "vnet-passt", "vnet-types", "vnet-validate", "vnet-xml"]),
    ("vnet-host", &["vnet-firewall", "vnet-netlink", "vnet-ovsdb", "vnet-passt", "vnet-plan", "vnet-types"]),
    (
        "vnet-driver",
        &[
            "vnet-dnsmasq",
            "vnet-firewall",
            "vnet-host",
            "vnet-netlink",
            "vnet-ovn",
            "vnet-ovsdb",
            "vnet-passt",
            "vnet-plan",
            "vnet-types",
            "vnet-validate",
            "vnet-xml",
        ],
    ),
    (
        "vnet-try",
        &[
            "vnet-driver",
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
    (
        "vnet-cli",
        &[
            "vnet-dnsmasq",
            "vnet-driver",
            "vnet-firewall",
            "vnet-netlink",
            "vnet-passt",
            "vnet-plan",
            "vnet-try",
            "vnet-types",
            "vnet-validate",
            "vnet-xml",
        ],
    ),
    ("vnet-cni", &["vnet-driver", "vnet-host", "vnet-plan", "vnet-types", "vnet-xml"]),
    ("vnetd", &["vnet-dnsmasq", "vnet-driver", "vnet-host", "vnet-plan", "vnet-rpc", "vnet-types", "vnet-xml"]),
];

#[test]
fn crates_know_only_what_is_below_them() {
    let packages = packages().expect("cargo metadata");
    let published = packages.into_iter().filter(|package| package.is_published);
    let actual: BTreeMap<String, Vec<String>> = published.map(|package| (package.name, package.below)).collect();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    assert!(actual.keys().eq(allowed.keys()), "{:?} are not {:?}", actual.keys(), allowed.keys());
    for (name, below) in &actual {
        let forbidden: Vec<_> = below.iter().filter(|it| !allowed[name.as_str()].contains(&it.as_str())).collect();
        assert!(forbidden.is_empty(), "{name} must not depend on {forbidden:?}");
    }
}
