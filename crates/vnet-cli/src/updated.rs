//! A network with one element added, replaced or removed, and the diagnostics about the element.

use vnet_validate::check_update;
use vnet_xml::Network;
use vnet_xml::network::{Command, Section, UpdateError};

use crate::diagnostic::Diagnostic;
use crate::document::Document;

/// The updated network, and the diagnostics about the element.
pub(crate) fn updated(
    network: &Network,
    section: Section,
    command: Command,
    index: Option<usize>,
    element: &Document,
) -> (Option<Network>, Vec<Diagnostic>) {
    match network.update(section, command, index, &element.bytes) {
        Ok(updated) => {
            let within = |path: &vnet_xml::NodePath| path.moved(updated.path.as_ref()?, &updated.root);
            let findings = check_update(network, &updated.network).into_iter().map(|mut finding| {
                // Errors elsewhere that the element causes count as the element's.
                finding.path = within(&finding.path).unwrap_or_else(|| updated.root.clone());
                finding.related.retain_mut(|related| match within(&related.path) {
                    Some(path) => {
                        related.path = path;
                        true
                    }
                    None => false,
                });
                Diagnostic::from_finding(finding, |path| updated.source.span(path).unwrap_or(0..0))
            });
            let problems = updated.problems.iter().cloned().map(Diagnostic::from);
            let all = problems.chain(findings).collect();
            (Some(updated.network), all)
        }
        Err(UpdateError::Element(refused)) => (None, refused.problems.into_iter().map(Diagnostic::from).collect()),
        Err(UpdateError::Refused { reason, span }) => {
            (None, vec![Diagnostic::of_update(section, reason.to_string(), span.unwrap_or(0..0))])
        }
        Err(other) => (None, vec![Diagnostic::of_update(section, other.to_string(), 0..0)]),
    }
}
