//! Any document: what parses prints; the print parses to the same; checks never panic; problems
//! have places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnet_xml::{Definition, Style};

fuzz_target!(|document: &[u8]| {
    let parsed = Definition::parse(document);
    for problem in &parsed.problems {
        assert!(document.get(problem.span.clone()).is_some(), "{problem:?}");
    }
    let sound = !parsed.has_errors();
    let Some(definition) = parsed.value else { return };
    for finding in vnet_validate::check(&definition) {
        assert!(!finding.message.is_empty());
    }
    let text = definition.to_string();
    // Of a guest only the interfaces are printed.
    if !sound || matches!(definition, Definition::Domain(_)) {
        return;
    }
    let again = Definition::parse(text.as_bytes()).into_result().unwrap_or_else(|refused| panic!("{text}\n{refused}"));
    assert_eq!(again.to_string(), text);
    let inactive = definition.to_text(Style { inactive: true, ..Style::default() });
    let again = Definition::parse(inactive.as_bytes()).into_result();
    let again = again.unwrap_or_else(|refused| panic!("{inactive}\n{refused}"));
    assert_eq!(again.to_text(Style { inactive: true, ..Style::default() }), inactive);
});
