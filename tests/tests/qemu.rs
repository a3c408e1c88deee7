//! Real guests: qemu with a kernel of its own. `cargo xtask guest` makes what they boot.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use vnet_tests::{Guest, isolate, json, run, vnet, wait_for};

const SOON: Duration = Duration::from_secs(10);

/// A host with a way out: passt gives its guest the host's own address and route.
fn host() {
    for line in [
        "link add eth0 type veth peer name cable",
        "address add 10.77.0.2/24 dev eth0",
        "link set eth0 up",
        "link set cable up",
        "route add default via 10.77.0.1",
    ] {
        run("ip", &line.split(' ').collect::<Vec<_>>());
    }
}

/// What a server says at a port of this host.
fn page(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.contains("200 OK").then_some(text)
}

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
fn a_guest_behind_passt_has_its_lease_and_its_ports() {
    isolate!();
    host();
    let interface = "<interface type='user'><mac address='52:54:00:00:00:07'/>
        <ip address='172.17.2.4' family='ipv4' prefix='24'/>
        <portForward proto='tcp' address='127.0.0.1'><range start='8080' to='80'/></portForward>
        <model type='virtio'/><backend type='passt'/><mtu size='1400'/></interface>";
    fs::write("/tmp/web.xml", interface).unwrap();
    let program = vnet();
    let program = program.to_str().unwrap();
    let report = json(program, &["passt", "run", "--format", "json", "/tmp/web.xml"]);
    let arguments: Vec<&str> = report["qemu"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();

    let mut guest = Guest::boot(&arguments);
    guest.run("ip link set eth0 up");
    let lease = guest.run("udhcpc -q -n -t 10 -s /etc/lease -i eth0");
    assert!(lease.contains("lease 172.17.2.4/24") && lease.contains("mtu 1400"), "{lease}");
    assert!(guest.run("ip link show eth0").contains("52:54:00:00:00:07"));
    guest.run("mkdir -p /www && echo here is the guest > /www/index.html && httpd -p 80 -h /www");
    let page = wait_for(SOON, "the guest's page", || page(8080));
    assert!(page.contains("here is the guest"), "{page}");
    assert!(TcpStream::connect(("127.0.0.1", 8081)).is_err(), "nothing is forwarded that is not said");

    // passt ends with its guest.
    drop(guest);
    wait_for(SOON, "the end of passt", || {
        let status = Command::new(program).args(["passt", "status", "web"]).output().unwrap();
        (status.status.code() == Some(1)).then_some(())
    });
    run(program, &["passt", "stop", "web"]);
    assert!(!fs::exists(report["socket"].as_str().unwrap()).unwrap());
}
