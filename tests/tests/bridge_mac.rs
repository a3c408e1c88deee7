//! A bridge that gets another MAC address while guests are attached.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use vnet_netlink::Netlink;
use vnet_tests::{Netns, isolate, run, vnet, wait_for};

fn definition(mac: &str) -> String {
    format!(
        "<network><name>lab</name><bridge name='lab0' stp='off'/><mac address='{mac}'/>
         <ip address='10.9.0.1' prefix='24'/><ip family='ipv6' address='fd00:9::1' prefix='64'/></network>"
    )
}

fn bring_up(command: &str, mac: &str) {
    std::fs::write("/run/lab.xml", definition(mac)).unwrap();
    run(vnet().to_str().unwrap(), &["--state-dir", "/run/vnet", command, "/run/lab.xml"]);
}

/// A neighbour entry is trusted for half a minute. The bridge's announcement replaces it at once.
#[test]
fn guests_learn_the_new_address_at_once() {
    isolate!();
    let (old, new) = ("52:54:00:00:00:01", "52:54:00:00:00:02");
    bring_up("start", old);
    run("ip", &["link", "add", "vnet0", "type", "veth", "peer", "name", "eth0"]);
    let guest = Netns::new();
    let netlink = Netlink::open().unwrap();
    let eth0 = netlink.link(&"eth0".parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(eth0, guest.file()).unwrap();
    run("ip", &["link", "set", "vnet0", "master", "lab0", "up"]);
    let gateways = ["10.9.0.1", "fd00:9::1"];
    let entry = |gateway| guest.run(|| run("ip", &["neighbour", "show", "to", gateway]));
    guest.run(|| {
        run("ip", &["address", "add", "10.9.0.2/24", "dev", "eth0"]);
        run("ip", &["address", "add", "fd00:9::2/64", "dev", "eth0", "nodad"]);
        run("ip", &["link", "set", "eth0", "up"]);
    });
    for gateway in gateways {
        let answers = || guest.run(|| std::process::Command::new("ping").args(["-c1", "-W1", gateway]).output());
        wait_for(Duration::from_secs(20), gateway, || answers().unwrap().status.success().then_some(()));
        assert!(entry(gateway).contains(old), "{}", entry(gateway));
    }
    bring_up("apply", new);
    for gateway in gateways {
        wait_for(Duration::from_secs(5), "the announcement", || entry(gateway).contains(new).then_some(()));
    }
    for switch in ["ipv4/conf/lab0/arp_notify", "ipv6/conf/lab0/ndisc_notify"] {
        assert_eq!(std::fs::read_to_string(format!("/proc/sys/net/{switch}")).unwrap().trim(), "0", "{switch}");
    }
}
