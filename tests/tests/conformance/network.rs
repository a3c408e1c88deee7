//! Networks are printed as libvirt prints them.

use serde_json::Value;
use vnet_validate::{Stage, rule};
use vnet_xml::Network;

use crate::{is_error, run, same, text};

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn networks() {
    run("network-roundtrip", &[], |case| {
        let parsed = Network::parse(text(case, "input").as_bytes());
        let problems = parsed.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
        let findings = parsed.value.iter().flat_map(vnet_validate::check);
        let findings = findings.filter(|finding| rule(finding.code).is_some_and(|rule| rule.stage == Stage::Parser));
        let said: Vec<_> = problems.chain(findings.map(|finding| finding.message)).collect();
        match (said.is_empty(), is_error(case), parsed.value) {
            (false, true, _) => Ok(()),
            (true, false, Some(network)) => {
                let expected = text(case, "output");
                same(&printed(network, &expected, case), &expected)
            }
            (_, false, _) => Err(format!("refused: {said:#?}")),
            (true, true, _) => Err("should be refused".to_owned()),
        }
    });
}

/// libvirt generates what is missing in the input: a UUID, where the output has one.
fn printed(mut network: Network, expected: &str, case: &Value) -> String {
    let generated = |text: &str| text.split("<uuid>").nth(1)?.split('<').next()?.parse().ok();
    if network.uuid.is_none() {
        network.uuid = generated(expected);
    }
    match case["inactive"].as_bool().unwrap() {
        true => network.inactive().to_string(),
        false => network.to_string(),
    }
}
