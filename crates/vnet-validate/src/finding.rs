//! Findings: what is wrong, and where.

use vnet_xml::{Code, Edit, NodePath, Severity};

use crate::rules::{Follows, Rule, rule};

/// One mistake in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Finding {
    /// The rule that the definition breaks; see [`rule`](crate::rule).
    pub code: Code,
    /// Whether the definition can still be used.
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// A sure remedy: with all of these edits the finding is gone, and the definition says what was
    /// meant. Empty if there is none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub fix: Vec<Edit>,
    /// The value that is wrong.
    pub path: NodePath,
    /// Other places that explain the finding.
    pub related: Vec<Related>,
}

/// Another place that explains a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Related {
    /// The place.
    pub path: NodePath,
    /// What is there.
    pub message: String,
    /// The number of the definition that has the place, for findings of
    /// [`Together`](crate::Together). `None`: the definition that the finding is about.
    #[cfg_attr(feature = "serde", serde(default))]
    pub definition: Option<usize>,
}

impl Finding {
    pub(crate) fn new(rule: Rule, path: NodePath, message: impl Into<String>) -> Self {
        let Rule { code, severity, .. } = rule;
        Self { code, severity, message: message.into(), help: None, fix: Vec::new(), path, related: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds an edit to the sure remedy.
    pub(crate) fn fix(mut self, edit: Edit) -> Self {
        self.fix.push(edit);
        self
    }

    /// Adds to the sure remedy that an element goes, if nothing is lost with it.
    pub(crate) fn remove_if(self, is_sure: bool, path: NodePath) -> Self {
        if is_sure { self.fix(Edit::Remove { path }) } else { self }
    }

    /// The same finding as an error.
    pub(crate) fn into_error(self) -> Self {
        Self { severity: Severity::Error, ..self }
    }

    pub(crate) fn related(mut self, path: NodePath, message: impl Into<String>) -> Self {
        self.related.push(Related { path, message: message.into(), definition: None });
        self
    }

    /// Adds a place in another definition.
    pub(crate) fn elsewhere(mut self, definition: usize, path: NodePath, message: impl Into<String>) -> Self {
        self.related.push(Related { path, message: message.into(), definition: Some(definition) });
        self
    }
}

/// Sorts findings in the order in which documents are printed. Findings at one place keep their
/// order.
pub(crate) fn in_document_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(|finding| finding.path.position());
    findings
}

/// Whether a finding may only follow from the refusal of a value at one of these paths.
pub fn follows_from<'p>(finding: &Finding, refused: impl IntoIterator<Item = &'p NodePath>) -> bool {
    let follows = rule(finding.code).map_or(Follows::Nothing, |rule| rule.follows);
    let path = finding.path.as_str();
    let around = finding.path.parent();
    refused.into_iter().map(NodePath::as_str).any(|refused| {
        // An attribute of a child of the interface that the finding is about.
        let of_interface = |ending| refused.strip_suffix(ending).is_some_and(|interface| path.starts_with(interface));
        path == refused
            || match follows {
                Follows::Nothing => false,
                Follows::Around => path.strip_prefix(refused).is_some_and(|rest| rest.starts_with('/')),
                Follows::Mode => refused == "/network/forward/@mode",
                Follows::Subnet => refused.starts_with("/network/ip"),
                Follows::Backend => of_interface("backend/@type"),
                Follows::Model => of_interface("model/@type"),
                Follows::Neighbour => around.as_ref().is_some_and(|around| refused.starts_with(around.as_str())),
            }
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::rules;

    fn path(text: &str) -> NodePath {
        text.split('/').skip(2).fold(NodePath::root("network"), |path, name| path.element(name))
    }

    #[rstest]
    #[case(rules::FORWARD_WITHOUT_IP, "/network/forward/@mode", "/network/ip[1]/@address", true)]
    #[case(rules::FORWARD_WITHOUT_IP, "/network/forward/@mode", "/network/bridge/@delay", false)]
    #[case(rules::NETWORK_NAME, "/network/name", "/network/name", true)]
    #[case(rules::NETWORK_NAME, "/network/name", "/network", true)]
    #[case(rules::TITLE_NEWLINE, "/network/title", "/network", false)]
    #[case(rules::ROUTE_PREFIX_MISSING, "/network/route[1]/@address", "/network/route[1]/@prefix", true)]
    #[case(rules::ROUTE_PREFIX_MISSING, "/network/route[1]/@address", "/network/route[2]/@prefix", false)]
    #[case(rules::SOURCE_DEV_WITHOUT_PASST, "/interface/source/@dev", "/interface/backend/@type", true)]
    #[case(rules::DHCP_RANGE_REVERSED, "/network/ip[1]/dhcp/range[1]/@start", "/network/ip[1]/@localPtr", false)]
    #[case(rules::MTU_UNSUPPORTED, "/d/interface[2]/mtu/@size", "/d/interface[2]/backend/@type", true)]
    #[case(rules::MTU_UNSUPPORTED, "/d/interface[2]/mtu/@size", "/d/interface[1]/backend/@type", false)]
    #[case(rules::DRIVER_WITHOUT_EFFECT, "/interface/driver", "/interface/model/@type", true)]
    #[case(rules::PORT_RANGE_WITHOUT_START, "/interface/range[1]/@end", "/interface/range[1]/@start", true)]
    fn what_follows(#[case] rule: Rule, #[case] at: &str, #[case] refused: &str, #[case] follows: bool) {
        assert_eq!(follows_from(&Finding::new(rule, path(at), "wrong"), [&path(refused)]), follows);
    }
}
