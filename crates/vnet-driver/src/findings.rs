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
