//! Sure remedies: the finding is gone, the document is still well-formed, and it says what was
//! meant.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test: it reads the examples")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vnet_validate::check_parsed;
use vnet_xml::{Code, Definition, NodePath, Replacement, edited};

/// What is wrong with a document, and the remedies.
fn findings(document: &str) -> Vec<(Code, NodePath, Vec<Replacement>)> {
    let parsed = Definition::parse(document.as_bytes());
    let of_reader = parsed.problems.iter().map(|it| (it.code, it.path.clone(), it.fix.clone()));
    let of_check = check_parsed(&parsed).into_iter().map(|it| {
        let fix = it.fix.iter().map(|edit| edit.in_text(document, &parsed.source));
        (it.code, it.path, fix.collect::<Option<Vec<_>>>().unwrap_or_default())
    });
    of_reader.chain(of_check).collect()
}

fn fixed(document: &str, fix: Vec<Replacement>) -> String {
    let (text, count) = edited(document, [fix]);
    assert_eq!(count, 1, "the edits of one remedy do not overlap");
    text
}

/// Makes each remedy alone; returns the codes that have one.
fn assert_remedies(document: &str, name: &str) -> BTreeSet<Code> {
    let before = findings(document);
    let mut codes = BTreeSet::new();
    for (code, path, fix) in before.iter().filter(|(_, _, fix)| !fix.is_empty()) {
        let text = fixed(document, fix.clone());
        let after = findings(&text);
        assert!(Definition::parse(text.as_bytes()).value.is_some() || after.len() < before.len(), "{name}: {text}");
        let is_it = |it: &&(Code, NodePath, _)| it.0 == *code && it.1 == *path;
        let count = |all: &[(Code, NodePath, Vec<Replacement>)]| all.iter().filter(is_it).count();
        assert!(count(&after) < count(&before), "{name}: {code} at {path} is still there\n{text}");
        codes.insert(*code);
    }
    codes
}

#[test]
fn every_remedy_of_the_examples_is_one() {
    let mut codes = BTreeSet::new();
    for file in examples() {
        let Ok(document) = fs::read_to_string(&file) else { continue };
        codes.extend(assert_remedies(&document, &file.display().to_string()));
    }
    assert!(codes.len() >= 5, "the examples show what a remedy is: {codes:?}");
}

const RESERVED: &str = "<host mac='52:54:00:00:00:01' ip='10.0.0.9'/>";

#[rstest]
#[case::namespace(
    "<network><name>a</name><dnsmasq:options><dnsmasq:option value='no-hosts'/></dnsmasq:options></network>",
    "<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>"
)]
#[case::upper_case("<network><name>a</name><forward mode=\"ROUTE\"/></network>", "<forward mode=\"route\"/>")]
#[case::space("<network><name>a</name><mac address=' 52:54:00:00:00:01'/></network>", "'52:54:00:00:00:01'")]
#[case::other_word("<network ipv6='true'><name>a</name></network>", "<network ipv6='yes'>")]
#[case::switch("<network><name>a</name><bridge stp='ON'/></network>", "stp='on'")]
#[case::prefix_in_the_address(
    "<network><name>a</name><ip address='10.0.0.1/24'/></network>",
    "<ip address='10.0.0.1' prefix='24'/>"
)]
#[case::netmask_and_prefix(
    "<network><name>a</name><ip address='10.0.0.1'\n netmask='255.255.255.0' prefix='24'/></network>",
    "<ip address='10.0.0.1' prefix='24'/>"
)]
#[case::family(
    "<network><name>a</name><ip address='fd00::1' prefix='64'/></network>",
    "<ip address='fd00::1' prefix='64' family='ipv6'/>"
)]
#[case::family_of_a_route(
    "<network><name>a</name><ip address='10.0.0.1' prefix='8'/><route family='ipv6' address='10.9.0.0' prefix='16' \
     gateway='10.0.0.2'/></network>",
    "<route family='ipv4' "
)]
#[case::title("<network><name>a</name><title>two\nlines &amp;</title></network>", "<title>two lines &amp;</title>")]
#[case::delay("<network><name>a</name><bridge delay='1'/></network>", "delay='2'")]
#[case::mode_none(
    "<network>\n  <name>a</name>\n  <forward mode='none'/>\n</network>",
    "<network>\n  <name>a</name>\n</network>"
)]
#[case::range(
    "<network><name>a</name><ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.9' end='10.0.0.2'/></dhcp>\
     </ip></network>",
    "<range start='10.0.0.2' end='10.0.0.9'/>"
)]
#[case::range_of_ports(
    "<interface type='user'><backend type='passt'/><portForward proto='tcp'><range start='9' end='2'/></portForward>\
     <model type='virtio'/></interface>",
    "<range start='2' end='9'/>"
)]
#[case::same_address_twice(
    "<network><name>a</name><ip address='10.0.0.1' prefix='24'/>\n<ip address='10.0.0.1' prefix='24'/>\n</network>",
    "</name><ip address='10.0.0.1' prefix='24'/>\n</network>"
)]
#[case::same_host_twice(
    &format!("<network><name>a</name><ip address='10.0.0.1' prefix='24'><dhcp>{RESERVED}{RESERVED}</dhcp></ip></network>"),
    &format!("<dhcp>{RESERVED}</dhcp>")
)]
#[case::same_route_twice(
    "<network><name>a</name><ip address='10.0.0.1' prefix='24'/><route address='10.1.0.0' prefix='16' gateway='10.0.0.2'/>\
     <route address='10.1.0.0' prefix='16' gateway='10.0.0.2'/></network>",
    "gateway='10.0.0.2'/></network>"
)]
#[case::same_device_twice(
    "<network><name>a</name><forward mode='private'><interface dev='eth0'/><interface dev='eth0'/></forward></network>",
    "<forward mode='private'><interface dev='eth0'/></forward>"
)]
#[case::same_function_twice(
    "<network><name>a</name><forward mode='hostdev'><address type='pci' domain='0' bus='3' slot='0' function='1'/>\
     <address type='pci' domain='0' bus='3' slot='0' function='1'/></forward></network>",
    "function='1'/></forward>"
)]
#[case::same_vlan_twice(
    "<network><name>a</name><forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'/>\
     <vlan trunk='yes'><tag id='5'/><tag id='5'/></vlan></network>",
    "<vlan trunk='yes'><tag id='5'/></vlan>"
)]
fn remedies(#[case] document: &str, #[case] expected: &str) {
    assert_eq!(assert_remedies(document, "").len(), 1, "{:#?}", findings(document));
    let (_, _, fix) = findings(document).into_iter().find(|(_, _, fix)| !fix.is_empty()).unwrap();
    let text = fixed(document, fix);
    assert!(text.contains(expected), "{text}");
}

