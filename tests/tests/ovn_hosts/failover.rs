//! Who takes over when the host of a gateway dies.

use std::path::Path;
use std::time::{Duration, Instant};

use vnet_tests::{OvnHost, OvnLab, isolate, wait_for};

use super::doctor::cause;
use super::{CACHE, DB, NEVER, SERVER, SOON, code, gateway_host, gateway_of, lease, nat};

/// BFD takes some seconds to begin, and to end.
const LONG: Duration = Duration::from_secs(12);
const SHORT: Duration = Duration::from_secs(5);

/// The hosts that a host asks by BFD.
fn asked(host: &OvnHost) -> Vec<String> {
    let find = ["--bare", "--columns=name", "find", "Interface", "bfd:enable=true"];
    let names = host.switch.as_ref().unwrap().vsctl(&find);
    let mut hosts: Vec<_> = names.split_whitespace().filter_map(|it| it.split('-').nth(1)).map(str::to_owned).collect();
    hosts.sort();
    hosts
}

/// A guest on the second of three hosts, and perhaps one on the third. The first one is the gateway
/// and dies.
fn after_a_death(gateways: &[&str], has_guest: bool, then: impl FnOnce(&OvnLab, &dyn Fn(Duration) -> bool)) {
    let mut lab = OvnLab::start(Path::new("/run/lab"), 3);
    let definition = nat(&lab, gateways, 200);
    for host in &lab.hosts {
        host.does(&["define", "-"], &definition);
    }
    lab.hosts[0].does(&["start", "lab"], "");
    let db = lab.hosts[1].guest("lab", "db", DB, "");
    lease(&db, DB);
    let _cache = has_guest.then(|| lab.hosts[2].guest("lab", "cache", CACHE, ""));
    wait_for(SOON, "a way out", || db.pings(SERVER, NEVER).then_some(()));
    let first = || gateway_of(&lab.central) == gateway_host(&lab.central, "h1");
    wait_for(LONG, "the gateway", || first().then_some(()));
    let third = has_guest || gateways.len() > 2;
    let expected: &[&str] = if third { &["h1", "h3"] } else { &["h1"] };
    wait_for(SOON, "BFD", || (asked(&lab.hosts[1]) == expected).then_some(()));
    assert_eq!(cause(&lab.hosts[1]), None);
    lab.hosts[0].kill();
    let begin = Instant::now();
    then(&lab, &|time| {
        let deadline = Instant::now() + time;
        let answers = || db.pings(SERVER, Duration::from_millis(300));
        let is_back = std::iter::repeat_with(answers).any(|answers| answers || Instant::now() > deadline);
        println!("{gateways:?} and a guest on h3 {has_guest}: {is_back} after {:?}", begin.elapsed());
        is_back && Instant::now() < deadline
    });
}

#[test]
fn a_third_host_without_a_part_in_the_network_does_not_decide() {
    isolate!();
    after_a_death(&["h1", "h2"], false, |lab, is_back| {
        assert!(!is_back(LONG));
        let (check, finding) = cause(&lab.hosts[1]).unwrap();
        let told = "`h1` is the gateway, and does not answer this host by BFD";
        assert!(check == "gateway" && finding.starts_with(told), "{finding}");
        // The host that is left takes itself for the one that is cut off, whatever its priority.
        let apply = |gateways: &[&str]| {
            let output = lab.hosts[1].vnet(&["apply", "-"], &nat(lab, gateways, 200));
            assert_eq!(code(&output), Some(0), "{output:?}");
        };
        apply(&["h2", "h1"]);
        assert!(!is_back(SHORT));
        apply(&["h2"]);
        assert!(is_back(LONG));
        lab.hosts[1].does(&["define", "-"], &nat(lab, &["h2"], 200));
        assert_eq!(cause(&lab.hosts[1]).filter(|(check, _)| check == "gateway"), None);
    });
}

#[test]
fn a_third_host_with_a_guest_decides() {
    isolate!();
    after_a_death(&["h1", "h2"], true, |lab, is_back| {
        assert!(is_back(LONG));
        assert_eq!(cause(&lab.hosts[1]), None);
    });
}

#[test]
fn a_third_host_that_can_be_the_gateway_decides() {
    isolate!();
    after_a_death(&["h1", "h2", "h3"], false, |lab, is_back| {
        assert!(is_back(LONG));
        assert_eq!(cause(&lab.hosts[1]), None);
    });
}
