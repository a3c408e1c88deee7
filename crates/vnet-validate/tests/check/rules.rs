//! The table of rules is complete.

use std::collections::BTreeSet;

use vnet_validate::{OBSTACLE, RULES, Rule, Stage, rule};
use vnet_xml::{Code, Severity};

/// The test tables of this folder.
const TABLES: &[&str] = &[
    include_str!("network.rs"),
    include_str!("ip.rs"),
    include_str!("dhcp.rs"),
    include_str!("dns.rs"),
    include_str!("route.rs"),
    include_str!("forward.rs"),
    include_str!("driver.rs"),
    include_str!("egress.rs"),
    include_str!("host.rs"),
    include_str!("documents.rs"),
    include_str!("network_ports.rs"),
    include_str!("open_vswitch.rs"),
    include_str!("ovn.rs"),
    include_str!("interfaces.rs"),
    include_str!("together.rs"),
];

#[test]
fn codes_and_names_are_unique_and_in_order() {
    assert!(RULES.is_sorted_by_key(|rule| rule.code));
    assert_eq!(RULES.iter().map(|rule| rule.code).collect::<BTreeSet<_>>().len(), RULES.len());
    assert_eq!(RULES.iter().map(|rule| rule.name).collect::<BTreeSet<_>>().len(), RULES.len());
    for rule in RULES {
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(rule.name.chars().all(kebab), "{}", rule.name);
        assert_eq!(rule.code.0 < 100, rule.stage == Stage::Text, "{}", rule.code);
    }
}

/// How a sentence begins that says what to do.
const DO: &str = "Add Allow Check Convert Correct Create Delete Detach Fix Give Keep Leave Let Put Remove Start Take Use \
                  Write add check delete give use write";

#[test]
fn every_explanation_says_what_to_do() {
    for rule in RULES {
        let text = rule.explanation;
        let has_example = text.contains("Right:") || text.lines().any(|line| line.ends_with(" right"));
        let mut sentences = text.split(['.', ':', ';', ',']).filter_map(|it| it.split_whitespace().next());
        let says = sentences.any(|first| DO.split_whitespace().any(|word| word == first));
        assert!(has_example || says, "{} {}: {text}", rule.code, rule.name);
    }
}

#[test]
fn rules_are_found_by_code() {
    assert_eq!(rule(Code(1)).map(|rule| rule.name), Some("not-well-formed"));
    assert_eq!(rule(OBSTACLE.code), Some(&OBSTACLE));
    assert_eq!(rule(Code(99)), None);
}

/// The rules that this crate checks.
fn own() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(|rule| rule.stage != Stage::Text)
}

#[test]
fn every_rule_is_explained_and_shown() {
    for rule in own() {
        let [text, examples @ ..] = &rule.explanation.split("\n\n").collect::<Vec<_>>()[..] else {
            panic!("{} is not explained", rule.code)
        };
        assert!(text.ends_with('.') || text.ends_with(".\n"), "{}: {text}", rule.code);
        let blocks = examples.iter().filter(|part| part.starts_with("```xml\n")).count();
        // An example cannot show what a host lacks.
        assert!(blocks == 2 || rule.severity == Severity::Warning && blocks == 0, "{}", rule.code);
    }
}

#[test]
fn every_rule_is_in_a_table() {
    // Obstacles are in firewall rules, which this crate does not read.
    for rule in own().filter(|rule| rule.code != OBSTACLE.code) {
        let expected = format!("\"{} /", rule.code);
        assert!(TABLES.iter().any(|table| table.contains(&expected)), "no case breaks {}, {}", rule.code, rule.name);
    }
}
