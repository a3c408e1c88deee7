//! Reads `<network>`: each element has its grammar and its reader, in the order of the model.

use vnet_types::Uuid;

use super::{
    DNSMASQ_NAMESPACE, Domain, Metadata, Network, bridge, dns, extensions, forward, ip, metadata, portgroup, route,
};
use crate::Comments;
use crate::bandwidth::{self, BandwidthOf, bandwidth};
use crate::element::Element;
use crate::grammar::{Grammar, TEXT};
use crate::value::{number, parsed, text, yes_no};
use crate::virtual_port::{self, TypeIs, virtual_port};
use crate::vlan::{self, vlan};

pub(crate) static GRAMMAR: Grammar = Grammar::new(
    &["connections", "ipv6", "trustGuestRxFilters"],
    &[
        ("name", &TEXT),
        ("uuid", &TEXT),
        ("title", &TEXT),
        ("description", &TEXT),
        ("metadata", &METADATA),
        ("forward", &forward::GRAMMAR),
        ("bridge", &bridge::GRAMMAR),
        ("mtu", &MTU),
        ("mac", &MAC),
        ("domain", &DOMAIN),
        ("dns", &dns::GRAMMAR),
        ("vlan", &vlan::GRAMMAR),
        ("bandwidth", &bandwidth::GRAMMAR),
        ("port", &PORT),
        ("ip", &ip::GRAMMAR),
        ("route", &route::GRAMMAR),
        ("virtualport", &virtual_port::GRAMMAR),
        ("portgroup", &portgroup::GRAMMAR),
    ],
);
static METADATA: Grammar = Grammar::new(&[], &[(extensions::NAME, &extensions::GRAMMAR)]);
static MTU: Grammar = Grammar::new(&["size"], &[]);
static MAC: Grammar = Grammar::new(&["address"], &[]);
static DOMAIN: Grammar = Grammar::new(&["name", "localOnly", "register"], &[]);
static PORT: Grammar = Grammar::new(&["isolated"], &[]);
/// `<dnsmasq:option>`
static OPTION: Grammar = Grammar::new(&["value"], &[]);

pub(super) fn network(root: &Element<'_>) -> Network {
    let options = root.name_in(DNSMASQ_NAMESPACE, "options");
    root.expect_beside(&GRAMMAR, options);
    let metadata = root.child("metadata");
    let mut network = Network {
        connections: root.filled("connections", number).unwrap_or_default(),
        ipv6: root.filled("ipv6", yes_no) == Some(true),
        trust_guest_rx_filters: root.filled("trustGuestRxFilters", yes_no),
        name: name(root),
        uuid: root.child("uuid").and_then(|element| uuid(&element)),
        title: filled_text(root, "title"),
        description: filled_text(root, "description"),
        metadata: metadata.as_ref().and_then(|element| metadata::metadata(element, root)),
        extensions: metadata.map(|element| extensions::extensions(&element, root)).unwrap_or_default(),
        forward: root.child("forward").map(|element| forward::forward(&element)),
        bridge: root.child("bridge").map(|element| bridge::bridge(&element)),
        mtu: root.child("mtu").and_then(|element| mtu(&element)),
        mac: root.child("mac").and_then(|element| {
            element.expect(&MAC);
            element.depends_on("address");
            element.filled("address", parsed)
        }),
        domain: root.child("domain").and_then(|element| domain(&element)),
        dns: root.child("dns").map(|element| dns::dns(&element)),
        vlan: root.child("vlan").and_then(|element| vlan(&element)),
        bandwidth: root.child("bandwidth").and_then(|element| bandwidth(&element, BandwidthOf::Anything)),
        port_isolated: root.child("port").and_then(|element| port(&element)),
        ips: root.children("ip", ip::subnet),
        routes: root.children("route", route::route),
        virtual_port: root.child("virtualport").and_then(|element| virtual_port(&element, TypeIs::Required)),
        port_groups: root.children("portgroup", portgroup::port_group),
        dnsmasq_options: options.map(|name| dnsmasq_options(root, name)).unwrap_or_default(),
        comments: Comments::default(),
    };
    network.comments = root.comments(network.metadata.as_ref().map(Metadata::as_str).unwrap_or_default());
    network
}

fn name(root: &Element<'_>) -> String {
    let Some(element) = root.required_child("name") else { return String::new() };
    let name = element.only_text();
    if name.is_empty() || name.contains(['/', '\n']) {
        element.invalid_text("a name: at least one character, no `/`, no newline");
    }
    name.to_owned()
}

fn uuid(element: &Element<'_>) -> Option<Uuid> {
    let text = Some(element.only_text()).filter(|text| !text.is_empty())?;
    let invalid = |_| element.invalid_text("a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b");
    text.parse().map_err(invalid).ok()
}

fn filled_text(element: &Element<'_>, name: &str) -> Option<String> {
    element.child(name).map(|child| child.only_text().to_owned()).filter(|text| !text.is_empty())
}

pub(super) fn mtu(element: &Element<'_>) -> Option<u32> {
    element.expect(&MTU);
    element.depends_on("size");
    element.filled("size", number).filter(|size| *size != 0)
}

pub(super) fn port(element: &Element<'_>) -> Option<bool> {
    element.expect(&PORT);
    element.depends_on("isolated");
    element.value("isolated", yes_no)
}

pub(super) fn domain(element: &Element<'_>) -> Option<Domain> {
    element.expect(&DOMAIN);
    element.depends_on("name");
    let (local_only, register) = (element.value("localOnly", yes_no), element.value("register", yes_no));
    Some(Domain { name: element.value("name", text)?, local_only, register })
}

/// The options of every block; `name` is the block's name in this document.
fn dnsmasq_options(root: &Element<'_>, name: &str) -> Vec<String> {
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    let option = format!("{prefix}:option");
    let blocks = root.children(name, |block| {
        block.expect_beside(&TEXT, Some(&option));
        Some(block.children(&option, |option| {
            option.expect(&OPTION);
            option.required("value", text)
        }))
    });
    blocks.into_iter().flatten().collect()
}
