//! What may stand in the elements that can have several children, in the order in which libvirt prints them.

use crate::Path;

pub(crate) const NETWORK: &[&str] = &[
    "name",
    "uuid",
    "title",
    "description",
    "metadata",
    "forward",
    "bridge",
    "mtu",
    "mac",
    "domain",
    "dns",
    "vlan",
    "bandwidth",
    "port",
    "ip",
    "route",
    "virtualport",
    "portgroup",
];
pub(crate) const FORWARD: &[&str] = &["driver", "nat", "pf", "interface", "address"];
pub(crate) const NAT: &[&str] = &["address", "port"];
pub(crate) const DNS: &[&str] = &["forwarder", "txt", "srv", "host"];
pub(crate) const IP: &[&str] = &["tftp", "dhcp"];
pub(crate) const DHCP: &[&str] = &["range", "host", "bootp"];
pub(crate) const PORT_GROUP: &[&str] = &["vlan", "virtualport", "bandwidth"];
pub(crate) const BANDWIDTH: &[&str] = &["inbound", "outbound"];
pub(crate) const NETWORK_PORT: &[&str] =
    &["uuid", "owner", "group", "mac", "virtualport", "bandwidth", "vlan", "port", "rxfilters", "plug"];
pub(crate) const OWNER: &[&str] = &["name", "uuid"];
pub(crate) const INTERFACE: &[&str] = &[
    "mac",
    "source",
    "vlan",
    "virtualport",
    "bandwidth",
    "port",
    "ip",
    "route",
    "portForward",
    "script",
    "downscript",
    "backenddomain",
    "target",
    "guest",
    "model",
    "driver",
    "backend",
    "filterref",
    "tune",
    "teaming",
    "link",
    "mtu",
    "coalesce",
    "boot",
    "alias",
    "rom",
    "acpi",
    "address",
];
pub(crate) const DRIVER: &[&str] = &["host", "guest"];

/// The lists by the name of the element around.
const LISTS: &[(&str, &[&str])] = &[
    ("network", NETWORK),
    ("forward", FORWARD),
    ("nat", NAT),
    ("dns", DNS),
    ("ip", IP),
    ("dhcp", DHCP),
    ("portgroup", PORT_GROUP),
    ("bandwidth", BANDWIDTH),
    ("networkport", NETWORK_PORT),
    ("owner", OWNER),
    ("interface", INTERFACE),
    ("driver", DRIVER),
    ("source", &["address", "local", "reconnect", "ip", "route"]),
];

impl Path {
    /// A key that sorts paths as documents are printed: attributes stand before children, those in the order of the
    /// grammar, and elements of one name by their number.
    ///
    /// ```
    /// use vnet_xml::Path;
    ///
    /// let root = Path::root("network");
    /// assert!(root.element("forward").position() < root.nth("ip", 1).position());
    /// assert!(root.nth("ip", 1).position() < root.nth("ip", 9).position());
    /// ```
    pub fn position(&self) -> impl Ord + use<> {
        let mut around = "";
        let step = |step| {
            let (name, number) = named(step);
            let rank = if name.starts_with('@') { 0 } else { 1 + rank(around, name) };
            around = name;
            (rank, name.to_owned(), number)
        };
        self.as_str().split('/').map(step).collect::<Vec<_>>()
    }
}

/// The place of an element among those that may stand beside it; after all of them, where it is not in the list.
fn rank(around: &str, name: &str) -> usize {
    let list = LISTS.iter().find(|(parent, _)| *parent == around).map_or(&[][..], |(_, list)| list);
    list.iter().position(|child| *child == name).unwrap_or(list.len())
}

/// The name of a step such as `range[2]`, and its number.
fn named(step: &str) -> (&str, usize) {
    let numbered = step.strip_suffix(']').and_then(|step| step.split_once('['));
    numbered.map_or((step, 1), |(name, number)| (name, number.parse().unwrap_or(1)))
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
            "/network/ip[2]/tftp/@root",
            "/network/ip[2]/dhcp/range[1]/@start",
            "/network/ip[2]/dhcp/host[1]/@ip",
            "/network/ip[10]",
            "/network/route[1]/@gateway",
            "/network/portgroup[1]/@name",
            "/network/dnsmasq:options[1]/dnsmasq:option[1]/@value",
        ];
        let path = |text: &&str| {
            let steps = text.split('/').skip(2);
            steps.fold(Path::root("network"), |path, step| path.element(step)).position()
        };
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by_cached_key(path);
        assert_eq!(shuffled, sorted);
    }
}
