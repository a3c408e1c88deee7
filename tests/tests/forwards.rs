//! `vnet forward`: ports are added and removed as a network runs and as it is kept, and mended.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use vnet_tests::{Machine, isolate, json, run, vnet, wait_for};

const LAB: &str = "<network><name>lab</name><forward mode='nat'/><bridge name='lab0'/>\
    <ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.200'/>\
    <host mac='52:54:00:00:00:0c' name='web' ip='10.9.0.12'/></dhcp></ip></network>";
const STATE: &str = "/run/vnet-forwards";

fn output(words: &[&str]) -> Output {
    Command::new(vnet()).args(["--state-dir", STATE]).args(words).output().unwrap()
}

fn done(words: &[&str]) -> String {
    let out = output(words);
    assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn refused(words: &[&str]) -> String {
    let out = output(words);
    assert_eq!(out.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stderr).unwrap()
}

fn elements(map: &str) -> String {
    run("nft", &["list", "map", "inet", "vnet", map])
}

#[test]
fn ports_are_led_and_let_go() {
    isolate!();
    fs::write("/run/lab.xml", LAB).unwrap();
    done(&["define", "/run/lab.xml"]);
    done(&["start", "lab"]);

    done(&["forward", "add", "lab", "tcp/2222", "web:22", "--live", "--config"]);
    done(&["forward", "add", "lab", "udp/5000-5002", "10.9.0.13:6000"]);
    done(&["forward", "add", "lab", "tcp/80", "52:54:00:00:00:0c", "--address", "198.51.100.7"]);
    assert!(elements("lead_any_ipv4").contains("tcp . 2222 comment"), "{}", elements("lead_any_ipv4"));
    assert!(elements("lead_any_ipv4").contains(": 10.9.0.13 . 6002"), "{}", elements("lead_any_ipv4"));
    assert!(elements("lead_ipv4").contains(": 10.9.0.12 . 80"), "{}", elements("lead_ipv4"));
    let list = done(&["forward", "list", "lab"]);
    assert!(list.contains("6000-6002") && list.contains("198.51.100.7"), "{list}");
    let kept = done(&["forward", "list", "lab", "--config"]);
    assert!(kept.contains("2222") && !kept.contains("5000"), "{kept}");

    // What is taken is named: by another forward, and by a program of the host.
    let taken = refused(&["forward", "add", "lab", "tcp/2222", "10.9.0.13:22"]);
    assert!(taken.contains("the tcp port 2222 of the host leads into a guest already"), "{taken}");
    let listener = TcpListener::bind("0.0.0.0:2223").unwrap();
    let taken = refused(&["forward", "add", "lab", "tcp/2223", "web:22"]);
    assert!(taken.contains("listens on the tcp port 2223"), "{taken}");
    drop(listener);
    let unknown = refused(&["forward", "add", "lab", "tcp/2224", "wbe:22"]);
    assert!(unknown.contains("with the name `wbe`"), "{unknown}");
    let missing = refused(&["forward", "remove", "lab", "tcp/2220-2222"]);
    assert!(missing.contains("no forward of tcp port 2220-2221"), "{missing}");

    // A missing element is drift, and mended.
    run("sh", &["-c", "nft 'delete element inet vnet lead_any_ipv4 { tcp . 2222 }'"]);
    assert!(String::from_utf8(output(&["diff", "lab"]).stdout).unwrap().contains("tcp . 2222"));
    done(&["apply", "--running"]);
    assert!(elements("lead_any_ipv4").contains("tcp . 2222 comment"));

    done(&["forward", "remove", "lab", "udp/5001"]);
    let list = done(&["forward", "list", "lab"]);
    assert!(list.contains("6002") && !list.contains("5001"), "{list}");
    done(&["stop", "lab"]);
    done(&["start", "lab"]);
    assert!(elements("lead_any_ipv4").contains("tcp . 2222 comment") && !elements("lead_any_ipv4").contains("5000"));
    done(&["forward", "remove", "lab", "tcp/2222", "--live", "--config"]);
    assert!(!run("nft", &["list", "table", "inet", "vnet"]).contains("lead_any"), "the maps go with the last forward");
    let xml = done(&["dumpxml", "lab", "--inactive"]);
    assert!(!xml.contains("metadata"), "{xml}");
    done(&["stop", "lab"]);
}

/// Those who ask guests, and how long they wait for an answer before they ask again.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);
const SWITCHES: [&str; 2] =
    ["/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/net/bridge/bridge-nf-call-ip6tables"];

/// Says `web` to whoever asks at port 22, by TCP and by UDP.
fn serve(web: &Machine) {
    let at = SocketAddr::from(([10, 9, 0, 12], 22));
    let (listener, socket) = web.netns.run(|| (TcpListener::bind(at).unwrap(), UdpSocket::bind(at).unwrap()));
    std::thread::spawn(move || listener.incoming().flatten().for_each(|mut it| drop(it.write_all(b"web"))));
    std::thread::spawn(move || {
        while let Ok((_, peer)) = socket.recv_from(&mut [0; 8]) {
            let _ = socket.send_to(b"web", peer);
        }
    });
}

fn ask_tcp(to: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&to, PAUSE)?;
    stream.set_read_timeout(Some(PAUSE))?;
    stream.read_exact(&mut [0; 3])
}

