//! Wrong definitions, and what libvirt 11.3 says of each.

use std::fs;

use vnet_rpc::{Call, Reply};
use vnet_tests::isolate;

use crate::lab::{Client, Server};

/// Definitions that vnet refuses in other words than libvirt, or takes, each with the reason.
const OTHERWISE: &[(&str, &str)] = &[
    ("invalid/forward-address-out-of-range.xml", "libvirt has words of its own for each part of a PCI address"),
    ("invalid/forward-address-twice.xml", "the same"),
    ("invalid/virtualport-with-parameter-of-another-type.xml", "libvirt has words of its own for each parameter"),
    ("near-miss/bridge-open-vswitch.xml", "a bridge of Open vSwitch that the definition does not call one"),
    ("near-miss/hostdev.xml", "the devices of a pool are looked for by a start, not by define"),
    ("near-miss/hostdev-found-devices.xml", "the same"),
];

/// Every wrong definition here is refused as libvirt 11.3 has refused it. What libvirt takes and
/// vnet refuses is vnet's to say.
#[test]
fn definitions_are_refused_in_the_words_of_libvirt() {
    isolate!();
    let _server = Server::start();
    let mut client = Client::open();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in fs::read_to_string("../testdata/rpc/definitions.txt").unwrap().lines() {
        let (name, expected) = line.split_once(": ").unwrap();
        let bytes = fs::read(format!("../testdata/network/{name}")).unwrap();
        let xml = String::from_utf8_lossy(&bytes).into_owned();
        let said = match client.call(&Call::NetworkDefineXml { xml }) {
            Err(error) => {
                format!("{} {} {}", error.code, error.domain, error.message.unwrap_or_default()).replace('\n', "\\n")
            }
            Ok(Reply::Network { network }) => {
                client.done(&Call::NetworkUndefine { network });
                "taken".to_owned()
            }
            other => panic!("{other:?}"),
        };
        if expected != "taken" {
            compared += 1;
            let is_otherwise = OTHERWISE.iter().any(|(told, _)| *told == name);
            if (said == expected) == is_otherwise {
                wrong.push(format!("{name}: {said}\n  in place of {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 100, "only {compared}");
}
