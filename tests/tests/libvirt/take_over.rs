//! Networks that libvirt runs, taken over with their guests connected.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use rstest::rstest;
use serde_json::Value;
use vnet_tests::{isolate, json, run, wait_for};

use crate::lab::{
    ISOLATED, Libvirt, NAT, Pings, SOON, connect, done, guest, lease, outside, program, try_virsh, virsh, vnet,
};

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn no_ping_is_lost() {
    isolate!();
    let _outside = outside();
    let mut libvirt = Libvirt::start();
    libvirt.run("default", NAT);
    libvirt.run("inner", ISOLATED);
    virsh(&["net-autostart", "default"]);
    let [first, second] = [1, 2].map(|number| guest("virbr0", &format!("vnet{number}"), &mac(number)));
    let addresses = [libvirt.lease("default", &first, "first"), libvirt.lease("default", &second, "second")];
    let index = json("ip", &["-j", "link", "show", "virbr0"])[0]["ifindex"].clone();
    let mut connection = connect(&first);
    connection.write_all(b"a").unwrap();

    let refused = vnet(&["import", "--take-over", "default"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && text.contains("systemctl stop libvirtd"), "{text}");

    libvirt.down();
    let pings = [Pings::start(&first, &addresses[1]), Pings::start(&second, "192.0.2.1")];
    let text = done(&["import", "--take-over", "default"]);
    assert!(text.contains("vnet1") && text.contains("vnet2"), "{text}");
    pings.into_iter().for_each(Pings::finish);
    connection.write_all(b"b").unwrap();
    let mut echo = [0; 2];
    connection.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"ab");

    // The same bridge, and nothing of libvirt's is left.
    assert_eq!(json("ip", &["-j", "link", "show", "virbr0"])[0]["ifindex"], index);
    assert!(!rules().contains("virbr0 ") && rules().contains("virbr1"), "{}", rules());
    for file in ["/run/libvirt/network/default.xml", "/run/libvirt/network/default.pid", "/run/libvirt/network/default"]
    {
        assert!(!Path::new(file).exists(), "{file}");
    }
    assert_eq!(files("/var/lib/libvirt/dnsmasq", &["default", "virbr0"]), [""; 0]);
    assert_eq!(files("/etc/libvirt/qemu/networks/autostart", &["default"]), [""; 0]);
    done(&["diff", "default"]);
    // The guests keep their addresses, and are answered.
    assert_eq!([lease(&first, "first"), lease(&second, "second")], addresses);
    let leases = done(&["leases", "default"]);
    assert!(addresses.iter().all(|address| leases.contains(address)) && leases.contains("second"), "{leases}");
    first.run(|| run("ping", &["-c1", "-W5", &addresses[1]]));

    // libvirt knows the other one alone.
    libvirt.up();
    assert_eq!(virsh(&["net-list", "--all", "--name"]).split_whitespace().collect::<Vec<_>>(), ["inner"]);
    assert!(rules().contains("virbr1"), "{}", rules());
    first.run(|| run("ping", &["-c1", "-W5", "192.0.2.1"]));

    // The last one takes libvirt's chains with it.
    libvirt.down();
    done(&["import", "--take-over", "inner"]);
    assert!(!rules().contains("LIBVIRT"), "{}", rules());
    done(&["stop", "inner"]);
    done(&["stop", "default"]);
    let links = json("ip", &["-j", "link"]);
    assert!(links.as_array().unwrap().iter().all(|link| link["linkinfo"]["info_kind"] != "bridge"), "{links}");
    assert!(!Path::new("/run/vnet").exists());
    libvirt.up();
    assert!(!try_virsh(&["net-info", "default"]).status.success());
}

/// A guest of QEMU, as libvirt records its port, and a limit that libvirt's `tc` has set.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn a_guest_of_qemu_and_a_limit_are_taken_over() {
    isolate!();
    let mut libvirt = Libvirt::start();
    // What libvirt asks of the kernel for a limit beside classes, and not every kernel has.
    program(
        "tc",
        "case \"$*\" in\n*' fw '*) exit 0 ;;\n*sfq*) exec /sbin/tc qdisc add dev virbr1 parent 1:2 handle 2: pfifo ;;\n\
         esac\nexec /sbin/tc \"$@\"",
    );
    let limit = "<bandwidth><inbound average='100000'/></bandwidth><ip";
    libvirt.run("inner", &ISOLATED.replacen("<ip", limit, 1));
    let port = "<networkport><uuid>5e3b1c5a-0000-4000-8000-000000000009</uuid><owner><name>guest</name><uuid>e09397ef-9c72-4e60-9e22-81078a769d33</uuid></owner>
        <mac address='52:54:00:00:00:09'/></networkport>";
    fs::write("/tmp/port.xml", port).unwrap();
    virsh(&["net-port-create", "inner", "/tmp/port.xml"]);
    assert_eq!(fs::read_dir("/run/libvirt/network/inner/ports").unwrap().count(), 1);
    run("ip", &["tuntap", "add", "vnet9", "mode", "tap"]);
    run("ip", &["link", "set", "vnet9", "master", "virbr1", "up"]);
    let card = ["-netdev", "tap,id=n,ifname=vnet9,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n"];
    let mut qemu = Command::new("qemu-system-x86_64");
    let mut qemu = qemu.args(["-nodefaults", "-display", "none", "-m", "32"]).args(card).spawn().unwrap();
    let tap = || json("ip", &["-j", "link", "show", "vnet9"])[0].clone();
    let is_held = |tap: &Value| tap["flags"].as_array().unwrap().contains(&"LOWER_UP".into());
    wait_for(SOON, "the guest", || is_held(&tap()).then_some(()));
    let index = tap()["ifindex"].clone();

    let [first, second] = [1, 2].map(|number| guest("virbr1", &format!("port{number}"), &mac(number)));
    let address = [libvirt.lease("inner", &first, "first"), libvirt.lease("inner", &second, "second")][1].clone();
    let classes = || run("tc", &["class", "show", "dev", "virbr1"]);
    let before = classes();
    assert!(before.contains("rate 800Mbit"), "{before}");
    libvirt.down();
    let pings = Pings::start(&first, &address);
    let taken = done(&["import", "--take-over", "inner", "--format", "json"]);
    pings.finish();
    assert!(taken.contains("\"vnet9\""), "{taken}");
    assert_eq!(classes(), before);
    let tap = tap();
    assert!(is_held(&tap) && tap["ifindex"] == index && tap["master"] == "virbr1", "{tap}");
    assert!(qemu.try_wait().unwrap().is_none());
    done(&["diff", "inner"]);
    assert!(!Path::new("/run/libvirt/network/inner").exists());
    libvirt.up();
    assert_eq!(virsh(&["net-list", "--all", "--name"]).trim(), "");
    libvirt.down();
    done(&["diff", "inner"]);
    qemu.kill().unwrap();
    qemu.wait().unwrap();
    done(&["stop", "inner"]);
    assert_eq!(run("ip", &["-brief", "link", "show", "type", "bridge"]), "");
}

