//! The models through JSON and back.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "documents are read from files here")]

use std::fs;
use std::path::PathBuf;

use rstest::rstest;
use serde_json::json;
use vnet_xml::{Definition, Interface, Network, NetworkPort};

#[rstest]
fn definitions_survive(#[files("../../testdata/*/valid/*.xml")] file: PathBuf) {
    match Definition::parse(&fs::read(file).unwrap()).into_result().unwrap() {
        Definition::Network(network) => {
            let json = serde_json::to_string(&network).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), *network);
        }
        Definition::Interface(interface) => {
            let json = serde_json::to_string(&interface).unwrap();
            assert_eq!(serde_json::from_str::<Interface>(&json).unwrap(), *interface);
        }
        Definition::NetworkPort(port) => {
            let json = serde_json::to_string(&port).unwrap();
            assert_eq!(serde_json::from_str::<NetworkPort>(&json).unwrap(), *port);
        }
        Definition::Domain(domain) => {
            let json = serde_json::to_string(&domain).unwrap();
            assert_eq!(serde_json::from_str::<vnet_xml::Domain>(&json).unwrap(), domain);
        }
        other => panic!("{other:?}"),
    }
}

/// The shape: field names as in Rust, values as in the document; absent fields may be omitted.
#[test]
fn a_little_is_enough() {
    let network: Network = serde_json::from_value(json!({
        "name": "lab",
        "forward": { "mode": "nat", "interfaces": [{ "dev": "eth0" }] },
        "bridge": { "name": "virbr%d", "mac_table_manager": "libvirt" },
        "ips": [{
            "address": "192.168.122.1",
            "mask": { "prefix": 24 },
            "dhcp": { "hosts": [{ "mac": "52:54:00:00:00:10", "ip": "192.168.122.10" }] },
        }],
        "routes": [{ "address": "10.0.0.0", "mask": { "netmask": "255.0.0.0" }, "gateway": "192.168.122.9", "metric": 7 }],
        "virtual_port": { "kind": "802.1Qbh", "profile_id": "p" },
    }))
    .unwrap();
    let text = network.to_string();
    assert!(text.contains("<forward dev='eth0' mode='nat'>") && text.contains("metric='7'/>"), "{text}");
    assert!(text.contains("<virtualport type='802.1Qbh'>") && text.contains("<host mac='52:54:00:00:00:10'"), "{text}");

    let interface: Interface = serde_json::from_value(json!({
        "source": { "type": "direct", "dev": "eth0", "mode": "bridge" },
        "mac": { "address": "52:54:00:00:00:10" },
        "address": { "type": "virtio-mmio" },
    }))
    .unwrap();
    assert!(interface.to_string().contains("<source dev='eth0' mode='bridge'/>"), "{interface}");
    let json = serde_json::to_value(&interface).unwrap();
    assert_eq!(json["source"], json!({ "type": "direct", "dev": "eth0", "mode": "bridge" }));
    assert_eq!(json["link"], json!(null));
}
