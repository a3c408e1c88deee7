//! What is wrong with a value, and where.

use vnet_xml::{Code, Path, Rule, Severity};

/// One mistake in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule that is broken; look it up in [`RULES`](crate::RULES).
    pub code: Code,
    /// Does it keep the definition from being used?
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The value that is wrong.
    pub path: Path,
    /// Other places that matter.
    pub related: Vec<Related>,
}

/// Another place that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The place.
    pub path: Path,
    /// What is there.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(rule: Rule, path: Path, message: impl Into<String>) -> Self {
        let Rule { code, severity, .. } = rule;
        Self { code, severity, message: message.into(), help: None, path, related: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, path: Path, message: impl Into<String>) -> Self {
        self.related.push(Related { path, message: message.into() });
        self
    }
}

/// The elements of a network in the order that libvirt prints them in.
const ELEMENTS: [&str; 10] = ["name", "uuid", "title", "forward", "bridge", "mtu", "mac", "domain", "dns", "ip"];

/// Sorts as documents are commonly written. Findings of one place keep their order.
pub(crate) fn in_document_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(|finding| position(&finding.path));
    findings
}

fn position(path: &Path) -> Vec<(usize, String, usize)> {
    let step = |segment: &str| {
        let (name, number) = segment.strip_suffix(']').and_then(|rest| rest.split_once('[')).unwrap_or((segment, "1"));
        let rank = ELEMENTS.iter().position(|element| *element == name).unwrap_or(ELEMENTS.len());
        // An attribute stands before every child.
        let rank = if name.starts_with('@') { 0 } else { rank + 1 };
        (rank, name.to_owned(), number.parse().unwrap_or(1))
    };
    path.as_str().split('/').map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_documents() {
        let sorted = [
            "/network/name",
            "/network/forward/@mode",
            "/network/forward/nat/@ipv6",
            "/network/bridge/@delay",
            "/network/ip[2]/@address",
            "/network/ip[2]/dhcp/range[1]/@start",
            "/network/ip[10]",
            "/network/route[1]/@gateway",
        ];
        let path = |text: &str| text.split('/').skip(2).fold(Path::root("network"), |path, name| path.element(name));
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by_key(|text| position(&path(text)));
        assert_eq!(shuffled, sorted);
    }
}
