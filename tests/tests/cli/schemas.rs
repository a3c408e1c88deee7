//! Every JSON document is as its schema says, and says nothing that the schema does not know.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vnet_tests::as_its_schema_says;

use crate::{BAD_HOST, DEFAULT, json, root, run, scratch, vnet};

const GUEST: &str = "<interface type='network'><source network='default'/><mac address='52:54:00:00:00:01'/>\
                     <target dev='guest1'/></interface>";
const ON_PASST: &str = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>";

#[test]
fn documents_are_as_their_schemas_say() {
    vnet_tests::isolate!();
    let folder = scratch("schemas");
    let seen = RefCell::new(BTreeSet::new());
    let check = |name: &str, args: &[&str]| {
        let mut command = Command::new(vnet());
        command.args(args).args(["--format", "json"]).current_dir(&folder);
        for variable in ["VNET_STATE_DIR", "VNET_CONFIG_DIR", "XDG_STATE_HOME"] {
            command.env(variable, folder.join(variable));
        }
        command.env("VISUAL", "true");
        let document = json(&run(&mut command, b""));
        as_its_schema_says(name, &document);
        seen.borrow_mut().insert(name.to_owned());
        document
    };
    for (name, text) in [("default", DEFAULT), ("bad", BAD_HOST), ("guest", GUEST), ("passt", ON_PASST)] {
        fs::write(folder.join(format!("{name}.xml")), text).unwrap();
    }
    fs::write(folder.join("host.xml"), "<host name='a' ip='192.168.122.9'/>").unwrap();

    assert_eq!(check("check", &["check", "."])["errors"], 1);
    check("check", &["check", "--against-host", "bad.xml", "default.xml"]);
    check("fmt", &["fmt", "default.xml", "bad.xml"]);
    check("render", &["render", "dnsmasq", "default.xml"]);
    check("render", &["render", "hosts", "bad.xml"]);
    check("passt-args", &["passt", "args", "passt.xml"]);
    check("explain", &["explain", "VN0107"]);
    check("rules", &["explain"]);
    check("define", &["define", "default.xml"]);
    assert_eq!(check("new", &["new", "isolated", "lab"])["answered"], serde_json::json!([]));
    check("edit", &["edit", "default"]);
    fs::create_dir(folder.join("libvirt")).unwrap();
    for (name, text) in [("default", DEFAULT), ("a", BAD_HOST)] {
        fs::write(folder.join(format!("libvirt/{name}.xml")), text).unwrap();
    }
    let imported = check("import", &["import", "--from", "libvirt", "--replace"]);
    let taken = |at: usize| imported["networks"][at]["imported"].is_object();
    assert!(!taken(0) && taken(1), "{imported}");
    check("autostart", &["autostart", "default"]);
    let uuid = check("uuid", &["uuid", "default"])["uuid"].as_str().unwrap().to_owned();
    check("name", &["name", &uuid]);
    check("info", &["info", "default"]);
    let stray = folder.join("VNET_CONFIG_DIR/networks/a b.xml");
    fs::write(&stray, DEFAULT).unwrap();
    assert_eq!(check("list", &["list", "--all"])["unused_files"], serde_json::json!([stray]));
    fs::remove_file(stray).unwrap();
    assert_eq!(check("metadata", &["title", "default", "Lab"])["config"], true);
    assert_eq!(check("metadata", &["desc", "default", "--title"])["text"], "Lab");
    check("metadata", &["metadata", "default", "urn:app", "--key", "app", "--set", "<a/>"]);

    check("outcome", &["plan", "default"]);
    check("outcome", &["start", "bad.xml"]);
    check("outcome", &["start", "default"]);
    check("failures", &["start", "default"]);
    check("failures", &["status", "nothing"]);
    check("port", &["plan", "guest.xml"]);
    assert_eq!(check("port", &["attach", "guest.xml"])["port"]["name"], "guest1");
    let chain = "add chain inet guard forward { type filter hook forward priority 0; policy drop; }";
    vnet_tests::run("nft", &[&format!("add table inet guard; {chain}")]);
    assert_eq!(check("status", &["status", "default"])["networks"][0]["obstacles"][0]["chain"], "forward");
    vnet_tests::run("nft", &["delete table inet guard"]);
    check("ports", &["ports"]);
    check("changes", &["diff", "default"]);
    vnet_tests::run("ip", &["address", "del", "192.168.122.1/24", "dev", "virbr0"]);
    assert_eq!(check("changes", &["diff", "default"])["changes"][0]["change"], "create");
    assert_eq!(check("status", &["status", "default"])["networks"][0]["state"], "drifted");
    check("outcome", &["apply", "default"]);
    check("list", &["list"]);
    check("leases", &["leases", "default"]);
    assert_eq!(check("graph", &["graph"])["parts"][0]["name"], "default");
    check("update", &["forward", "add", "default", "tcp/2222", "192.168.122.9:22"]);
    assert_eq!(check("forwards", &["forward", "list", "default"])["forwards"][0]["to"], 22);
    check("update", &["forward", "remove", "default", "tcp/2222"]);
    check("dumpxml", &["dumpxml", "default"]);
    check("detach", &["detach", "guest1"]);
    check("changes", &["stop", "default"]);
    check("undefine", &["undefine", "default"]);
    check("gc", &["gc"]);
    check("passt-list", &["passt", "list"]);
    check("update", &["update", "default.xml", "--section", "ip-dhcp-host", "--command", "add", "--xml", "host.xml"]);

    // A schema says what an object has.
    for file in fs::read_dir(root().join("crates/vnet-cli/schemas")).unwrap() {
        let file = file.unwrap().path();
        are_exact(&serde_json::from_slice(&fs::read(&file).unwrap()).unwrap(), &file);
    }

    // The tests of these check their documents; a namespace that is gone takes more to make.
    let elsewhere =
        ["common", "doctor", "event", "forget", "passt-run", "passt-status", "passt-stop", "trace", "try", "verify"];
    let files = fs::read_dir(root().join("crates/vnet-cli/schemas")).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let unseen: Vec<String> =
        names.filter(|name| !elsewhere.contains(&name.as_str()) && !seen.borrow().contains(name)).collect();
    assert_eq!(unseen, [""; 0], "every schema is checked");
    fs::remove_dir_all(folder).unwrap();
}

fn are_exact(schema: &Value, file: &Path) {
    let is_object = schema["type"] == "object";
    let is_exact = schema["properties"].is_object() || schema["additionalProperties"].is_object();
    assert!(!is_object || is_exact, "{}: {schema:#}", file.display());
    assert!(schema["type"] != "array" || schema["items"].is_object(), "{}: {schema:#}", file.display());
    let parts = schema.as_object().into_iter().flat_map(|parts| parts.values());
    parts.chain(schema.as_array().into_iter().flatten()).for_each(|part| are_exact(part, file));
}
