//! Definitions, what starts at boot, and leases, taken from libvirt.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use vnet_tests::{isolate, run, wait_for};

use crate::lab::{ISOLATED, Libvirt, NAT, SOON, done, guest, lease, network_driver, outside, virsh, vnet};

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn guests_keep_their_addresses() {
    isolate!();
    let _outside = outside();
    let libvirt = Libvirt::start();
    libvirt.run("default", NAT);
    libvirt.run("inner", ISOLATED);
    virsh(&["net-autostart", "default"]);
    let guest = guest("virbr0", "vnet1", "52:54:00:00:00:01");
    // The first addresses are those that dnsmasq would choose anyway.
    let reserved = "<host mac='52:54:00:00:00:01' ip='192.168.122.77'/>";
    virsh(&["net-update", "default", "add", "ip-dhcp-host", reserved, "--live"]);
    let address = libvirt.lease("default", &guest, "first");
    assert_eq!(address, "192.168.122.77");
    fs::write("/etc/libvirt/qemu/networks/broken.xml", "<network><name>broken</name>").unwrap();

    let output = vnet(&["import", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [broken, default, inner] = &report["networks"].as_array().unwrap()[..] else { panic!("{report}") };
    assert!(broken["error"].as_str().unwrap().contains("broken") && broken["imported"].is_null());
    let imported = |new: bool, autostart: bool, leases: usize| {
        serde_json::json!({
            "new": new, "unchanged": !new, "autostart": autostart, "leases": leases, "runs_in_libvirt": true
        })
    };
    assert_eq!(default["imported"], imported(true, true, 1));
    assert_eq!(inner["imported"], imported(true, false, 0));
    // Nothing of libvirt's is touched, and the same again changes nothing.
    assert_eq!(virsh(&["net-list", "--name"]).split_whitespace().collect::<Vec<_>>(), ["default", "inner"]);
    let again = done(&["import", "default"]);
    assert!(again.contains("kept already") && again.contains("`virsh net-destroy default`"), "{again}");

    let refused = vnet(&["start", "default"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && text.contains("`virsh net-destroy default` ends it there"), "{text}");
    virsh(&["net-destroy", "default"]);
    done(&["start", "default"]);
    run("ip", &["link", "set", "vnet1", "master", "virbr0"]);
    assert_eq!(lease(&guest, "first"), address);
    guest.run(|| run("ping", &["-c1", "-W5", "192.0.2.1"]));
    done(&["stop", "default"]);
}

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn a_kept_definition_is_not_overwritten() {
    isolate!();
    let _libvirt = Libvirt::start();
    fs::write("/tmp/default.xml", NAT).unwrap();
    virsh(&["net-define", "/tmp/default.xml"]);
    fs::write("/tmp/mine.xml", NAT.replace("122.254", "122.99")).unwrap();
    done(&["define", "/tmp/mine.xml"]);
    let kept = done(&["dumpxml", "default"]);
    let refused = vnet(&["import"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && text.contains("--replace"), "{text}");
    assert_eq!(done(&["dumpxml", "default"]), kept);
    // libvirt has given it another UUID.
    done(&["undefine", "default"]);
    done(&["import"]);
    fs::write("/tmp/changed.xml", virsh(&["net-dumpxml", "default"]).replace("122.254", "122.99")).unwrap();
    done(&["define", "/tmp/changed.xml"]);
    assert!(!vnet(&["import"]).status.success());
    done(&["import", "--replace"]);
    assert_eq!(
        done(&["dumpxml", "default"]),
        virsh(&["net-dumpxml", "--inactive", "default"]).trim_end().to_owned() + "\n"
    );
}

/// libvirt of an ordinary user keeps definitions in the user's folder, and cannot start a bridge.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn a_users_session_is_imported() {
    isolate!();
    let user = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-user=1000", "--map-group=1000", program]).env("LC_ALL", "C");
        command.env("HOME", "/tmp/home").env("XDG_RUNTIME_DIR", "/tmp/home/run").env_remove("XDG_CONFIG_HOME");
        command
    };
    fs::create_dir_all("/tmp/home/run").unwrap();
    let mut daemon = user("libvirtd");
    let mut daemon = daemon.env("LIBVIRT_DRIVER_DIR", network_driver()).stderr(Stdio::null()).spawn().unwrap();
    let virsh = |words: &[&str]| user("virsh").args(["-c", "network:///session"]).args(words).output().unwrap();
    wait_for(SOON, "libvirtd", || virsh(&["uri"]).status.success().then_some(()));
    fs::write("/tmp/mine.xml", NAT.replace("default", "mine")).unwrap();
    for words in [["net-define", "/tmp/mine.xml"], ["net-autostart", "mine"]] {
        let output = virsh(&words);
        assert!(output.status.success(), "{output:?}");
    }
    let vnet = |words: &[&str]| user(vnet_tests::vnet().to_str().unwrap()).args(words).output().unwrap();
    let imported = vnet(&["import"]);
    let said = String::from_utf8_lossy(&imported.stdout);
    assert!(imported.status.success() && said.contains("network mine imported, starts at boot"), "{imported:?}");
    let kept = String::from_utf8(vnet(&["dumpxml", "mine"]).stdout).unwrap();
    let theirs = String::from_utf8(virsh(&["net-dumpxml", "--inactive", "mine"]).stdout).unwrap();
    assert_eq!(kept.trim_end(), theirs.trim_end());
    let refused = vnet(&["import", "--take-over", "mine"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("only root's libvirt runs networks"), "{refused:?}");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

/// Each of our own valid definitions: exported, and read and started by libvirt.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn virsh_takes_what_is_exported() {
    isolate!();
    let _outside = outside();
    let _libvirt = Libvirt::start();
    let definitions = [
        ("nat", NAT.to_owned()),
        ("inner", ISOLATED.to_owned()),
        (
            "routed",
            "<network><name>routed</name><forward mode='route' dev='eth0'/><bridge name='virbr7' stp='off'/>
            <mtu size='1400'/><domain name='lab.test' localOnly='yes'/><dns><txt name='a' value='b'/>
            <host ip='10.9.0.9'><hostname>gate</hostname></host></dns>
            <ip address='10.9.0.1' prefix='24' localPtr='yes'><dhcp><range start='10.9.0.10' end='10.9.0.20'>
            <lease expiry='2' unit='hours'/></range><host mac='52:54:00:00:00:09' name='x' ip='10.9.0.9'/></dhcp></ip>
            <ip family='ipv6' address='2001:db8:9::1' prefix='64'/>
            <route address='10.10.0.0' prefix='16' gateway='10.9.0.9'/></network>"
                .to_owned(),
        ),
    ];
    for (file, text) in &definitions {
        fs::write(format!("/tmp/{file}.xml"), text).unwrap();
        done(&["define", &format!("/tmp/{file}.xml")]);
    }
    done(&["autostart", "default"]);
    let commands = done(&["export", "--to", "/tmp/exported"]);
    assert!(commands.contains("virsh net-autostart default\n"), "{commands}");
    for line in commands.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[0], "virsh");
        virsh(&words[1..]);
    }
    for name in ["default", "inner", "routed"] {
        let exported = fs::read_to_string(format!("/tmp/exported/{name}.xml")).unwrap();
        assert_eq!(virsh(&["net-dumpxml", "--inactive", name]).trim_end(), exported.trim_end());
        assert_eq!(done(&["export", name]), exported);
        virsh(&["net-start", name]);
        virsh(&["net-destroy", name]);
    }
}
