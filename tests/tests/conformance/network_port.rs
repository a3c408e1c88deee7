//! Network ports are printed as libvirt prints them.

use vnet_xml::NetworkPort;

use crate::{run, same, text};

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn network_ports() {
    run("networkport-roundtrip", &[], |case| {
        let document = text(case, "input");
        let parsed = NetworkPort::parse(document.as_bytes());
        match parsed.value.filter(|_| parsed.problems.is_empty()) {
            Some(port) => same(&port.to_string(), &document),
            None => Err(format!("refused: {:#?}", parsed.problems)),
        }
    });
}
