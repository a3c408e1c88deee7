//! Networks that libvirt runs, taken over with their guests connected.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use rstest::rstest;
use vnet_tests::{isolate, json, run};

use crate::lab::{ISOLATED, Libvirt, NAT, Pings, connect, done, guest, lease, outside, try_virsh, virsh, vnet};

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
    let addresses = [lease(&first, "first"), lease(&second, "second")];
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
    let address = lease(&guest, "first");
    let (before, definition) = (rules(), virsh(&["net-dumpxml", "inner"]));
    libvirt.down();
    fs::create_dir("/tmp/failing").unwrap();
    fs::write("/tmp/failing/dnsmasq", "#!/bin/sh\necho no >&2\nexit 2\n").unwrap();
    run("chmod", &["755", "/tmp/failing/dnsmasq"]);
    let mut command = std::process::Command::new(vnet_tests::vnet());
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
    let addresses = [lease(&first, "first"), lease(&second, "second")];
    done(&["import"]);
    libvirt.down();
    let pings = Pings::start(&first, &addresses[1]);
    let inject = format!("inject={call}:signal=SIGKILL:when={number}");
    let vnet = vnet_tests::vnet();
    let killed = std::process::Command::new("strace")
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