fn ask_udp(to: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PAUSE))?;
    socket.connect(to)?;
    socket.send(b"who")?;
    socket.recv(&mut [0; 8]).map(drop)
}

/// A guest reaches a port that leads to it and one that leads to its sibling, by each address of
/// the host. Where br_netfilter is on, the bridge itself has to send back what goes to the guest
/// that sent it: the tap of a guest whose MAC address is known is in hairpin mode.
#[test]
fn guests_reach_ports_that_lead_to_themselves_and_to_siblings() {
    isolate!();
    fs::write("/run/lab.xml", LAB).unwrap();
    run("ip", &["link", "add", "uplink", "type", "bridge"]);
    run("ip", &["address", "add", "192.0.2.1/24", "dev", "uplink"]);
    run("ip", &["link", "set", "uplink", "up"]);
    // The files are there where the kernel has br_netfilter.
    let is_there = SWITCHES.iter().all(|switch| Path::new(switch).exists());
    let states = if is_there { &["0", "1"][..] } else { &["0"] };
    for state in states {
        SWITCHES.iter().filter(|_| is_there).for_each(|switch| fs::write(switch, state).unwrap());
        done(&["start", "/run/lab.xml"]);
        let machine = |tap: &str, last: u8| {
            let mac = format!("52:54:00:00:00:{last:02x}");
            let interface = format!(
                "<interface type='network'><source network='lab'/><mac address='{mac}'/><target dev='{tap}'/></interface>"
            );
            fs::write("/run/port.xml", interface).unwrap();
            done(&["attach", "/run/port.xml"]);
            let machine = Machine::here(tap, &mac);
            machine.address(&format!("10.9.0.{last}/24"));
            machine.gateway("10.9.0.1");
            machine
        };
        let (web, sibling) = (machine("web0", 12), machine("sib0", 13));
        serve(&web);
        // They come later than the guests.
        done(&["forward", "add", "lab", "tcp/2222", "web:22"]);
        done(&["forward", "add", "lab", "udp/2222", "10.9.0.12:22"]);
        let modes =
            ["web0", "sib0"].map(|tap| json("bridge", &["-d", "-j", "link", "show", "dev", tap])[0]["hairpin"] == true);
        assert_eq!(modes, [*state == "1", false], "br_netfilter: {state}");
        for (name, asker) in [("web", &web), ("its sibling", &sibling)] {
            for to in ["10.9.0.1:2222", "192.0.2.1:2222"].map(|to| to.parse().unwrap()) {
                for transport in ["tcp", "udp"] {
                    let ask = if transport == "tcp" { ask_tcp } else { ask_udp };
                    let what = format!("{transport} from {name} to {to}, br_netfilter: {state}");
                    wait_for(PATIENCE, &what, || asker.netns.run(|| ask(to).ok()));
                }
            }
        }
        done(&["stop", "lab"]);
    }
}