fn mac(number: usize) -> String {
    format!("52:54:00:00:00:0{number}")
}

/// libvirt's rules of its backend `iptables`.
fn rules() -> String {
    let tables = ["filter", "nat", "mangle"];
    let each = |table| run("iptables-nft", &["-t", table, "-S"]) + &run("ip6tables-nft", &["-t", table, "-S"]);
    tables.map(each).concat()
}

/// The files in a folder that begin with one of these names.
fn files(folder: &str, names: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let all = entries.filter_map(|entry| entry.file_name().into_string().ok());
    all.filter(|file| names.iter().any(|name| file.starts_with(name))).collect()
}

/// dnsmasq is the last that can fail.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn one_that_fails_leaves_libvirts_network() {
    isolate!();
    let mut libvirt = Libvirt::start();
    libvirt.run("inner", ISOLATED);
    virsh(&["net-autostart", "inner"]);
    let guest = guest("virbr1", "vnet1", &mac(1));
    let address = libvirt.lease("inner", &guest, "first");
    let (before, definition) = (rules(), virsh(&["net-dumpxml", "inner"]));
    libvirt.down();
    fs::create_dir("/tmp/failing").unwrap();
    fs::write("/tmp/failing/dnsmasq", "#!/bin/sh\necho no >&2\nexit 2\n").unwrap();
    run("chmod", &["755", "/tmp/failing/dnsmasq"]);
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["import", "--take-over", "inner"]).env("PATH", "/tmp/failing");
    let failed = command.output().unwrap();
    let text = String::from_utf8(failed.stderr).unwrap();
    assert!(failed.status.code() == Some(1) && text.contains("is undone"), "{text}");
    assert_eq!(rules(), before);
    assert!(!Path::new("/run/vnet").exists());
    assert_eq!(lease(&guest, "first"), address);
    libvirt.up();
    assert_eq!(virsh(&["net-dumpxml", "inner"]), definition);
    assert!(virsh(&["net-info", "inner"]).contains("Autostart:      yes"));
    virsh(&["net-destroy", "inner"]);
    assert!(!rules().contains("virbr1"), "{}", rules());
}

#[rstest]
#[case::before_anything("rename", 2)]
#[case::at_libvirts_files("unlink", 4)]
#[case::at_its_definition("unlink", 8)]
#[case::at_our_files("rename", 5)]
#[case::before_libvirts_rules_go("rename", 9)]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn one_that_is_killed_is_continued(#[case] call: &str, #[case] number: usize) {
    isolate!();
    let mut libvirt = Libvirt::start();
    libvirt.run("inner", ISOLATED);
    let [first, second] = [1, 2].map(|number| guest("virbr1", &format!("vnet{number}"), &mac(number)));
    let addresses = [libvirt.lease("inner", &first, "first"), libvirt.lease("inner", &second, "second")];
    done(&["import"]);
    libvirt.down();
    let pings = Pings::start(&first, &addresses[1]);
    let inject = format!("inject={call}:signal=SIGKILL:when={number}");
    let vnet = vnet_tests::vnet();
    let killed = Command::new("strace")
        .args(["-o", "/tmp/strace", "-e", &inject, vnet.to_str().unwrap(), "import", "--take-over", "inner"])
        .output()
        .unwrap();
    assert!(!killed.status.success(), "it came to its end: {}", fs::read_to_string("/tmp/strace").unwrap());
    done(&["import", "--take-over", "inner"]);
    pings.finish();
    done(&["diff", "inner"]);
    assert!(!rules().contains("LIBVIRT"), "{}", rules());
    assert_eq!(files("/run/libvirt/network", &["inner"]), [""; 0]);
    assert_eq!([lease(&first, "first"), lease(&second, "second")], addresses);
    done(&["stop", "inner"]);
    assert!(!Path::new("/run/vnet").exists());
}
