//! Definitions that are kept: what define, undefine and autostart do, beside what runs.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use vnet_driver::{Driver, Error, Network, NetworkInfo, NetworkName, State};

const STATE: &str = "/run/vnet";
const FOLDER: &str = "/etc/vnet/networks";
const UUID: &str = "3a1f8a2c-0000-4000-8000-000000000001";

#[test]
fn a_definition_is_filled_in_and_kept() {
    vnet_tests::isolate!();
    let driver = driver();
    let defined = driver.define(&network("lab", "")).unwrap();
    assert!(defined.is_new);
    let file = fs::read_to_string(file("lab")).unwrap();
    assert_eq!(fs::metadata(self::file("lab")).unwrap().permissions().mode() & 0o7777, 0o600);
    let kept = driver.kept(&name("lab")).unwrap().unwrap();
    assert_eq!(kept.to_string(), defined.network.to_string());
    assert!(kept.uuid.is_some() && kept.mac.is_some(), "{file}");
    assert!(file.contains("<bridge name='virbr0' stp='on' delay='0'/>"), "{file}");
    let info = driver.info(&name("lab")).unwrap();
    assert!(!info.is_active() && info.is_persistent && !info.autostart && !info.differs && info.trouble.is_none());
    assert_eq!((info.bridge.unwrap().as_str(), info.uuid), ("virbr0", kept.uuid));

    // The next one gets another bridge, although none of them runs. So does one that is started.
    let other = driver.define(&network("other", "")).unwrap().network;
    assert!(other.to_string().contains("virbr1") && other.uuid != kept.uuid && other.mac != kept.mac);
    let started = driver.start(&Network::new("third")).unwrap();
    assert_eq!(started.bridge.unwrap().as_str(), "virbr2");

    // Again without what was filled in: it stays as it was.
    let again = driver.define(&network("lab", "<domain name='lab.test'/>")).unwrap();
    assert!(!again.is_new);
    assert_eq!((again.network.uuid, &again.network.mac), (kept.uuid, &kept.mac));
    assert!(again.network.domain.is_some() && again.network.bridge == kept.bridge);
    let names: Vec<String> = all(&driver).iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["lab", "other", "third"]);
}

#[test]
fn what_libvirt_refuses_is_refused() {
    vnet_tests::isolate!();
    let driver = driver();
    driver.define(&network("lab", &format!("<uuid>{UUID}</uuid><bridge name='lab0'/>"))).unwrap();
    let kept = fs::read_to_string(file("lab")).unwrap();
    let define = |name: &str, more: &str| driver.define(&network(name, more)).unwrap_err();
    let other = UUID.replace("01", "02");
    assert!(matches!(define("lab", &format!("<uuid>{other}</uuid>")), Error::NameTaken { .. }));
    assert!(
        matches!(define("x", &format!("<uuid>{UUID}</uuid>")), Error::UuidTaken { name, .. } if name.as_str() == "lab")
    );
    assert!(matches!(define("x", "<bridge name='lab0'/>"), Error::BridgeTaken { name, .. } if name.as_str() == "lab"));
    assert!(matches!(define("x", "<ip address='10.9.0.1' prefix='33'/>"), Error::Refused { .. }));
    // What runs counts too.
    driver.start(&network("runs", &format!("<uuid>{other}</uuid><bridge name='runs0'/>"))).unwrap();
    assert!(matches!(define("x", &format!("<uuid>{other}</uuid>")), Error::UuidTaken { .. }));
    assert!(matches!(define("x", "<bridge name='runs0'/>"), Error::BridgeTaken { .. }));
    assert!(matches!(define("runs", &format!("<uuid>{UUID}</uuid>")), Error::NameTaken { .. }));
    assert!(matches!(driver.set_autostart(&name("runs"), true), Err(Error::NotDefined(_))));
    assert!(matches!(driver.undefine(&name("runs")), Err(Error::NotDefined(_))));
    assert!(matches!(driver.undefine(&name("x")), Err(Error::NoNetwork(_))));
    assert_eq!(fs::read_to_string(file("lab")).unwrap(), kept);
    assert_eq!(files(FOLDER), ["lab.xml"]);
}

