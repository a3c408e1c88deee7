//! The documents in `testdata/network-port`: each is refused at the right place for what its name
//! says.

// These tests read files; the crate itself does not.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use vnet_validate::check;
use vnet_xml::{NetworkPort, Parsed, Severity};

use crate::lines;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/network-port").join(name)
}

fn read(path: &Path) -> Parsed<NetworkPort> {
    NetworkPort::parse(&fs::read(path).unwrap())
}

#[rstest]
#[case("bandwidth-burst-too-large", &["VN0713 /networkport/bandwidth/inbound/@burst"])]
#[case("isolated-direct", &["VN0543 /networkport/port/@isolated"])]
#[case("mac-multicast", &["VN0542 /networkport/mac/@address"])]
#[case("owner-uuid-zero", &["VN0541 /networkport/owner/uuid"])]
#[case("uuid-zero", &["VN0541 /networkport/uuid"])]
#[case("virtualport-on-network", &["VN0543 /networkport/virtualport/@type"])]
#[case("vlan-reserved", &["VN0706 /networkport/vlan/tag[1]/@id"])]
fn refused(#[case] name: &str, #[case] expected: &[&str]) {
    let parsed = read(&folder("invalid").join(name).with_extension("xml"));
    assert_eq!(parsed.problems, [], "the reader has nothing against it");
    let findings = check(&parsed.value.unwrap());
    assert_eq!(lines(&findings), expected, "{findings:#?}");
    assert!(findings.iter().all(|finding| finding.severity == Severity::Error && finding.help.is_some()));
    assert!(findings.iter().all(|finding| parsed.source.span(&finding.path).is_some()));
}

#[rstest]
#[case("mac-missing")]
#[case("owner-name-missing")]
#[case("plug-direct-mode-unknown")]
#[case("plug-direct-without-dev")]
#[case("plug-hostdev-driver-unknown")]
#[case("plug-hostdev-without-address")]
#[case("plug-mac-table-manager-unknown")]
#[case("plug-network-without-bridge")]
#[case("plug-type-unknown")]
#[case("uuid-missing")]
fn refused_by_the_reader(#[case] name: &str) {
    let parsed = read(&folder("invalid").join(name).with_extension("xml"));
    assert!(parsed.problems.iter().any(|problem| problem.severity == Severity::Error), "{:?}", parsed.problems);
}

#[test]
fn valid_ones_have_no_findings() {
    let paths: Vec<_> = fs::read_dir(folder("valid")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let documents = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
    let checked = documents.map(|path| {
        let port = read(path).into_result().unwrap();
        assert_eq!(check(&port), [], "{}", path.display());
    });
    assert!(checked.count() > 3);
}
