//! Guests' interfaces come and go: what is made, what is left.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use vnet_driver::{AttachOptions, Driver};
use vnet_tests::{isolate, run};

use crate::{NAT, begin, done, everything, in_lab, is_there, link, nothing_is_left, stderr, vnet};

#[test]
fn networks_that_start_at_once_all_get_a_bridge_of_their_own() {
    isolate!();
    let starts: Vec<_> = (0..8)
        .map(|number| {
            let network =
                format!("<network><name>n{number}</name><ip address='10.0.{number}.1' prefix='24'/></network>");
            begin(&["start", "-"], &network)
        })
        .collect();
    for start in starts {
        let output = start.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        // Those that are stopped and started meanwhile do not disturb.
        done(&["list"], "");
    }
    let listed = done(&["list"], "");
    let mut bridges: Vec<&str> =
        listed["networks"].as_array().unwrap().iter().map(|it| it["bridge"].as_str().unwrap()).collect();
    bridges.sort_unstable();
    assert_eq!(bridges, (0..8).map(|number| format!("virbr{number}")).collect::<Vec<_>>());
    let stops: Vec<_> = (0..8).map(|number| begin(&["stop", &format!("n{number}")], "")).collect();
    done(&["list"], "");
    for stop in stops {
        assert!(stop.wait_with_output().unwrap().status.success());
    }
    assert_eq!(done(&["list"], "")["networks"].as_array().unwrap().len(), 0);
    nothing_is_left();
}

