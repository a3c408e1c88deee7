//! Whole domains: all interfaces of a guest at once, and the hypervisor that uses them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vnet_tests::{run, wait_for};

use super::{NAT, done, everything, link, nothing_is_left, refused, vnet};

const SOON: Duration = Duration::from_secs(20);

/// A guest on the network `lab` and on a device of the host.
const WEB: &str = "\
<domain type='kvm'>
  <name>web</name>
  <uuid>6a1e0c1e-6d2f-4c3b-9c2a-5d1f3a2b4c5d</uuid>
  <devices>
    <disk type='file'/>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='lab'/>
      <model type='virtio'/>
      <driver queues='2'/>
    </interface>
    <interface type='direct'>
      <mac address='52:54:00:00:00:02'/>
      <source dev='nic' mode='bridge'/>
    </interface>
  </devices>
</domain>
";

fn lab() {
    run("ip", &["link", "add", "nic", "type", "veth", "peer", "name", "cable"]);
    run("ip", &["link", "set", "nic", "up"]);
    done(&["start", "-"], NAT);
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn a_domain_is_attached_and_detached_whole() {
    vnet_tests::isolate!();
    lab();
    let before = everything();
    let planned = done(&["plan", "-"], WEB);
    let attached = done(&["attach", "-"], WEB);
    let names = |report: &Value| {
        let ports = report["ports"].as_array().unwrap().iter();
        ports.map(|port| port["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&planned), names(&attached)),
        (names(&attached), vec!["vnet0".to_owned(), "macvtap0".to_owned()])
    );
    assert_eq!(attached["ports"][0]["guest"], "web");
    let record = fs::read_to_string("/run/vnet/@ports/vnet0/networkport.xml").unwrap();
    assert!(record.contains("<uuid>6a1e0c1e-6d2f-4c3b-9c2a-5d1f3a2b4c5d</uuid>"), "{record}");
    assert_eq!(
        words(&attached["ports"][0]["connect"]["qemu"]),
        [
            "-netdev",
            "tap,id=net0,ifname=vnet0,script=no,downscript=no,queues=2",
            "-device",
            "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:01,mq=on,vectors=6",
        ]
    );
    assert_eq!(
        words(&attached["ports"][0]["connect"]["cloud_hypervisor"]),
        ["--net", "tap=vnet0,mac=52:54:00:00:00:01,num_queues=4",]
    );
    assert_eq!(words(&attached["ports"][1]["connect"]["cloud_hypervisor"])[1], "fd=3,mac=52:54:00:00:00:02");
    fs::write("/tmp/web.xml", WEB).unwrap();
    assert_eq!(names(&done(&["ports", "/tmp/web.xml"], "")).len(), 2);
    assert_eq!(names(&done(&["ports", "lab"], "")), ["vnet0"]);
    assert_eq!(names(&done(&["ports", "--guest", "db"], "")).len(), 0);

    let said = refused(&["attach", "/tmp/web.xml"], "");
    assert!(said.contains("port `vnet0` is attached already"), "{said}");
    assert_eq!(done(&["apply", "/tmp/web.xml"], "")["changes"].as_array().unwrap().len(), 0);
    done(&["detach", "/tmp/web.xml", "--interface", "2"], "");
    assert_eq!(names(&done(&["ports"], "")), ["vnet0"]);
    let again = done(&["attach", "/tmp/web.xml", "--mac", "52:54:00:00:00:02"], "");
    assert_eq!(again["port"]["lower"], "nic");
    assert!(refused(&["attach", "/tmp/web.xml", "--interface", "3"], "").contains("has no interface 3"));
    let detached = done(&["detach", "/tmp/web.xml"], "");
    assert_eq!(detached["ports"].as_array().unwrap().len(), 2);
    assert!(refused(&["detach", "/tmp/web.xml"], "").contains("no such interface"));
    assert_eq!(everything(), before);
    done(&["stop", "lab"], "");
    nothing_is_left();
}

#[test]
fn of_a_domain_all_interfaces_are_attached_or_none() {
    vnet_tests::isolate!();
    lab();
    let before = everything();
    let absent = WEB.replace("dev='nic'", "dev='nix'");
    let said = refused(&["attach", "-"], &absent);
    assert!(said.contains("nix") && said.contains(":14:20"), "the place of the second interface: {said}");
    assert_eq!((everything(), is_listed()), (before.clone(), 0));
    // The kernel refuses only the second: its device cannot have a macvtap of this mode now.
    run("ip", &["link", "add", "link", "nic", "name", "other", "type", "macvtap", "mode", "passthru"]);
    let before = everything();
    let said = refused(&["attach", "-"], WEB);
    assert!(said.contains("interface 2 of the guest cannot be attached"), "{said}");
    assert_eq!((everything(), is_listed()), (before, 0));
}

fn is_listed() -> usize {
    done(&["ports"], "")["ports"].as_array().unwrap().len()
}

#[test]
fn qemu_uses_what_it_is_told() {
    vnet_tests::isolate!();
    lab();
    let two = WEB.replace("type='direct'", "type='network'").replace("dev='nic' mode='bridge'", "network='lab'");
    let said = String::from_utf8(vnet(&["attach", "-"], &two).stdout).unwrap();
    let lines = said.lines().filter_map(|line| line.strip_prefix("QEMU: "));
    let arguments = lines.collect::<Vec<_>>().join(" ");
    assert!(arguments.contains("id=net0,ifname=vnet0") && arguments.contains("id=net1,ifname=vnet1"), "{said}");
    // As people paste it, into a shell. The guest does not begin to run.
    let machine = format!("exec qemu-system-{} -S -display none -machine accel=tcg", std::env::consts::ARCH);
    let mut qemu = Command::new("sh").arg("-c").arg(format!("{machine} {arguments}")).spawn().unwrap();
    for dev in ["vnet0", "vnet1"] {
        wait_for(SOON, "a guest at the tap", || {
            assert!(qemu.try_wait().unwrap().is_none(), "QEMU ended");
            link(dev)["flags"].as_array().unwrap().contains(&"LOWER_UP".into()).then_some(())
        });
    }
    qemu.kill().unwrap();
    qemu.wait().unwrap();
}
