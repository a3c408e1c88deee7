//! What is written is printed: every attribute of the grammar, with every word that it takes, in
//! every example.
//!
//! The readers themselves say which words they take: the problem with a value that none takes lists
//! them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test: it reads the examples")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{DOCUMENTS, Grammar};
use crate::builder::{self, Limits};
use crate::tree::NodeRef;
use crate::{Definition, Severity, Style, rules};

/// What libvirt reads and does not print again as it was written: with these values, and why. An
/// empty list stands for all values.
const DROPPED: &[(&str, &[&str], &str)] = &[
    ("interface/@managed", &["no"], "it is the default"),
    ("interface/acpi/@index", &["0"], "it means no index"),
    ("interface/address/@reg", &["1000", "4094", "65535"], "it is hexadecimal, and printed with `0x`"),
    ("interface/backend/@type", &["default"], "it is the default"),
    ("interface/backend/@upstream", &[], "it is printed as `<source dev>`, as libvirt does since 11"),
    ("interface/backend/@vhost", &[], "only a virtio model uses it"),
    ("interface/bandwidth/inbound/@average", &["0"], "it is no limit"),
    ("interface/bandwidth/inbound/@burst", &[], "an average of 0 is no limit, whatever is beside it"),
    ("interface/bandwidth/inbound/@floor", &["0"], "it promises nothing"),
    ("interface/bandwidth/inbound/@peak", &[], "an average of 0 is no limit, whatever is beside it"),
    ("interface/bandwidth/outbound/@average", &["0"], "it is no limit"),
    ("interface/bandwidth/outbound/@burst", &["0"], "it is no limit"),
    ("interface/bandwidth/outbound/@peak", &["0"], "it is no limit"),
    ("interface/coalesce/rx/frames/@max", &["0"], "it is the default"),
    ("interface/driver/@queues", &["0", "1"], "there is always one pair"),
    ("interface/driver/@rx_queue_size", &["0"], "it is the default"),
    ("interface/driver/@tx_queue_size", &["0"], "it is the default"),
    ("interface/ip/@prefix", &["0"], "it is the default"),
    ("interface/mtu/@size", &["0"], "it is the default"),
    ("interface/source/@portid", &[], "of types that are on no network any more it is not read"),
    ("interface/source/ip/@prefix", &["0"], "it is the default"),
    ("interface/vlan/@trunk", &["no"], "it is the default"),
    ("network/@connections", &["0"], "no guest is attached"),
    ("network/@ipv6", &["no"], "it is the default"),
    ("network/dns/srv/@port", &["0"], "it is the default"),
    ("network/dns/srv/@priority", &["0"], "it is the default"),
    ("network/dns/srv/@weight", &["0"], "it is the default"),
    ("network/forward/@managed", &[], "only the mode hostdev has it"),
    ("network/forward/@mode", &["none"], "it is the same as no `<forward>`"),
    ("network/forward/interface/@connections", &["0"], "no guest uses it"),
    ("network/bandwidth/inbound/@average", &["0"], "it is no limit"),
    ("network/bandwidth/inbound/@burst", &["0"], "it is no limit"),
    ("network/bandwidth/inbound/@peak", &["0"], "it is no limit"),
    ("network/bandwidth/outbound/@average", &["0"], "it is no limit"),
    ("network/bandwidth/outbound/@burst", &["0"], "it is no limit"),
    ("network/bandwidth/outbound/@peak", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/inbound/@average", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/inbound/@burst", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/inbound/@peak", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/outbound/@average", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/outbound/@burst", &["0"], "it is no limit"),
    ("network/portgroup/bandwidth/outbound/@peak", &["0"], "it is no limit"),
    ("networkport/bandwidth/outbound/@average", &["0"], "it is no limit"),
    ("networkport/bandwidth/outbound/@burst", &["0"], "it is no limit"),
    ("networkport/bandwidth/outbound/@peak", &["0"], "it is no limit"),
    ("network/portgroup/@default", &["no"], "it is the default"),
    ("network/portgroup/vlan/@trunk", &["no"], "it is the default"),
    ("network/ip/@prefix", &["0"], "it is the default"),
    ("network/mtu/@size", &["0"], "it is the default"),
    ("networkport/bandwidth/@classID", &["0"], "it means no class"),
    ("networkport/bandwidth/inbound/@average", &["0"], "it is no limit"),
    ("networkport/bandwidth/inbound/@burst", &["0"], "it is no limit"),
    ("networkport/bandwidth/inbound/@floor", &["0"], "it promises nothing"),
    ("networkport/bandwidth/inbound/@peak", &["0"], "it is no limit"),
    ("networkport/plug/@type", &["none"], "it is the same as no `<plug>`"),
];

/// What the reader refuses whatever its value is.
const REFUSED: &[&str] = &[
    "network/bandwidth/@classID",
    "network/bandwidth/inbound/@floor",
    "network/bandwidth/outbound/@floor",
    "network/portgroup/bandwidth/@classID",
    "network/portgroup/bandwidth/inbound/@floor",
    "network/portgroup/bandwidth/outbound/@floor",
    "networkport/bandwidth/outbound/@floor",
    "interface/bandwidth/@classID",
    "interface/bandwidth/outbound/@floor",
];

/// Elements that the examples do not have.
const MORE: &[&str] = &[
    "<network><name>n</name><metadata><vnet:network xmlns:vnet='https://github.com/vnet-rs/vnet/network/1.0'>\
     <vnet:ovn northbound='tcp:192.0.2.1:6641'><vnet:tls key='/k' certificate='/c' ca='/a'/><vnet:outside network='physical' vlan='30'>\
     <vnet:address address='198.51.100.10' prefix='24' gateway='198.51.100.1'/><vnet:gateway chassis='host1' priority='20'/>\
     <vnet:gateway group='edge'/></vnet:outside></vnet:ovn></vnet:network></metadata></network>",
    "<network><name>a</name><forward mode='hostdev' managed='yes'><driver name='vfio' model='m'/><pf dev='eth0'/>\
     </forward></network>",
    "<network><name>a</name><forward mode='hostdev'><address type='pci' domain='0' bus='3' slot='0' function='1'/>\
     </forward></network>",
    "<network><name>a</name><forward mode='private'><interface dev='eth0'/><interface dev='eth1'/></forward></network>",
    "<network><name>a</name><forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'>\
     <parameters interfaceid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10' profileid='p'/></virtualport>\
     <vlan trunk='yes'><tag id='5' nativeMode='tagged'/><tag id='6'/></vlan><portgroup name='p' default='yes'>\
     <virtualport type='openvswitch'><parameters profileid='p'/></virtualport><vlan trunk='yes'><tag id='5'/></vlan>\
     </portgroup></network>",
    "<network><name>a</name><forward mode='vepa'><interface dev='eth0'/></forward><virtualport type='802.1Qbg'>\
     <parameters managerid='1' typeid='2' typeidversion='3' instanceid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10'/>\
     </virtualport><portgroup name='p'><virtualport type='802.1Qbg'><parameters managerid='1' typeid='2' \
     typeidversion='3' instanceid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10'/></virtualport></portgroup></network>",
    "<network><name>a</name><mac address='52:54:00:00:00:01'/><port isolated='yes'/><bandwidth><inbound average='1'/>\
     <outbound average='1'/></bandwidth><ip address='10.0.0.1' prefix='24'><tftp root='/srv'/><dhcp>\
     <range start='10.0.0.2' end='10.0.0.9'/><bootp file='f' server='10.0.0.1'/></dhcp></ip><portgroup name='p'>\
     <bandwidth><inbound average='1'/><outbound average='1'/></bandwidth></portgroup></network>",
    "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner><name>vm</name>\
     <uuid>d54df46f-1ab5-4a22-8618-4560ef5fac2c</uuid></owner><mac address='52:54:00:7b:35:93'/>\
     <virtualport type='openvswitch'><parameters interfaceid='6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10' profileid='p'/>\
     </virtualport><bandwidth classID='7'><inbound average='1'/><outbound average='1'/></bandwidth>\
     <rxfilters trustGuest='yes'/></networkport>",
    "<interface type='ethernet'><source><ip address='10.0.0.1' prefix='24'/>\
     <route address='10.1.0.0' netmask='255.255.0.0' gateway='10.0.0.2'/></source><ip address='10.0.0.3' prefix='24'/>\
     <route family='ipv4' address='10.2.0.0' prefix='16' gateway='10.0.0.4' metric='2'/><backenddomain name='b'/>\
     <guest dev='eth0' actual='eth1'/><address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/></interface>",
    "<interface type='ethernet'><route address='10.2.0.0' netmask='255.255.0.0' gateway='10.0.0.4'/>\
     <address type='usb' bus='0' port='1'/></interface>",
    "<interface type='user'><address type='spapr-vio' reg='0x1000'/></interface>",
    "<interface type='hostdev'><source><address type='usb' bus='1' device='2'/></source></interface>",
    "<interface type='user'><address type='pci' domain='0' bus='0' slot='3' function='0'><zpci uid='1' fid='1'/>\
     </address></interface>",
];

/// How many examples of one value are tried, until it is printed.
const EXAMPLES: usize = 8;

/// What became of the values of an attribute.
#[derive(Default)]
struct Fate {
    printed: BTreeSet<String>,
    /// With the number of examples that lost the value.
    lost: BTreeMap<String, usize>,
}

/// An element of a document: the steps that lead to it, its grammar, and where attributes are
/// written.
struct Place {
    steps: Vec<(String, usize)>,
    grammar: &'static Grammar,
    /// The end of the name in the start tag.
    name_end: usize,
    attributes: BTreeMap<String, std::ops::Range<usize>>,
}

#[test]
fn what_is_written_is_printed() {
    // A package alone has no examples. cargo keeps the manifest of the workspace beside its own.
    if Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml.orig").exists() {
        return;
    }
    let mut fates: BTreeMap<String, Fate> = BTreeMap::new();
    for document in documents() {
        for place in places(&document) {
            let names: Vec<_> = place.steps.iter().map(|(name, _)| name.as_str()).collect();
            for attribute in place.grammar.attributes {
                let fate = fates.entry(format!("{}/@{attribute}", names.join("/"))).or_default();
                for value in values(&document, &place, attribute) {
                    if fate.printed.contains(&value) || fate.lost.get(&value).is_some_and(|count| *count >= EXAMPLES) {
                        continue;
                    }
                    match is_printed(&document, &place, attribute, &value) {
                        None => {}
                        Some(true) => _ = fate.printed.insert(value),
                        Some(false) => *fate.lost.entry(value).or_default() += 1,
                    }
                }
            }
        }
    }
    let reason = |path: &str, value: &String| {
        let is_it = |(known, values, _): &&(&str, &[&str], &str)| {
            *known == path && (values.is_empty() || values.contains(&value.as_str()))
        };
        DROPPED.iter().find(is_it)
    };
    let mut wrong = Vec::new();
    for path in all() {
        let Some(fate) = fates.get(&path) else {
            wrong.push(format!("{path}: no example has this element"));
            continue;
        };
        let is_known = DROPPED.iter().map(|(known, ..)| known).chain(REFUSED).any(|known| *known == path);
        if fate.printed.is_empty() && !is_known {
            wrong.push(format!("{path}: no value is printed"));
        }
        let lost = fate.lost.keys().filter(|value| reason(&path, value).is_none());
        wrong.extend(lost.map(|value| format!("{path}: `{value}` is lost")));
    }
    for (path, values, why) in DROPPED {
        let is_lost = fates.get(*path).is_some_and(|fate| match values {
            [] => !fate.lost.is_empty(),
            values => values.iter().all(|value| fate.lost.contains_key(*value)),
        });
        if !is_lost {
            wrong.push(format!("{path}: nothing is lost, though {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a document with this value of an attribute is printed with it. `None` if it is refused,
/// or read with a warning about the attribute.
fn is_printed(document: &str, place: &Place, attribute: &str, value: &str) -> Option<bool> {
    let (parsed, steps) = (Definition::parse(written(document, place, attribute, value).as_bytes()), &place.steps);
    let concerns = |path: &str| path.ends_with(&format!("/@{attribute}"));
    let ends = parsed.problems.iter().any(|it| it.severity == Severity::Error || concerns(it.path.as_str()));
    let definition = parsed.value.filter(|_| !ends)?;
    let printed = definition.to_text(Style::default());
    let tree = builder::parse(&printed, &Limits::DEFAULT).unwrap();
    let place = steps[1..]
        .iter()
        .try_fold(tree.root(), |node, (name, nth)| node.children().filter(|child| child.name() == name).nth(*nth));
    let printed = place.and_then(|node| node.attributes().iter().find(|it| it.name == attribute));
    Some(printed.is_some_and(|it| same(&it.value, value)))
}

/// Whether two values are the same word, number or address.
fn same(one: &str, other: &str) -> bool {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let address = vnet_types::parse_ip(one).is_some_and(|it| Some(it) == vnet_types::parse_ip(other));
    one.eq_ignore_ascii_case(other) || address || number(one).is_some_and(|it| Some(it) == number(other))
}

/// The values to try: those that the reader names, else one of each kind.
fn values(document: &str, place: &Place, attribute: &str) -> Vec<String> {
    let probe = written(document, place, attribute, "\u{a7}");
    let problems = Definition::parse(probe.as_bytes()).problems;
    let ending = format!("/@{attribute}");
    let refusal = problems.iter().find(|it| {
        let is_value = [rules::INVALID_VALUE, rules::READ_OTHERWISE].contains(&it.code);
        is_value && it.path.as_str().ends_with(&ending)
    });
    let words = refusal.map(|it| it.message.split('`').skip(3).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    let mut words = words.unwrap_or_default();
    let kinds = [
        "yes",
        "no",
        "on",
        "off",
        "0",
        "1",
        "2",
        "1000",
        "4094",
        "65535",
        "0x0001",
        "10.9.8.7",
        "255.255.0.0",
        "fd00::7",
        "word",
        "/a/b",
        "52:54:00:77:07:07",
        "6a0e3b0c-7d3f-4c7c-9a3f-0d0c5b6f1e10",
        "eth7",
        "ipv4",
        "0xffff",
    ];
    words.extend(kinds.map(str::to_owned));
    words
}

fn written(document: &str, place: &Place, attribute: &str, value: &str) -> String {
    match place.attributes.get(attribute) {
        Some(span) => format!("{}{value}{}", &document[..span.start], &document[span.end..]),
        None => {
            let (head, rest) = document.split_at(place.name_end);
            format!("{head} {attribute}='{value}'{rest}")
        }
    }
}

fn places(document: &str) -> Vec<Place> {
    fn walk(node: NodeRef<'_>, grammar: &'static Grammar, steps: Vec<(String, usize)>, places: &mut Vec<Place>) {
        let mut counts = BTreeMap::new();
        for child in node.children() {
            let count = counts.entry(child.name().to_owned()).or_insert(0);
            if let Some(grammar) = grammar.child(child.name()) {
                let steps = [&steps[..], &[(child.name().to_owned(), *count)]].concat();
                walk(child, grammar, steps, places);
            }
            *count += 1;
        }
        let name_end = node.span().start + 1 + node.name().len();
        let attributes = node.attributes().iter().map(|it| (it.name.to_owned(), it.value_span())).collect();
        places.push(Place { steps, grammar, name_end, attributes });
    }
    let Ok(tree) = builder::parse(document, &Limits::DEFAULT) else { return Vec::new() };
    let root = tree.root();
    let mut places = Vec::new();
    if let Some((name, grammar)) = DOCUMENTS.iter().find(|(name, _)| *name == root.name() && *name != "domain") {
        walk(root, grammar, vec![((*name).to_owned(), 0)], &mut places);
    }
    places
}

/// Every attribute of the grammar, by path. A domain has the interfaces of the grammar of
/// interfaces.
fn all() -> Vec<String> {
    fn walk(path: &str, grammar: &'static Grammar, found: &mut Vec<String>) {
        found.extend(grammar.attributes.iter().map(|attribute| format!("{path}/@{attribute}")));
        grammar.children.iter().for_each(|(name, grammar)| walk(&format!("{path}/{name}"), grammar, found));
    }
    let mut found = Vec::new();
    DOCUMENTS.iter().filter(|(name, _)| *name != "domain").for_each(|(name, grammar)| walk(name, grammar, &mut found));
    found
}

/// The valid examples.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut documents: Vec<String> = Vec::new();
    for folder in ["network/valid", "interface/valid", "network-port/valid"] {
        let mut files: Vec<_> = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let is_document = |file: &&std::path::PathBuf| file.extension().is_some_and(|extension| extension == "xml");
        documents.extend(files.iter().filter(is_document).filter_map(|file| fs::read_to_string(file).ok()));
    }
    documents.extend(MORE.iter().map(|document| (*document).to_owned()));
    documents
}
