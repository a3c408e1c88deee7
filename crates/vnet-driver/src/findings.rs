//! What is wrong with a definition, and whether that keeps it from being used.

use vnet_validate::Finding;
use vnet_xml::Severity;

use crate::error::Error;

/// Refuses what has an error.
pub(crate) fn sound(findings: Vec<Finding>) -> Result<Vec<Finding>, Error> {
    match findings.iter().any(|finding| finding.severity == Severity::Error) {
        true => Err(Error::Refused { findings }),
        false => Ok(findings),
    }
}

/// What is wrong with a definition on a host, beside what is wrong with it alone. A warning of the definition that is an
/// error on the host is that error.
pub(crate) fn on_host(alone: Vec<Finding>, on_host: Vec<Finding>) -> Result<Vec<Finding>, Error> {
    let is_told = |alone: &Finding| on_host.iter().any(|it| it.code == alone.code && it.path == alone.path);
    let alone: Vec<Finding> = alone.into_iter().filter(|finding| !is_told(finding)).collect();
    sound(alone.into_iter().chain(on_host).collect())
}
