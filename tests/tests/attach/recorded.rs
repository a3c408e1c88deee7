//! Ports whose devices another program makes, as virtqemud does.

use std::fs;

use serde_json::{Value, json};
use vnet_driver::{Driver, Error};
use vnet_plan::AttachError;
use vnet_tests::{isolate, run};
use vnet_xml::{Bandwidth, Rate};

use crate::{NAT, done, everything, in_lab, nothing_is_left, refused, stderr, vnet};

const LIMITED: &str = "\
<network>
  <name>lab</name>
  <bridge name='lab0'/>
  <bandwidth><inbound average='1000' peak='5000'/></bandwidth>
  <ip address='10.9.0.1' prefix='24'/>
</network>
";

/// The UUID of a port with this number.
fn uuid(number: u8) -> String {
    format!("5d744f21-ba4a-4d6e-bdb2-30a35ff320{number:02x}")
}

fn port(number: u8, more: &str) -> String {
    format!(
        "<networkport><uuid>{}</uuid><owner><name>web</name><uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner>
        <mac address='52:54:00:00:00:{number:02x}'/>{more}</networkport>",
        uuid(number)
    )
}

/// Records a port, and returns it as it is recorded.
fn create(document: &str) -> String {
    let output = vnet(&["net-port-create", "lab", "-"], document);
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn delete(number: u8) {
    done(&["net-port-delete", "lab", &uuid(number)], "");
}

/// The name, the state, the device and the place of each port.
fn listed() -> Vec<[Value; 4]> {
    let ports = done(&["ports"], "")["ports"].as_array().unwrap().clone();
    ports.iter().map(|it| ["name", "state", "device", "bridge"].map(|field| it[field].clone())).collect()
}

/// What the owner of the port does, as libvirt does it.
fn make_tap(name: &str, number: u8) {
    let mac = format!("fe:54:00:00:00:{number:02x}");
    run("ip", &["tuntap", "add", name, "mode", "tap", "vnet_hdr"]);
    run("ip", &["link", "set", name, "address", &mac, "master", "lab0", "up"]);
}

#[test]
fn the_port_of_another_program_is_recorded_counted_and_found_by_its_mac_address() {
    isolate!();
    done(&["start", "-"], NAT);
    let before = everything();
    let made = create(&port(1, ""));
    assert!(
        made.ends_with(
            "  <mac address='52:54:00:00:00:01'/>\n  <plug type='network' bridge='lab0'/>\n</networkport>\n"
        ),
        "{made}"
    );
    assert_eq!(everything(), before, "the device is made by another");
    assert_eq!(listed(), [[json!("port0"), json!("in-sync"), Value::Null, json!("lab0")]]);

    // Names that vnet gives do not collide with those of the other program.
    make_tap("vnet0", 1);
    let attached = done(&["attach", "-"], &in_lab("").replace("00:00:01", "00:00:02"));
    assert_eq!(attached["port"]["name"], "vnet1");
    assert_eq!(listed()[0], [json!("port0"), json!("in-sync"), json!("vnet0"), json!("lab0")]);
    let people = String::from_utf8(vnet(&["ports"], "").stdout).unwrap();
    assert!(people.contains("lab0, by `vnet0` of another program"), "{people}");
    assert_eq!(done(&["list"], "")["networks"][0]["connections"], 2);
    assert!(done(&["dumpxml", "lab"], "")["xml"].as_str().unwrap().starts_with("<network connections='2'>"));
    assert_eq!(done(&["diff", "lab"], "")["changes"], json!([]));

    // A guest's card that is changed has two ports for a moment.
    let second = port(1, "").replace(&uuid(1), &uuid(9));
    create(&second);
    let told = refused(&["net-port-create", "lab", "-"], &second);
    assert!(told.contains(&format!("network `lab` has a port with the UUID {} already", uuid(9))), "{told}");
    assert_eq!(listed().len(), 3);
    delete(1);
    // A change of the network carries the port along.
    done(&["apply", "-"], &NAT.replace("name='lab0'", "name='other0'"));
    let now = String::from_utf8(vnet(&["net-port-dumpxml", "lab", &uuid(9)], "").stdout).unwrap();
    assert!(now.contains("<plug type='network' bridge='other0'/>"), "{now}");
    assert_eq!(listed()[0], [json!("port1"), json!("in-sync"), json!("vnet0"), json!("other0")]);
    done(&["apply", "-"], NAT);
    assert_eq!(done(&["diff", "lab"], "")["changes"], json!([]));

    // The tap is not vnet's to remove.
    done(&["stop", "lab"], "");
    assert!(fs::exists("/sys/class/net/vnet0").unwrap() && !fs::exists("/sys/class/net/vnet1").unwrap());
    let told = refused(&["net-port-create", "lab", "-"], &second);
    assert!(told.contains("network `lab` does not run"), "{told}");
    nothing_is_left();
}

#[test]
fn a_floor_is_kept_on_the_bridge_of_the_network() {
    isolate!();
    done(&["start", "-"], LIMITED);
    let before = everything();
    let classes = || run("tc", &["class", "show", "dev", "lab0"]);
    let filters = || run("tc", &["filter", "show", "dev", "lab0"]);
    assert!(classes().contains("htb 1:2 parent 1:1") && classes().contains("rate 8Mbit ceil 40Mbit"), "{}", classes());

    let made = create(&port(1, "<bandwidth><inbound average='100' floor='600'/></bandwidth>"));
    assert!(made.contains("<bandwidth classID='3'>\n    <inbound average='100' floor='600'/>"), "{made}");
    let shown = classes();
    assert!(shown.contains("htb 1:3 parent 1:1") && shown.contains("rate 4800Kbit ceil 40Mbit"), "{shown}");
    assert!(filters().contains("flowid 1:3"), "{}", filters());
    let made = create(&port(2, "<bandwidth><inbound average='100' floor='4000'/></bandwidth>"));
    assert!(made.contains("classID='4'"), "{made}");
    let told = refused(
        &["net-port-create", "lab", "-"],
        &port(3, "<bandwidth><inbound average='1' floor='500'/></bandwidth>"),
    );
    assert!(told.contains("floors of 5100 kilobytes per second would be promised, but the network has 5000"), "{told}");

    // A floor can be changed while the guest runs.
    let (driver, lab) = (Driver::open("/run/vnet").unwrap(), "lab".parse().unwrap());
    let first = uuid(1).parse().unwrap();
    let changed = |floor: u64| {
        let mut bandwidth = Bandwidth::default();
        bandwidth.inbound = Some(Rate::average(100)).filter(|_| floor != 1);
        if let Some(rate) = &mut bandwidth.inbound {
            rate.floor = Some(floor).filter(|floor| *floor != 0);
        }
        driver
            .set_port_bandwidth(&lab, first, Some(&bandwidth))
            .map(|_| driver.port_by_id(&lab, first).unwrap().to_string())
    };
    assert!(changed(700).unwrap().contains("classID='3'>\n    <inbound average='100' floor='700'/>"));
    assert!(classes().contains("rate 5600Kbit ceil 40Mbit"), "{}", classes());
    assert!(matches!(changed(1001), Err(Error::Attach(AttachError::Floor(_)))), "the sum counts it once");
    assert!(changed(1000).is_ok());
    assert!(!changed(0).unwrap().contains("classID") && !classes().contains("htb 1:3 "), "{}", classes());
    assert!(changed(600).unwrap().contains("classID='3'"));
    assert!(!changed(1).unwrap().contains("<bandwidth"), "no limit is left");
    assert!(changed(600).unwrap().contains("classID='3'"));

    delete(1);
    assert!(!classes().contains("htb 1:3 "), "{}", classes());
    assert!(matches!(changed(5), Err(Error::NoPortOf { .. })));
    // One that was attached before a restart of its program keeps its class.
    let claimed = create(&port(
        5,
        "<bandwidth classID='7'><inbound average='100' floor='10'/></bandwidth><plug type='network' bridge='lab0'/>",
    ));
    assert!(claimed.contains("classID='7'") && classes().contains("htb 1:7 "), "{claimed}");
    delete(2);
    delete(5);
    assert_eq!((everything(), filters().contains("flowid")), (before, false));
    done(&["stop", "lab"], "");
    nothing_is_left();
}

#[test]
fn pools_serve_ports_of_other_programs_and_of_vnet_in_turn() {
    isolate!();
    for name in ["eth1", "eth2"] {
        run("ip", &["link", "add", name, "type", "veth", "peer", "name", &format!("{name}p")]);
    }
    let network = |mode: &str| {
        format!(
            "<network><name>lab</name><forward mode='{mode}'><interface dev='eth1'/><interface dev='eth2'/></forward></network>"
        )
    };
    let plug = |document: &str| create(document).lines().find(|line| line.contains("<plug")).unwrap().trim().to_owned();
    done(&["start", "-"], &network("vepa"));
    assert_eq!(plug(&port(1, "")), "<plug type='direct' dev='eth1' mode='vepa'/>");
    done(&["attach", "-"], "<interface type='network'><source network='lab'/></interface>");
    assert_eq!(plug(&port(3, "")), "<plug type='direct' dev='eth1' mode='vepa'/>");
    assert_eq!(
        plug(&port(4, "<plug type='direct' dev='eth2' mode='vepa'/>")),
        "<plug type='direct' dev='eth2' mode='vepa'/>"
    );
    let told = refused(&["net-port-create", "lab", "-"], &port(5, "<plug type='direct' dev='eth3' mode='vepa'/>"));
    assert!(told.contains("network `lab` does not have what the port is attached to: dev='eth3'"), "{told}");
    let xml = done(&["dumpxml", "lab"], "")["xml"].as_str().unwrap().to_owned();
    assert!(xml.starts_with("<network connections='4'>"), "{xml}");
    assert!(xml.contains("dev='eth1' connections='2'") && xml.contains("dev='eth2' connections='2'"), "{xml}");
    done(&["stop", "lab"], "");

    done(&["start", "-"], &network("passthrough"));
    assert_eq!(
        [1, 2].map(|number| plug(&port(number, ""))),
        [1, 2].map(|number| format!("<plug type='direct' dev='eth{number}' mode='passthrough'/>"))
    );
    let told = refused(&["net-port-create", "lab", "-"], &port(3, ""));
    assert!(told.contains("network `lab` gives each guest a device of its own, and all 2 are taken"), "{told}");
    let told =
        refused(&["net-port-create", "lab", "-"], &port(3, "<plug type='direct' dev='eth1' mode='passthrough'/>"));
    assert!(told.contains("another guest of network `lab` has what the port is attached to: dev='eth1'"), "{told}");
    delete(2);
    assert_eq!(plug(&port(3, "")), "<plug type='direct' dev='eth2' mode='passthrough'/>");
    done(&["stop", "lab"], "");
    nothing_is_left();
}
