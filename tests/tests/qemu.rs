//! Real guests: qemu with a kernel of its own. `cargo xtask guest` makes what they boot.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use vnet_tests::{Guest, Netns, isolate, json, run, tell, vnet, vnet_does as done, wait_for};

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

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
fn bulk_passes_a_guest_behind_passt_both_ways() {
    isolate!();
    host();
    let interface = "<interface type='user'>
        <portForward proto='tcp' address='127.0.0.1'><range start='8080' to='80'/></portForward>
        <model type='virtio'/><backend type='passt'/></interface>";
    fs::write("/tmp/bulk.xml", interface).unwrap();
    let report = json(vnet().to_str().unwrap(), &["passt", "run", "--format", "json", "/tmp/bulk.xml"]);
    let arguments: Vec<&str> = report["qemu"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let mut guest = Guest::boot(&arguments);
    guest.run("ip link set eth0 up");
    guest.run("udhcpc -q -n -t 10 -s /etc/lease -i eth0");

    // More than all buffers on the way hold.
    let sent: Vec<u8> = (0..4 << 20).flat_map(u32::to_le_bytes).collect();
    fs::write("/tmp/sent", &sent).unwrap();
    // Who has no more to say does not hang up yet: a passt of 2023 stalls behind a guest that
    // closes its half at once.
    guest.run("(sleep 600 | nc -l -p 80 | md5sum > /tmp/sum) & while ! netstat -ltn | grep -q :80; do sleep 1; done");
    let mut stream = TcpStream::connect("127.0.0.1:8080").unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream.write_all(&sent).unwrap();
    drop(stream);
    let sum = wait_for(6 * SOON, "the guest's sum", || Some(guest.run("cat /tmp/sum")).filter(|sum| !sum.is_empty()));
    assert_eq!(sum.split(' ').next(), run("md5sum", &["/tmp/sent"]).split(' ').next());

    let server = TcpListener::bind("127.0.0.1:9999").unwrap();
    // The gateway's address is the host's loopback. The guest keeps its half open here, too.
    guest.run("(yes | head -c 8388608; sleep 600) | nc 10.77.0.1 9999 > /dev/null 2>&1 &");
    server.set_nonblocking(true).unwrap();
    let (mut stream, _) = wait_for(SOON, "the guest's connection", || server.accept().ok());
    stream.set_read_timeout(Some(3 * SOON)).unwrap();
    let mut received = vec![0; 8 << 20];
    stream.read_exact(&mut received).unwrap();
    assert!(received == b"y\n".repeat(4 << 20));
}

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
fn a_passt_that_died_under_its_guest_is_brought_back() {
    isolate!();
    host();
    let interface = "<interface type='user'>
        <portForward proto='tcp' address='127.0.0.1'><range start='8080' to='80'/></portForward>
        <model type='virtio'/><backend type='passt'/></interface>";
    fs::write("/tmp/web.xml", interface).unwrap();
    let program = vnet();
    let program = program.to_str().unwrap();
    let passt = json(program, &["attach", "--format", "json", "/tmp/web.xml"])["port"]["passt"].clone();
    let arguments: Vec<&str> = passt["qemu"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let boot = || {
        let mut guest = Guest::boot(&arguments);
        guest.run("ip link set eth0 up");
        guest.run("udhcpc -q -n -t 10 -s /etc/lease -i eth0");
        guest.run("mkdir -p /www && echo here is the guest > /www/index.html && httpd -p 80 -h /www");
        guest
    };
    let mut guest = boot();

    wait_for(SOON, "the guest's page", || page(8080));
    run("kill", &["-9", &passt["pid"].to_string()]);
    let state = || json(program, &["ports", "--format", "json"])["ports"][0]["state"].clone();
    wait_for(SOON, "the end of passt to be noticed", || (state() == "drifted").then_some(()));
    run(program, &["apply", "/tmp/web.xml"]);
    assert_eq!(state(), "in-sync");
    if !arguments.iter().any(|argument| argument.contains("reconnect")) {
        // A QEMU before 8.0 does not connect again: one that is started anew does, by the same
        // words.
        drop(guest);
        guest = boot();
    }
    let page = wait_for(3 * SOON, "the guest to be found again", || {
        // passt knows a guest by the first frame that it sends.
        guest.can("ping -c 1 -W 1 10.77.0.1");
        page(8080)
    });
    assert!(page.contains("here is the guest"), "{page}");
}

/// The words for setpriv(1) that leave a program no capability at all, as an ordinary user has
/// none.
const ORDINARY: [&str; 4] = ["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs"];

const NAT: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='lab0' stp='off'/><domain name='lab.test'/>
    <dns><host ip='203.0.113.9'><hostname>outside.test</hostname></host></dns>
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.200'/>
    <host mac='52:54:00:00:00:01' name='first' ip='10.9.0.51'/><host mac='52:54:00:00:00:02' name='second' ip='10.9.0.52'/>
    </dhcp></ip></network>";

const ISOLATED: &str = "<network><name>closed</name><bridge name='closed0' stp='off'/>
    <ip address='10.8.0.1' prefix='24'><dhcp><range start='10.8.0.100' end='10.8.0.200'/></dhcp></ip></network>";

/// A guest's interface: its number is the last of its MAC address.
fn interface(number: u8, network: &str, more: &str) -> String {
    format!(
        "<interface type='network'><source network='{network}'/><mac address='52:54:00:00:00:0{number}'/>\
         <model type='virtio'/>{more}</interface>"
    )
}

/// A host outside, with an address that the guests' host routes to. It answers at its port 80, and
/// tells who asked.
struct Outside {
    _netns: Netns,
    asked: Receiver<IpAddr>,
}

impl Outside {
    fn new() -> Self {
        let netns = Netns::new();
        host();
        let netlink = vnet_netlink::Netlink::open().unwrap();
        let cable = netlink.link(&"cable".parse().unwrap()).unwrap().unwrap().index;
        netlink.move_to_namespace(cable, netns.file()).unwrap();
        let (tell, asked) = channel();
        let listener = netns.run(|| {
            run("ip", &["address", "add", "10.77.0.1/24", "dev", "cable"]);
            run("ip", &["address", "add", "203.0.113.9/32", "dev", "lo"]);
            run("ip", &["link", "set", "cable", "up"]);
            TcpListener::bind("203.0.113.9:80").unwrap()
        });
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"here is the outside\n");
                let _ = tell.send(stream.peer_addr().unwrap().ip());
            }
        });
        Self { _netns: netns, asked }
    }
}

