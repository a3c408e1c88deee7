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
    let print = |definition: &Definition, document: &[u8], inactive| {
        let style = Style { inactive, ..Style::default() };
        definition.print_into(document, style).expect("the document it was read from")
    };
    for inactive in [false, true] {
        let text = print(&definition, document, inactive);
        if !sound {
            continue;
        }
        let again = Definition::parse(text.as_bytes()).into_result();
        let again = again.unwrap_or_else(|refused| panic!("{text}\n{refused}"));
        // A comment whose element is not printed stands elsewhere the next time.
        let settled = print(&again, text.as_bytes(), inactive);
        assert_eq!(settled.matches("<!--").count(), text.matches("<!--").count());
        let once_more = Definition::parse(settled.as_bytes()).value.expect("printed text");
        assert_eq!(once_more, again);
        assert_eq!(print(&once_more, settled.as_bytes(), inactive), settled);
    }
});
