//! Findings about a definition, and whether they prevent its use.

use vnet_validate::Finding;
use vnet_xml::Severity;

use crate::error::Error;

/// Refuses a definition with an error.
pub(crate) fn sound(findings: Vec<Finding>) -> Result<Vec<Finding>, Error> {
    match findings.iter().any(|finding| finding.severity == Severity::Error) {
        true => Err(Error::Refused { findings }),
        false => Ok(findings),
    }
}

/// Refuses a definition that has an error, alone or on a host.
pub(crate) fn on_host(alone: Vec<Finding>, on_host: Vec<Finding>) -> Result<Vec<Finding>, Error> {
    sound(join(alone, on_host))
}

/// Merges the findings about a definition alone and on a host. Something that vnet does not support
/// is a warning in the first and an error in the second; only the error is kept.
pub(crate) fn join(mut alone: Vec<Finding>, on_host: Vec<Finding>) -> Vec<Finding> {
    alone.retain(|finding| !on_host.iter().any(|it| it.code == finding.code && it.path == finding.path));
    alone.extend(on_host);
    alone
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use rstest::rstest;
    use vnet_types::Inventory;
    use vnet_validate::{check, check_against};
    use vnet_xml::Definition;

    use super::*;

    #[rstest]
    #[case::interface("<interface type='bridge'><source bridge='br0'/><filterref filter='f'/></interface>", "VN0802")]
    fn what_vnet_cannot_do_is_said_once_as_an_error(#[case] text: &str, #[case] code: &str) {
        let definition = Definition::parse(text.as_bytes()).value.unwrap();
        let inventory = Inventory::default();
        let findings = join(check(&definition), check_against(&definition, &inventory));
        let of_code: Vec<_> = findings.iter().filter(|finding| finding.code.to_string() == code).collect();
        let [finding] = of_code[..] else { panic!("one finding: {findings:#?}") };
        assert_eq!(finding.severity, Severity::Error);
        assert!(sound(findings).is_err());
    }
}
