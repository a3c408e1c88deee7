//! The commands about kept definitions, as somebody types them who knows virsh.

use std::fs;
use std::path::Path;

use crate::{DEFAULT, TYPO, json, scratch, shown, text, vnet_with};

#[test]
fn virsh_habits_work() {
    vnet_tests::isolate!();
    let folder = scratch("kept");
    let file = folder.join("default.xml");
    fs::write(&file, DEFAULT).unwrap();
    let file = file.to_str().unwrap();
    says(&["net-define", file], "network default defined from /");
    says(&["define", "--file", file], "network default defined anew from /");
    let header = says(&["net-list"], " Name   State   Autostart   Persistent   Bridge   Guests\n");
    assert_eq!(header.lines().count(), 2, "what does not run is not listed: {header}");
    assert_eq!(row(&["net-list", "--all"]), ["default", "inactive", "no", "yes", "virbr0", "0"]);
    says(&["net-autostart", "default"], "network default marked as autostarted");
    says(&["net-start", "--network", "default"], "network default started on virbr0");
    assert_eq!(row(&["net-list", "--persistent"]), ["default", "active", "yes", "yes", "virbr0", "0"]);
    for nobody in ["--inactive", "--transient", "--no-autostart"] {
        assert!(!says(&["net-list", nobody], "Name").contains("default"), "{nobody}");
    }
    assert_eq!(says(&["net-list", "--name"], ""), "default\n");
    let uuid = says(&["net-uuid", "default"], "");
    assert_eq!(says(&["net-list", "--all", "--uuid"], ""), uuid);
    assert_eq!(says(&["net-name", uuid.trim()], ""), "default\n");
    let info = says(&["net-info", "default"], "Name:           default\n");
    assert!(info.contains(&format!("UUID:           {uuid}Active:         yes\nPersistent:     yes\n")), "{info}");
    assert!(info.contains("Autostart:      yes\nBridge:         virbr0\n"), "{info}");
    says(&["net-dumpxml", uuid.trim()], "<uuid>");
    says(&["net-undefine", "default"], "network default undefined; it runs on and is transient");
    refuses(&["net-autostart", "default", "--disable"], "`vnet define --from-running default` keeps it");
    assert_eq!(row(&["list"]), ["default", "active", "no", "no", "virbr0", "0"]);
    says(&["net-destroy", "default"], "network default stopped");
    refuses(&["net-undefine", "default"], "`vnet list --all` shows all");
    assert!(!Path::new("/var/lib/vnet").exists());
}

#[test]
fn several_networks_at_once() {
    vnet_tests::isolate!();
    let folder = scratch("several");
    for name in ["a", "b"] {
        fs::write(folder.join(format!("{name}.xml")), format!("<network><name>{name}</name></network>")).unwrap();
    }
    fs::write(folder.join("typo.xml"), TYPO.replace("<name>a", "<name>c")).unwrap();
    let folder = folder.to_str().unwrap();
    let output = vnet_with(&["define", "--validate", folder], b"");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(says(&["list", "--all", "--name"], ""), "a\nb\n", "one that is refused does not hold back the others");
    let output = vnet_with(&["autostart", "a", "none", "b"], b"");
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(text(&output.stdout).contains("network b marked") && text(&output.stderr).contains("`none`"));
    assert_eq!(says(&["list", "--all", "--autostart", "--name"], ""), "a\nb\n");
    says(&["autostart", "--disable", "b"], "network b unmarked as autostarted");
    assert_eq!(says(&["list", "--all", "--no-autostart", "--name"], ""), "b\n");
    says(&["undefine", "a", "b"], "network b undefined\n");
}

#[test]
fn a_definition_that_differs_is_told() {
    vnet_tests::isolate!();
    let define = |text: &str| {
        let output = vnet_with(&["define", "-"], text.as_bytes());
        assert!(output.status.success(), "{}", shown(&output));
    };
    define(DEFAULT);
    says(&["start", "default"], "started");
    define(&DEFAULT.replace("254'/>", "200'/>"));
    let told = "kept definition differs: `vnet apply default` takes it, `vnet define --from-running default` keeps";
    for command in [&["list"][..], &["info", "default"]] {
        let output = vnet_with(command, b"");
        assert!(text(&output.stderr).contains(told), "{}", shown(&output));
    }
    let status = says(&["status", "default"], "default: in sync; kept definition differs: ");
    assert!(status.lines().next().unwrap().contains(told), "{status}");
    says(&["diff", "default"], told);
    assert!(says(&["dumpxml", "default"], "<network").contains("192.168.122.254"));
    assert!(says(&["dumpxml", "default", "--inactive"], "<network").contains("192.168.122.200"));
    let list = json(&vnet_with(&["list", "--format", "json"], b""));
    assert_eq!(list["networks"][0]["definition_differs"], true, "{list}");
    says(&["apply", "default"], "network default is as defined");
    assert!(vnet_with(&["list"], b"").stderr.is_empty());
    define(DEFAULT);
    says(&["define", "--from-running", "default"], "network default defined anew from /run/vnet/default/network.xml");
    assert!(vnet_with(&["list"], b"").stderr.is_empty());
    assert!(says(&["dumpxml", "default", "--inactive"], "<network").contains("192.168.122.200"));
    // The name of a file counts, not what is in it.
    fs::copy("/etc/vnet/networks/default.xml", "/etc/vnet/networks/other.xml").unwrap();
    let output = vnet_with(&["list", "--all"], b"");
    assert!(text(&output.stderr).contains("`other`: its kept definition cannot be used"), "{}", shown(&output));
    fs::copy("/etc/vnet/networks/default.xml", "/etc/vnet/networks/@stray.xml").unwrap();
    fs::write("/etc/vnet/networks/torn.xml", "<network>").unwrap();
    let check = vnet_with(&["check", "--all"], b"");
    assert_eq!(check.status.code(), Some(1), "{}", shown(&check));
    let told = text(&check.stdout) + &text(&check.stderr);
    for code in ["error[VN0041]", "warning[VN0042]", "error[VN0001]"] {
        assert!(told.contains(code), "{code}: {told}");
    }
    for command in [&["list", "--all"][..], &["status", "--all"]] {
        let output = vnet_with(command, b"");
        let told = text(&output.stdout) + &text(&output.stderr);
        for part in ["VN0041: ", "warning[VN0042]", "VN0001 at /network", "`vnet edit torn` opens it"] {
            assert!(told.contains(part), "{part}: {}", shown(&output));
        }
    }
    for command in ["start", "apply", "plan", "check"] {
        let output = vnet_with(&[command, "other"], b"");
        let told = "defines a network `default`, but is the file of network `other`";
        assert!(!output.status.success() && text(&output.stderr).contains(told), "{command}: {}", shown(&output));
    }
}

pub(crate) fn says(args: &[&str], word: &str) -> String {
    let output = vnet_with(args, b"");
    assert!(output.status.success() && text(&output.stdout).contains(word), "{args:?}: {}", shown(&output));
    text(&output.stdout)
}

pub(crate) fn refuses(args: &[&str], word: &str) {
    let output = vnet_with(args, b"");
    assert!(output.status.code() == Some(1) && text(&output.stderr).contains(word), "{args:?}: {}", shown(&output));
}

/// The words of the only row of a table.
fn row(args: &[&str]) -> Vec<String> {
    let table = says(args, "---");
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert_eq!(rows.len(), 1, "{table}");
    rows[0].split_whitespace().map(str::to_owned).collect()
}
