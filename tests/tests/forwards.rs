//! `vnet forward`: ports are added and removed as a network runs and as it is kept, and mended.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use vnet_tests::{isolate, run, vnet};

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
