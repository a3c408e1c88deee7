//! Interfaces of every type with any children: what parses prints, and the print parses to the
//! same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnet_xml::Interface;

const TYPES: [&str; 8] = ["user", "network", "ethernet", "bridge", "direct", "hostdev", "vhostuser", "udp"];

fuzz_target!(|input: (u8, &str)| {
    let (kind, children) = input;
    let kind = TYPES[usize::from(kind) % TYPES.len()];
    let document = format!("<interface type='{kind}'>{children}</interface>");
    let parsed = Interface::parse(document.as_bytes());
    let sound = !parsed.has_errors();
    let Some(interface) = parsed.value else { return };
    vnet_validate::check(&interface);
    if sound {
        let text = interface.to_string();
        let again: Interface = text.parse().unwrap_or_else(|refused| panic!("{text}\n{refused}"));
        assert_eq!(again.to_string(), text);
    }
});