#[test]
fn a_guest_is_attached_to_its_network_and_leaves_no_trace() {
    isolate!();
    done(&["start", "-"], NAT);
    let before = everything();
    let attached = done(&["attach", "-", "--guest", "vm1"], &in_lab("<model type='virtio'/><driver queues='4'/>"));
    let port = &attached["port"];
    let name = port["name"].as_str().unwrap();
    assert_eq!((name, port["queues"].as_u64(), port["mtu"].as_u64()), ("vnet0", Some(4), Some(1500)));
    let seen = link("vnet0");
    assert_eq!(seen["ifindex"], port["ifindex"]);
    assert_eq!(seen["master"], "lab0");
    assert_eq!(seen["address"], "fe:54:00:00:00:01");
    assert_eq!(
        (&seen["linkinfo"]["info_data"]["multi_queue"], &seen["linkinfo"]["info_data"]["vnet_hdr"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    assert!(seen["flags"].as_array().unwrap().contains(&"UP".into()));
    let listed = done(&["ports"], "");
    assert_eq!(listed["ports"][0]["guest"], "vm1");
    assert_eq!(listed["ports"][0]["state"], "in-sync");
    assert_eq!(done(&["list"], "")["networks"][0]["connections"], 1);
    assert!(done(&["dumpxml", "lab"], "")["xml"].as_str().unwrap().starts_with("<network connections='1'>"));
    // It survives a change of its network, and nothing has to be done to it.
    done(&["apply", "-"], &NAT.replace("10.9.0.1", "10.9.0.2"));
    assert_eq!(link("vnet0")["ifindex"], port["ifindex"]);
    done(&["apply", "-"], NAT);
    done(&["detach", "vnet0"], "");
    assert_eq!(everything(), before);
    assert!(!is_there("@ports/vnet0"));
    done(&["stop", "lab"], "");
    nothing_is_left();
}

#[test]
fn a_network_that_stops_takes_its_ports_along() {
    isolate!();
    done(&["start", "-"], NAT);
    done(&["attach", "-"], &in_lab(""));
    done(&["stop", "lab"], "");
    assert_eq!(done(&["ports"], "")["ports"].as_array().unwrap().len(), 0);
    assert!(!Path::new("/sys/class/net/vnet0").exists());
    nothing_is_left();
}

/// What `ip` shows of a bridge, without its name and what changes by itself.
fn of_bridge(bridge: &str) -> Vec<String> {
    let shown = [
        &["-o", "-4", "address", "show", "dev", bridge][..],
        &["-o", "-6", "address", "show", "dev", bridge, "scope", "global"],
        &["-4", "route", "show", "dev", bridge],
        &["-6", "route", "show", "dev", bridge, "proto", "static"],
    ];
    let texts: String = shown.iter().map(|arguments| run("ip", arguments)).collect();
    let passing = ["tentative", "linkdown", "dadfailed", bridge, &format!("{bridge}\\")];
    let lines = texts
        .lines()
        .map(|line| line.split_whitespace().filter(|word| !passing.contains(word)).collect::<Vec<_>>().join(" "));
    lines.collect()
}

/// A kernel before 6.2 renames only a link that is down, and then has to be told all of it again.
#[test]
fn a_bridge_gets_another_name_with_all_that_is_on_it() {
    isolate!();
    let network = |bridge: &str| {
        format!(
            "<network><name>lab</name><forward mode='route'/><bridge name='{bridge}' stp='off'/>
             <ip address='10.9.0.1' prefix='24'/><ip family='ipv6' address='fd00:9::1' prefix='64'/>
             <route address='10.77.0.0' prefix='16' gateway='10.9.0.9' metric='7'/>
             <route family='ipv6' address='fd77::' prefix='48' gateway='fd00:9::9'/></network>"
        )
    };
    done(&["start", "-"], &network("lab0"));
    done(&["attach", "-"], &in_lab("<target dev='guest0'/>"));
    let (before, index) = (of_bridge("lab0"), link("lab0")["ifindex"].clone());
    assert_eq!(before.len(), 5, "{before:?}");
    for bridge in ["lab1", "a-longer-name", "lab0"] {
        done(&["apply", "-"], &network(bridge));
        assert_eq!(of_bridge(bridge), before);
        assert_eq!((&link(bridge)["ifindex"], &link("guest0")["master"]), (&index, &Value::from(bridge)));
        assert_eq!(done(&["diff", "lab"], "")["changes"], Value::Array(Vec::new()));
    }
    done(&["stop", "lab"], "");
    nothing_is_left();
}

#[test]
fn what_drifted_is_told_and_mended() {
    isolate!();
    done(&["start", "-"], NAT);
    done(&["attach", "-"], &in_lab("<port isolated='yes'/><coalesce><rx><frames max='7'/></rx></coalesce>"));
    let before = link("vnet0");
    assert_eq!(before["linkinfo"]["info_slave_data"]["isolated"], true);
    run("ip", &["link", "set", "vnet0", "nomaster"]);
    run("ip", &["link", "set", "vnet0", "down"]);
    for name in ["vnet0", "lab"] {
        let drifted = vnet(&["diff", name], "");
        assert_eq!(drifted.status.code(), Some(1), "{}", stderr(&drifted));
    }
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "drifted");
    done(&["apply", "-"], NAT);
    assert_eq!(done(&["diff", "lab"], "")["changes"].as_array().unwrap().len(), 0);
    let after = link("vnet0");
    assert_eq!((&after["ifindex"], &after["master"]), (&before["ifindex"], &before["master"]));
    assert_eq!(after["linkinfo"]["info_slave_data"]["isolated"], true);
    // Even the bridge may have gone, and the tap.
    run("ip", &["link", "del", "lab0"]);
    run("ip", &["link", "del", "vnet0"]);
    done(&["apply", "-"], NAT);
    assert_eq!(link("vnet0")["master"], "lab0");
    done(&["diff", "lab"], "");
    done(&["stop", "lab"], "");
    nothing_is_left();
}

#[test]
fn names_are_chosen_as_libvirt_chooses_them() {
    isolate!();
    let attached = |target: &str| {
        let interface = format!("<interface type='ethernet'>{target}</interface>");
        done(&["attach", "-"], &interface)["port"]["name"].as_str().unwrap().to_owned()
    };
    run("ip", &["link", "add", "vnet1", "type", "bridge"]);
    assert_eq!(attached(""), "vnet0");
    assert_eq!(attached("<target dev='vnet7'/>"), "vnet2", "a name that was chosen before is none");
    assert_eq!(attached("<target dev='lan%d'/>"), "lan0");
    assert_eq!(attached("<target dev='lan%d'/>"), "lan1");
    assert_eq!(attached("<target dev='uplink'/>"), "uplink");
}

#[test]
fn taps_belong_to_whom_they_are_for_and_may_be_down() {
    isolate!();
    let interface = "<interface type='ethernet'><mac address='fe:54:00:00:00:01'/><link state='down'/>\
                     <mtu size='9000'/></interface>";
    let port = done(&["attach", "-", "--owner", "0", "--group", "root"], interface)["port"].clone();
    let seen = link("vnet0");
    assert_eq!(seen["address"], "fa:54:00:00:00:01", "the guest's begins with fe");
    assert_eq!((port["mtu"].as_u64(), seen["mtu"].as_u64()), (Some(9000), Some(9000)));
    assert_eq!(seen["operstate"], "DOWN");
    let tap = run("ip", &["-d", "tuntap", "show"]);
    assert!(tap.contains("vnet0") && tap.contains("user 0") && tap.contains("group 0"), "{tap}");
}

#[test]
fn guests_on_a_bridge_of_the_system_leave_it_as_it_was() {
    isolate!();
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    run("ip", &["link", "add", "uplink", "mtu", "1400", "type", "veth", "peer", "name", "away"]);
    run("ip", &["link", "set", "uplink", "master", "br0", "address", "02:00:00:00:00:01"]);
    run("ip", &["link", "set", "br0", "up"]);
    let before = everything();
    let port = done(&["attach", "-"], "<interface type='bridge'><source bridge='br0'/></interface>")["port"].clone();
    assert_eq!((port["bridge"].as_str(), port["mtu"].as_u64()), (Some("br0"), Some(1400)));
    assert_eq!(link("vnet0")["master"], "br0");
    done(&["detach", "vnet0"], "");
    assert_eq!(everything(), before);
}

#[rstest::rstest]
#[case::no_network(&in_lab(""), "network `lab` does not run")]
#[case::no_bridge("<interface type='bridge'><source bridge='nowhere'/></interface>", "there is no bridge `nowhere`")]
#[case::no_device("<interface type='direct'><source dev='nowhere'/></interface>", "there is no device `nowhere`")]
#[case::taken(
    "<interface type='ethernet'><target dev='other'/></interface>",
    "error[VN0620]: this host has a device `other` already"
)]
#[case::missing(
    "<interface type='ethernet'><target dev='gone' managed='no'/></interface>",
    "error[VN0620]: this host has no device `gone`"
)]
#[case::unnamed(
    "<interface type='ethernet'><target managed='no'/></interface>",
    "a device that is there already needs its name"
)]
#[case::not_a_tap(
    "<interface type='ethernet'><target dev='other' managed='no'/></interface>",
    "neither a tap nor a macvtap"
)]
#[case::queues(
    "<interface type='ethernet'><target dev='single' managed='no'/><model type='virtio'/><driver queues='2'/></interface>",
    "error[VN0620]: the tap `single` has one queue"
)]
#[case::open_vswitch(
    "<interface type='bridge'><source bridge='br0'/><virtualport type='openvswitch'/></interface>",
    "`br0` is a bridge of Linux, not of Open vSwitch"
)]
#[case::user("<interface type='user'/>", "error[VN0802]: there is nothing to attach for an interface of type `user`")]
fn what_cannot_be_is_refused_and_nothing_done(#[case] interface: &str, #[case] why: &str) {
    isolate!();
    run("ip", &["link", "add", "other", "type", "veth", "peer", "name", "peer"]);
    run("ip", &["link", "add", "br0", "type", "bridge"]);
    run("ip", &["tuntap", "add", "single", "mode", "tap"]);
    let before = everything();
    let output = vnet(&["attach", "-"], interface);
    assert!(!output.status.success() && stderr(&output).contains(why), "{}", stderr(&output));
    assert_eq!(everything(), before);
    nothing_is_left();
}