/// What could be meant in two ways has no remedy.
#[rstest]
#[case::stp("<network><name>a</name><bridge stp='Off'/></network>")]
#[case::default("<network><name>a</name><portgroup name='p' default='true'/></network>")]
#[case::native_tags(
    "<network><name>a</name><forward mode='bridge'/><bridge name='b'/><virtualport type='openvswitch'/>\
     <vlan><tag id='5' nativeMode='tagged'/><tag id='6' nativeMode='tagged'/></vlan></network>"
)]
#[case::typo("<network><name>a</name><forward mode='brigde'/><brige name='b'/></network>")]
#[case::sizes("<network><name>a</name><ip address='10.0.0.1' netmask='255.0.0.0' prefix='24'/></network>")]
#[case::ports(
    "<interface type='user'><backend type='passt'/><portForward proto='tcp'><range start='9' end='2' to='5'/>\
     </portForward><model type='virtio'/></interface>"
)]
#[case::routes(
    "<network><name>a</name><ip address='10.0.0.1' prefix='24'/><route address='10.1.0.0' prefix='16' gateway='10.0.0.2'/>\
     <route address='10.1.0.0' prefix='16' gateway='10.0.0.3'/></network>"
)]
fn doubt_has_no_remedy(#[case] document: &str) {
    let found = findings(document);
    assert!(!found.is_empty() && found.iter().all(|(_, _, fix)| fix.is_empty()), "{found:#?}");
}

/// Each value of each valid example, written in another way: where that has a remedy, the remedy
/// gives what the example says.
#[test]
fn a_remedy_gives_what_was_meant() {
    let mut count = 0;
    for file in examples().into_iter().filter(|file| file.components().any(|part| part.as_os_str() == "valid")) {
        let Ok(document) = fs::read_to_string(&file) else { continue };
        let Some(meant) = Definition::parse(document.as_bytes()).value else { continue };
        if findings(&document).iter().any(|(_, _, fix)| !fix.is_empty()) {
            continue;
        }
        for (at, value) in values(&document) {
            let other_word = match value {
                "yes" | "on" => "True",
                "no" | "off" => "disabled",
                _ => value,
            };
            let written = [value.to_uppercase(), format!(" {value}\t"), other_word.to_owned()];
            for other in written.iter().filter(|other| **other != value) {
                let wrong = format!("{}{other}{}", &document[..at], &document[at + value.len()..]);
                let fixes: Vec<_> = findings(&wrong).into_iter().filter(|(_, _, fix)| !fix.is_empty()).collect();
                let [(_, _, fix)] = &fixes[..] else { continue };
                let text = fixed(&wrong, fix.clone());
                let value = Definition::parse(text.as_bytes()).value;
                assert_eq!(value.as_ref(), Some(&meant), "{}: {other}\n{text}", file.display());
                count += 1;
            }
        }
    }
    assert!(count > 500, "{count}");
}

/// The values in a document's tags, with their places.
fn values(document: &str) -> impl Iterator<Item = (usize, &str)> {
    document.match_indices("='").filter_map(|(at, _)| {
        let start = at + 2;
        Some((start, &document[start..start + document[start..].find('\'')?]))
    })
}

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let mut folders = vec![root];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "xml") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    files
}
