//! Every error says what to do about it, for people and for programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::{json, scratch, shown, vnet};

const LAB: &str = "<network><name>lab</name><ip address='192.168.180.1' prefix='24'><dhcp>\
                   <range start='192.168.180.2' end='192.168.180.99'/>\
                   <host mac='52:54:00:00:00:01' ip='192.168.180.9'/></dhcp></ip></network>";
const HOST: &str = "<host mac='52:54:00:00:00:01' ip='192.168.180.9'/>";

#[test]
fn errors_say_what_to_do() {
    vnet_tests::isolate!();
    let folder = scratch("remedies");
    for (name, text) in [
        ("lab", LAB),
        ("guest", "<interface type='network'><source network='nix'/></interface>"),
        ("bridged", "<interface type='bridge'><source bridge='br7'/></interface>"),
    ] {
        fs::write(folder.join(format!("{name}.xml")), text).unwrap();
    }
    fs::create_dir(folder.join("empty")).unwrap();
    assert!(call(&folder, &["define", "lab.xml"]).status.success());
    assert!(call(&folder, &["start", "lab"]).status.success());
    fs::create_dir_all(folder.join("state/broken")).unwrap();
    fs::write(folder.join("state/broken/receipt"), "{").unwrap();

    for (args, remedy) in [
        (&["start", "nobody"][..], "`vnet list --all` shows all"),
        (&["start", "lab"], "`vnet apply lab` repairs it, `vnet stop lab` ends it"),
        (&["start", "nowhere.xml"], "see that the path is right"),
        (&["start", "./empty"], "give another folder"),
        (&["stop", "nobody"], "`vnet list --all` shows all"),
        (&["start"], "name one, a file or a folder, or give --all"),
        (&["attach", "guest.xml"], "`vnet start nix` starts it"),
        (&["attach", "bridged.xml"], "`ip link add br7 type bridge`"),
        (&["attach", "lab.xml"], "give the file of an <interface> or a <domain>"),
        (&["detach", "vnet9"], "`vnet ports` shows those that are"),
        (&["dumpxml", "nobody"], "`vnet list --all` shows all"),
        (&["metadata", "lab", "urn:app"], "`vnet metadata lab urn:app --key KEY --set ELEMENT` sets it"),
        (&["metadata", "lab", "http://www.w3.org/2000/xmlns/", "--key", "a", "--set", "<a/>"], "own namespace"),
        (&["forward", "remove", "lab", "tcp/9"], "`vnet forward list lab`"),
        (&["forget", "nobody"], "`vnet list` and `vnet ports` show all"),
        (&["forget", "lab"], "stop or detach it"),
        (&["status", "broken"], "`vnet forget` drops it"),
        (&["trace", "nobody", "192.0.2.1"], "`vnet ports` lists them"),
        (&["passt", "stop", "nobody"], "`vnet passt list` shows those that have one"),
        (&["import", "--from", "nowhere"], "exist"),
        (&["explain", "9999"], "`vnet explain` lists all"),
    ] {
        let people = call(&folder, args);
        assert!(!people.status.success(), "{args:?}: {}", shown(&people));
        let is_told = |line: &str| line.starts_with("help: ") && line.contains(remedy);
        assert!(String::from_utf8_lossy(&people.stderr).lines().any(is_told), "{args:?}: {}", shown(&people));
        let programs = json(&call(&folder, &[args, &["--format", "json"]].concat()));
        let told = |it: &Value| it["help"].as_str().is_some_and(|help| help.contains(remedy));
        assert!(programs["failures"].as_array().is_some_and(|all| all.iter().any(told)), "{args:?}: {programs:#}");
    }

    // An update is refused at a place.
    let refused = json(&call(&folder, &["update", "lab", "add", "ip-dhcp-host", HOST, "--live", "--format", "json"]));
    assert_eq!(refused["diagnostics"][0]["help"], "leave it as it is, or delete it first", "{refused:#}");
    assert!(call(&folder, &["stop", "lab"]).status.success());
    fs::remove_dir_all(folder).unwrap();
}

fn call(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(vnet());
    command.current_dir(folder).args(["--state-dir", "state"]).args(args);
    command.output().unwrap()
}