#[test]
fn an_unmanaged_tap_is_used_as_it_is() {
    isolate!();
    run("ip", &["tuntap", "add", "vnet3", "mode", "tap", "multi_queue"]);
    run("ip", &["link", "set", "vnet3", "address", "02:00:00:00:00:01", "mtu", "1300"]);
    let before = everything();
    let interface = "<interface type='ethernet'><mac address='52:54:00:00:00:01'/><model type='virtio'/>\
                     <target dev='vnet3' managed='no'/><driver queues='2'/><mtu size='1400'/></interface>";
    let output = vnet(&["attach", "-", "--format", "json"], interface);
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["port"]["name"].as_str(), report["port"]["managed"].as_bool()), (Some("vnet3"), Some(false)));
    assert_eq!(everything(), before);
    done(&["detach", "vnet3"], "");
    assert_eq!(everything(), before);
}

/// A process with no capability at all, as that of an ordinary user: it may do what the owner of a
/// tap may.
#[test]
fn an_ordinary_user_uses_a_tap_that_is_theirs() {
    isolate!();
    run("ip", &["tuntap", "add", "mine", "mode", "tap", "user", "0"]);
    let before = everything();
    let interface = "<interface type='ethernet'><target dev='mine' managed='no'/></interface>";
    let as_user = |arguments: &[&str], document: &str| {
        let none = ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"];
        let mut command = Command::new("setpriv");
        command.args(none).arg(vnet_tests::vnet()).args(["--state-dir", "/tmp/vnet-of-a-user"]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    // The user has no capability: nothing can be made.
    let refused = as_user(&["attach", "-"], "<interface type='ethernet'/>");
    assert!(!refused.status.success() && stderr(&refused).contains("CAP_NET_ADMIN"), "{}", stderr(&refused));
    let attached = as_user(&["attach", "-"], interface);
    assert!(attached.status.success(), "{}", stderr(&attached));
    assert!(as_user(&["diff", "mine"], "").status.success());
    assert_eq!(everything(), before);
    assert!(as_user(&["detach", "mine"], "").status.success());
    assert_eq!(everything(), before);
}

#[test]
fn an_attachment_is_a_file_and_gone_when_dropped() {
    isolate!();
    done(&["start", "-"], &NAT.replace("name='lab0'", "name='lab0' stp='off'"));
    let before = everything();
    let interface = "<interface type='network'><mac address='52:54:00:07:07:07'/><source network='lab'/></interface>";
    let driver = Driver::open("/run/vnet").unwrap();
    let guest = driver.attach_open(&interface.parse().unwrap(), &AttachOptions::default()).unwrap();
    assert_eq!(link("vnet0")["master"], "lab0");
    assert_eq!(guest.port().mac.to_string(), "52:54:00:07:07:07");
    let mut file = std::fs::File::from(guest.queues()[0].try_clone().unwrap());
    file.write_all(&[0xff; 60]).unwrap();
    drop(file);
    drop(guest);
    assert_eq!(everything(), before);
    assert!(!is_there("@ports/vnet0"));
}
