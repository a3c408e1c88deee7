//! Networks are updated as libvirt updates them.

use vnet_validate::check_update;
use vnet_xml::{Network, Severity};

use crate::{is_error, run, same, text};

#[test]
#[cfg_attr(not(libvirt_corpus), ignore = "VNET_LIBVIRT_CORPUS names no folder with libvirt's test data")]
fn updates() {
    run("network-update", &[], |case| {
        let word = |field: &str| case[field].as_str().unwrap();
        let index = case["parent_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        let network: Network = text(case, "network").parse().unwrap();
        let (section, command) = (word("section").parse().unwrap(), word("command").parse().unwrap());
        let updated = network.update(section, command, index, text(case, "update").as_bytes());
        let updated = updated.map_err(|error| format!("{error}\n{error:?}")).and_then(|updated| {
            let findings = check_update(&network, &updated.network);
            let error = findings.into_iter().find(|finding| finding.severity == Severity::Error);
            error.map_or(Ok(updated.network), |error| Err(error.message))
        });
        match (updated, is_error(case)) {
            (Ok(updated), false) => same(&updated.to_string(), &text(case, "output")),
            (Err(_), true) => Ok(()),
            (Ok(updated), true) => Err(format!("should be refused:\n{updated}")),
            (Err(error), false) => Err(format!("refused: {error}")),
        }
    });
}