/// Boots guests side by side, each on a tap that is there, by a qemu without any privilege.
fn boot<const N: usize>(cards: [(&str, u8); N]) -> [Guest; N] {
    let boot = |(tap, number): (&str, u8)| {
        let mut qemu = Command::new("setpriv");
        qemu.args(ORDINARY).arg("qemu-system-x86_64");
        let network = format!("tap,id=net,ifname={tap},script=no,downscript=no");
        let card = format!("virtio-net-pci,netdev=net,mac=52:54:00:00:00:0{number},romfile=");
        let mut guest = Guest::boot_by(qemu, &["-netdev", &network, "-device", &card]);
        guest.run("ip link set eth0 up");
        guest
    };
    thread::scope(|scope| {
        let boots = cards.map(|card| scope.spawn(move || boot(card)));
        boots.map(|booted| booted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// What the guest is told by DHCP.
fn lease(guest: &mut Guest) -> String {
    guest.until("udhcpc -q -n -t 10 -T 1 -s /etc/lease -i eth0")
}

// By numbers: a static busybox looks up names of hosts and services in libraries that the guest
// does not have.
const FETCH: &str = "echo GET / | nc -w 10 203.0.113.9 80";

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
fn guests_on_taps_of_their_own_have_a_network_and_are_kept_apart() {
    isolate!();
    let outside = Outside::new();
    done(&["start", "-"], NAT);
    done(&["start", "-"], ISOLATED);
    let apart = "<port isolated='yes'/>";
    for number in [1, 2] {
        // The kernel's check of who owns a tap is what lets in a qemu that has no capability.
        done(&["attach", "-", "--owner", "0"], &interface(number, "lab", apart));
    }
    let [mut first, mut second] = boot([("vnet0", 1), ("vnet1", 2)]);

    // Both have the address that is kept for them, and their name.
    let told = lease(&mut first);
    assert!(told.contains("lease 10.9.0.51/24 router 10.9.0.1 dns 10.9.0.1 hostname first domain lab.test"), "{told}");
    let told = lease(&mut second);
    assert!(told.contains("lease 10.9.0.52/24") && told.contains("hostname second"), "{told}");
    let leases = done(&["leases", "lab"], "");
    assert_eq!(leases["leases"].as_array().unwrap().len(), 2, "{leases}");

    // They resolve, one the other and what the network knows; and they reach the outside, by the
    // host's address.
    for (name, address) in [("second.lab.test", "10.9.0.52"), ("outside.test", "203.0.113.9")] {
        assert!(first.until(&format!("nslookup -type=a {name}")).contains(address));
    }
    for guest in [&mut first, &mut second] {
        assert_eq!(guest.until(FETCH), "here is the outside");
        assert_eq!(outside.asked.recv_timeout(SOON).unwrap().to_string(), "10.77.0.2");
    }

    // Isolated ports do not see each other. One alone is not.
    assert!(!first.can("ping -c 1 -W 2 10.9.0.52"));
    done(&["apply", "-"], &interface(1, "lab", "<target dev='vnet0'/>"));
    first.until("ping -c 1 -W 2 10.9.0.52");

    // A running guest is moved into an isolated network: from there nothing leads outside.
    done(&["apply", "-"], &interface(2, "closed", "<target dev='vnet1'/>"));
    let told = lease(&mut second);
    assert!(told.contains("lease 10.8.0.") && told.contains("router  dns 10.8.0.1"), "{told}");
    second.until("ping -c 1 -W 2 10.8.0.1");
    // Not even when it tries.
    second.run("ip route replace default via 10.8.0.1");
    assert!(!second.can("ping -c 1 -W 2 203.0.113.9") && !second.can("ping -c 1 -W 2 10.9.0.51"));
    first.until("ping -c 1 -W 2 203.0.113.9");
}

/// All there is to see of a port of a bridge, but for what comes of a program that has it open.
fn port(name: &str) -> Value {
    let mut seen = json("ip", &["-j", "-d", "link", "show", name])[0].clone();
    for fact in ["operstate", "flags"] {
        seen[fact] = Value::Null;
    }
    for fact in ["state", "hold_timer"] {
        seen["linkinfo"]["info_slave_data"][fact] = Value::Null;
    }
    seen
}

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
fn a_guest_boots_on_a_tap_of_its_user() {
    isolate!();
    done(&["start", "-"], NAT);
    for line in ["tuntap add mine mode tap user 0 vnet_hdr", "link set mine mtu 1400 master lab0 up"] {
        run("ip", &line.split(' ').collect::<Vec<_>>());
    }
    let before = port("mine");
    let as_user = |arguments: &[&str], document: &str| {
        let mut command = Command::new("setpriv");
        command.args(ORDINARY).arg(vnet()).args(["--state-dir", "/tmp/of-a-user"]).args(arguments);
        let output = tell(command, document);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    as_user(
        &["attach", "-"],
        "<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='mine' managed='no'/>
         <model type='virtio'/></interface>",
    );
    let [mut guest] = boot([("mine", 2)]);
    let told = lease(&mut guest);
    assert!(told.contains("lease 10.9.0.52/24") && told.contains("hostname second"), "{told}");
    guest.until("ping -c 1 -W 2 10.9.0.1");
    assert_eq!(port("mine"), before);
    drop(guest);
    as_user(&["detach", "mine"], "");
    assert_eq!(port("mine"), before);
}