#[test]
fn a_network_becomes_persistent_and_transient_as_it_runs() {
    vnet_tests::isolate!();
    let driver = driver();
    let lab = network("lab", "<bridge name='lab0'/>");
    driver.start(&lab).unwrap();
    let index = vnet_tests::json("ip", &["-j", "link", "show", "lab0"])[0]["ifindex"].clone();
    let is = |persistent: bool, autostart: bool| {
        let info = driver.info(&name("lab")).unwrap();
        assert_eq!(info.state, Some(State::InSync));
        assert_eq!((info.is_persistent, info.autostart, info.differs), (persistent, autostart, false), "{info:?}");
    };
    is(false, false);
    // What it runs with is kept: the same bridge, the same MAC address.
    let defined = driver.define(&lab).unwrap();
    assert_eq!(defined.network.mac, driver.definition(&name("lab")).unwrap().mac);
    is(true, false);
    driver.set_autostart(&name("lab"), true).unwrap();
    driver.set_autostart(&name("lab"), true).unwrap();
    is(true, true);
    assert_eq!(fs::read_link("/etc/vnet/networks/autostart/lab.xml").unwrap(), Path::new("../lab.xml"));
    driver.define(&network("lab", "<bridge name='lab0'/><domain name='lab.test'/>")).unwrap();
    let info = driver.info(&name("lab")).unwrap();
    assert!(info.differs && info.autostart, "{info:?}");
    driver.apply(&driver.kept(&name("lab")).unwrap().unwrap()).unwrap();
    is(true, true);
    driver.undefine(&name("lab")).unwrap();
    is(false, false);
    assert_eq!(files("/etc/vnet/networks/autostart"), [""; 0]);
    assert_eq!(vnet_tests::json("ip", &["-j", "link", "show", "lab0"])[0]["ifindex"], index, "it runs on");
    driver.stop(&name("lab")).unwrap();
    assert!(matches!(driver.info(&name("lab")), Err(Error::NoNetwork(_))));
    assert!(!Path::new(STATE).exists() && !Path::new("/var/lib/vnet").exists());
}

#[test]
fn leases_last_until_undefine() {
    vnet_tests::isolate!();
    let driver = driver();
    let lab = network("lab", "");
    let leases = Path::new("/var/lib/vnet/lab/leases");
    let lease = "2000000000 52:54:00:00:00:02 10.9.0.7 guest 01:52:54:00:00:00:02\n";
    let asserted = |driver: &Driver| assert_eq!(driver.leases(&name("lab")).unwrap().leases.len(), 1);
    // A transient network: stop takes them away.
    driver.start(&lab).unwrap();
    assert!(leases.is_file());
    driver.stop(&name("lab")).unwrap();
    assert!(!Path::new("/var/lib/vnet").exists());
    // A persistent one: they are there again.
    driver.start(&lab).unwrap();
    driver.define(&lab).unwrap();
    driver.stop(&name("lab")).unwrap();
    fs::write(leases, lease).unwrap();
    driver.start(&lab).unwrap();
    asserted(&driver);
    // Undefined as it runs: nothing changes, until it is stopped.
    driver.undefine(&name("lab")).unwrap();
    asserted(&driver);
    driver.stop(&name("lab")).unwrap();
    assert!(!Path::new("/var/lib/vnet").exists());
    // Undefined when it does not run.
    driver.define(&lab).unwrap();
    driver.start(&lab).unwrap();
    driver.stop(&name("lab")).unwrap();
    assert!(leases.is_file());
    driver.undefine(&name("lab")).unwrap();
    assert!(!Path::new("/var/lib/vnet").exists());
    // Those that a process left that was killed go with the next start of a transient network, and
    // with gc.
    fs::create_dir_all(leases.parent().unwrap()).unwrap();
    fs::write(leases, lease).unwrap();
    driver.start(&lab).unwrap();
    assert_eq!(driver.leases(&name("lab")).unwrap().leases, []);
    driver.stop(&name("lab")).unwrap();
    fs::create_dir_all(leases.parent().unwrap()).unwrap();
    fs::write(leases, lease).unwrap();
    driver.gc().unwrap();
    assert!(!Path::new("/var/lib/vnet").exists());
}

#[test]
fn a_file_that_is_no_definition_is_told() {
    vnet_tests::isolate!();
    let driver = driver();
    driver.define(&network("lab", "")).unwrap();
    driver.define(&network("good", "")).unwrap();
    fs::copy(file("lab"), file("other")).unwrap();
    fs::write(file("broken"), "<network><name>broken").unwrap();
    symlink("lab.xml", file("link")).unwrap();
    fs::write(file("writable"), "<network><name>writable</name></network>").unwrap();
    fs::set_permissions(file("writable"), PermissionsExt::from_mode(0o666)).unwrap();
    let all = all(&driver);
    let trouble = |wanted: &str| {
        let info = all.iter().find(|info| info.name.as_str() == wanted).unwrap();
        assert!(info.is_persistent);
        info.trouble.as_ref()
    };
    assert!(trouble("good").is_none() && trouble("lab").is_none());
    assert!(matches!(trouble("other"), Some(Error::OtherName { inside, .. }) if inside == "lab"));
    assert!(matches!(trouble("broken"), Some(Error::Kept { .. })));
    for untrusted in ["link", "writable"] {
        assert!(trouble(untrusted).unwrap().to_string().contains("cannot be trusted"), "{all:?}");
    }
    // A definition takes the place of what cannot be read.
    driver.define(&network("broken", "")).unwrap();
    driver.kept(&name("broken")).unwrap().unwrap();
    driver.undefine(&name("other")).unwrap();
    assert!(driver.kept(&name("lab")).unwrap().is_some());
}

