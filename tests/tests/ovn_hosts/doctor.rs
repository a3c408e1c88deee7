//! What `vnet doctor` says of networks on OVN.

use std::path::Path;

use serde_json::Value;
use vnet_tests::{OvnHost, OvnLab, as_its_schema_says, isolate, wait_for};

use super::{DB, SOON, code, nat};

/// The first problem that `vnet doctor` finds, by its check, with what was found and what to do.
pub(super) fn cause(host: &OvnHost) -> Option<(String, String)> {
    let output = host.vnet(&["doctor", "lab"], "");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    as_its_schema_says("doctor", &report);
    let cause = &report["cause"];
    assert_eq!(code(&output), Some(i32::from(!cause.is_null())), "{report}");
    let text = |key: &str| cause[key].as_str().unwrap_or_default().to_owned();
    assert!(cause.is_null() || !(text("help") + &cause["commands"].to_string()).is_empty(), "{cause}");
    (!cause.is_null()).then(|| (text("check"), text("finding")))
}

#[test]
fn doctor_names_what_is_wrong_with_ovn() {
    isolate!();
    let mut lab = OvnLab::start(Path::new("/run/lab"), 2);
    let definition = nat(&lab, &["h1"], 200);
    let found = |lab: &OvnLab, host: usize| {
        cause(&lab.hosts[host]).map(|(check, finding)| (check, finding.replace(&lab.central.remote(), "REMOTE")))
    };
    let is = |check: &str, finding: &str| Some((check.to_owned(), finding.to_owned()));
    for host in &lab.hosts {
        host.does(&["define", "-"], &definition);
    }
    assert_eq!(found(&lab, 0), is("northbound", "it is defined and not started on OVN"));
    lab.hosts[0].does(&["start", "lab"], "");
    let _db = lab.hosts[1].guest("lab", "db", DB, "");
    assert_eq!(found(&lab, 0), None);
    assert_eq!(found(&lab, 1), None);
    // The gateway's host has lost its way to the physical network.
    let switch = lab.hosts[0].switch.as_ref().unwrap();
    switch.vsctl(&["remove", "open", ".", "external_ids", "ovn-bridge-mappings"]);
    let unmapped = is("gateway", "`h1` can be the gateway, and does not reach the physical network `physical`");
    wait_for(SOON, "the mapping", || (found(&lab, 1) == unmapped).then_some(()));
    switch.vsctl(&["set", "open", ".", "external_ids:ovn-bridge-mappings=physical:br-ex"]);
    wait_for(SOON, "the mapping", || found(&lab, 1).is_none().then_some(()));
    // A guest's row is gone.
    let ports = lab.hosts[0].does(&["status", "lab"], "")["ovn"][0]["ports"].clone();
    lab.central.nbctl(&["lsp-del", ports[0]["id"].as_str().unwrap()]);
    let (check, finding) = found(&lab, 1).unwrap();
    assert!(check == "binding" && finding.contains("is gone from OVN's northbound database"), "{finding}");
    let dev = lab.hosts[1].does(&["ports"], "")["ports"][0]["name"].as_str().unwrap().to_owned();
    lab.hosts[1].does(&["detach", &dev], "");
    assert_eq!(found(&lab, 1), None);
    // ovn-controller has ended; this host is no chassis; ovn-northd has ended; nobody listens.
    let _guest = lab.hosts[1].guest("lab", "db", DB, "");
    lab.hosts[1].end_controller();
    assert_eq!(found(&lab, 1).unwrap().0, "chassis");
    lab.central.sbctl(&["chassis-del", "h2"]);
    let (check, finding) = found(&lab, 0).unwrap();
    assert!(check == "binding" && finding == "the host `h2` of guest `db` is gone from OVN", "{finding}");
    lab.hosts[1].switch.as_ref().unwrap().vsctl(&["remove", "open", ".", "external_ids", "system-id"]);
    assert_eq!(
        found(&lab, 1),
        is("chassis", "this host is no chassis of OVN: its Open vSwitch has no `external_ids:system-id`")
    );
    lab.central.end_northd();
    lab.hosts[0].does(&["apply", "-"], &definition.replace("<ip address", "<mtu size='1400'/><ip address"));
    assert_eq!(found(&lab, 0).unwrap().0, "northd");
    lab.central.northbound.kill();
    assert_eq!(found(&lab, 0).unwrap().0, "northbound");
}
