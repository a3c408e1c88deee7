//! A guest on a bridge whose MAC table vnet manages: what learns of nobody by looking has to find
//! everyone all the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vnet_netlink::Netlink;
use vnet_tests::{Netns, isolate, json, run, wait_for};

use crate::guest::{attach, done};

const SOON: Duration = Duration::from_secs(30);

const LEASE: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip address add \"$ip/$mask\" dev \"$interface\"
ip route add default via \"$router\"
echo lease \"$ip\" \"$hostname\"
";

fn until(guest: &Netns, program: &str, arguments: &[&str]) -> String {
    guest.run(|| {
        wait_for(SOON, program, || {
            let output = Command::new(program).args(arguments).output().unwrap();
            output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
        })
    })
}

#[test]
#[ignore = "needs bridge VLAN filtering: runs in cargo xtask vm"]
fn a_guest_behind_a_managed_mac_table_has_all_of_its_network() {
    isolate!();
    let outside = Netns::new();
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "cable"]);
    let netlink = Netlink::open().unwrap();
    let cable = netlink.link(&"cable".parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(cable, outside.file()).unwrap();
    run("ip", &["address", "add", "10.77.0.2/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    outside.run(|| {
        run("ip", &["address", "add", "10.77.0.1/24", "dev", "cable"]);
        run("ip", &["link", "set", "cable", "up"]);
    });
    done(
        &["start", "-"],
        "<network><name>lab</name><forward mode='nat'/><bridge name='lab0' stp='off' macTableManager='libvirt'/>
         <domain name='lab.test'/><ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.200'/>
         <host mac='52:54:00:00:00:01' name='first' ip='10.9.0.51'/>
         <host mac='52:54:00:00:00:02' name='second' ip='10.9.0.52'/></dhcp></ip></network>",
    );
    fs::write("/tmp/lease", LEASE).unwrap();
    fs::set_permissions("/tmp/lease", fs::Permissions::from_mode(0o755)).unwrap();
    let [first, second] = [1, 2].map(|number| attach(number, ""));
    let words = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "/tmp/lease", "-O", "hostname"];
    assert!(until(&first, "busybox", &words).contains("lease 10.9.0.51 first"));
    assert!(until(&second, "busybox", &words).contains("lease 10.9.0.52 second"));
    assert!(until(&first, "busybox", &["nslookup", "-type=a", "second.lab.test", "10.9.0.1"]).contains("10.9.0.52"));
    until(&first, "ping", &["-c1", "-W2", "10.9.0.52"]);
    until(&second, "ping", &["-c1", "-W2", "10.77.0.1"]);
    // All of that without the bridge having learned of anybody.
    let known = json("bridge", &["-j", "fdb", "show", "br", "lab0"]);
    let of_guests = |entry: &&Value| entry["mac"].as_str().unwrap().starts_with("52:54:00:00:00:0");
    let mut known = known.as_array().unwrap().iter().filter(of_guests).peekable();
    assert!(known.peek().is_some() && known.all(|entry| entry["state"] == "static"));
}