#[test]
fn a_network_without_a_uuid_gets_one_and_keeps_it() {
    vnet_tests::isolate!();
    let driver = driver();
    let (lab, other) = (network("lab", ""), Network::new("other"));
    let uuid = |of: &str| {
        let uuid = driver.definition(&name(of)).unwrap().uuid.unwrap();
        assert_eq!(driver.info(&name(of)).unwrap().uuid, Some(uuid));
        assert_eq!(driver.identity_of_name(&name(of)).unwrap().unwrap().uuid, uuid);
        assert_eq!(driver.lookup(&uuid.to_string()).unwrap(), name(of));
        uuid
    };
    for started in driver.start_all(&[lab.clone(), other]).unwrap() {
        started.unwrap();
    }
    let drawn = uuid("lab");
    assert_ne!(drawn, uuid("other"));
    assert_eq!(driver.apply(&lab).unwrap().changes, []);
    driver.apply(&network("lab", "<domain name='lab.test'/>")).unwrap();
    assert_eq!(uuid("lab"), drawn);
    // It is kept with the definition, and drawn anew for another transient network.
    assert_eq!(driver.define(&lab).unwrap().network.uuid, Some(drawn));
    driver.stop(&name("lab")).unwrap();
    driver.start(&lab).unwrap();
    assert_eq!(uuid("lab"), drawn);
    driver.undefine(&name("lab")).unwrap();
    driver.stop(&name("lab")).unwrap();
    driver.start(&lab).unwrap();
    assert_ne!(uuid("lab"), drawn);
    driver.stop(&name("lab")).unwrap();

    // A file that somebody wrote without one: the same before, during and after it runs.
    fs::create_dir_all(FOLDER).unwrap();
    fs::write(file("lab"), lab.to_string()).unwrap();
    let before = driver.info(&name("lab")).unwrap().uuid.unwrap();
    assert_eq!(driver.lookup(&before.to_string()).unwrap(), name("lab"));
    driver.start(&lab).unwrap();
    assert_eq!(uuid("lab"), before);
    assert!(!driver.info(&name("lab")).unwrap().differs);
    assert_eq!(driver.define(&lab).unwrap().network.uuid, Some(before));
}

#[test]
fn a_network_is_found_by_its_uuid() {
    vnet_tests::isolate!();
    let driver = driver();
    let uuid = driver.define(&network("lab", "")).unwrap().network.uuid.unwrap().to_string();
    driver.start(&network("runs", &format!("<uuid>{UUID}</uuid>"))).unwrap();
    assert_eq!(driver.lookup(&uuid).unwrap(), name("lab"));
    assert_eq!(driver.lookup(&uuid.replace('-', "")).unwrap(), name("lab"));
    assert_eq!(driver.lookup(UUID).unwrap(), name("runs"));
    assert_eq!(driver.lookup("runs").unwrap(), name("runs"));
    // A name comes before a UUID.
    driver.define(&network(&uuid, "")).unwrap();
    assert_eq!(driver.lookup(&uuid).unwrap(), name(&uuid));
    assert!(matches!(driver.lookup("nobody"), Err(Error::NoNetwork(_))));
}

#[test]
fn another_folder_of_state_touches_nothing_of_the_system() {
    vnet_tests::isolate!();
    driver().define(&network("system", "")).unwrap();
    let lab = Driver::open("/run/lab").unwrap();
    assert!(all(&lab).is_empty());
    lab.define(&network("lab", "")).unwrap();
    lab.start(&network("lab", "")).unwrap();
    assert_eq!(files(FOLDER), ["system.xml"]);
    assert!(!Path::new("/var/lib/vnet").exists());
    lab.stop(&name("lab")).unwrap();
    lab.undefine(&name("lab")).unwrap();
}

fn driver() -> Driver {
    Driver::open(STATE).unwrap()
}

fn name(name: &str) -> NetworkName {
    name.parse().unwrap()
}

fn network(name: &str, more: &str) -> Network {
    let ip = if more.contains("<ip") { "" } else { IP };
    format!("<network><name>{name}</name>{more}{ip}</network>").parse().unwrap()
}

const IP: &str = "<ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.2' end='10.9.0.99'/></dhcp></ip>";

fn all(driver: &Driver) -> Vec<NetworkInfo> {
    driver.all().unwrap().into_iter().collect::<Result<_, _>>().unwrap()
}

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}.xml")
}

fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "autostart");
    names.sort();
    names
}
