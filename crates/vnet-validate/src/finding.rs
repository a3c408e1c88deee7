//! What is wrong with a value, and where.

use vnet_xml::{Code, Path, Rule, Severity};

use crate::rules;

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

/// Elements in the order that libvirt prints those beside each other in. Others have one place or come last.
const ELEMENTS: &[&str] = &[
    "name",
    "uuid",
    "title",
    "forward",
    "driver",
    "nat",
    "pf",
    "interface",
    "address",
    "bridge",
    "mtu",
    "mac",
    "domain",
    "dns",
    "forwarder",
    "txt",
    "srv",
    "vlan",
    "bandwidth",
    "port",
    "ip",
    "tftp",
    "dhcp",
    "range",
    "host",
    "bootp",
    "route",
    "virtualport",
    "portgroup",
];

/// Sorts as documents are commonly written. Findings of one place keep their order.
pub(crate) fn in_document_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_cached_key(|finding| position(&finding.path));
    findings
}

/// May a finding be there only because the reader could not understand what is at one of these paths?
pub fn follows_from<'p>(finding: &Finding, refused: impl IntoIterator<Item = &'p Path>) -> bool {
    // There can be many of both: what depends on the finding alone is found once.
    let one_of = |rules: &[Rule]| rules.iter().any(|rule| rule.code == finding.code);
    let of_the_reader = one_of(rules::OF_THE_READER_TOO);
    let of_the_mode = one_of(rules::OF_THE_MODE);
    let of_absent_subnet = one_of(rules::OF_ABSENT_SUBNET);
    let of_absent_backend = one_of(rules::OF_ABSENT_BACKEND);
    let of_the_model = one_of(rules::OF_THE_MODEL);
    let parent = finding.path.parent().filter(|_| one_of(rules::OF_ABSENT_NEIGHBOUR));
    let path = finding.path.as_str();
    refused.into_iter().map(Path::as_str).any(|refused| {
        // The path of an interface, where an attribute of a child of it is refused.
        let beside_child = |ending| refused.strip_suffix(ending).is_some_and(|interface| path.starts_with(interface));
        path == refused
            || of_the_reader && path.strip_prefix(refused).is_some_and(|rest| rest.starts_with('/'))
            || of_the_mode && refused == "/network/forward/@mode"
            || of_absent_subnet && refused.starts_with("/network/ip")
            || of_absent_backend && beside_child("backend/@type")
            || of_the_model && beside_child("model/@type")
            || parent.as_ref().is_some_and(|parent| refused.starts_with(parent.as_str()))
    })
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
    use rstest::rstest;

    fn path(text: &str) -> Path {
        text.split('/').skip(2).fold(Path::root("network"), |path, name| path.element(name))
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

    #[test]
    fn order_is_that_of_documents() {
        let sorted = [
            "/network/name",
            "/network/forward/@mode",
            "/network/forward/nat/@ipv6",
            "/network/bridge/@delay",
            "/network/ip[2]/@address",
            "/network/ip[2]/dhcp/range[1]/@start",
            "/network/ip[2]/dhcp/host[1]/@ip",
            "/network/ip[10]",
            "/network/route[1]/@gateway",
        ];
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by_key(|text| position(&path(text)));
        assert_eq!(shuffled, sorted);
    }
}
