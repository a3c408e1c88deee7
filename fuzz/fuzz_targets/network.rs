//! Children of `<network>`: what parses prints, and the print parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnet_xml::Network;

fuzz_target!(|children: &str| {
    let document = format!("<network><name>n</name>{children}</network>");
    let parsed = Network::parse(document.as_bytes());
    let sound = !parsed.has_errors();
    let Some(network) = parsed.value else { return };
    vnet_validate::check(&network);
    if sound {
        let text = network.to_string();
        let again: Network = text.parse().unwrap_or_else(|refused| panic!("{text}\n{refused}"));
        assert_eq!(again.to_string(), text);
    }
});
