//! Every JSON document is as its schema says, and says nothing that the schema does not know.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vnet_tests::as_its_schema_says;

use crate::{BAD_HOST, DEFAULT, json, root, run, scratch, shown, vnet};

const GUEST: &str = "<interface type='network'><source network='default'/><mac address='52:54:00:00:00:01'/>\
                     <target dev='guest1'/></interface>";
const OTHER: &str = "<network><name>other</name><bridge name='virbr9'/></network>";
const ON_PASST: &str = "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>";

/// Commands whose documents are checked where they are run, with their schema and that file.
const ELSEWHERE: [(&str, &str, &str); 8] = [
    ("doctor", "doctor", "doctor/main.rs"),
    ("events", "event", "events.rs"),
    ("passt run", "passt-run", "passt/cli.rs"),
    ("passt status", "passt-status", "passt/cli.rs"),
    ("passt stop", "passt-stop", "passt/cli.rs"),
    ("trace", "trace", "trace_packets.rs"),
    ("try", "try", "try_network.rs"),
    ("verify", "verify", "verify.rs"),
];
/// Commands of two words.
const FAMILIES: [&str; 3] = ["forward", "libvirt", "passt"];

#[test]
fn documents_are_as_their_schemas_say() {
    vnet_tests::isolate!();
    let folder = scratch("schemas");
    let seen = RefCell::new(BTreeSet::new());
    let vnet_in = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(&folder).env("VISUAL", "true");
        for variable in ["VNET_STATE_DIR", "VNET_CONFIG_DIR", "XDG_STATE_HOME"] {
            command.env(variable, folder.join(variable));
        }
        run(&mut command, b"")
    };
    let vnet = vnet().display().to_string();
    let check = |name: &str, args: &[&str]| {
        let document = json(&vnet_in(&vnet, &[args, &["--format", "json"]].concat()));
        as_its_schema_says(name, &document);
        let words = if FAMILIES.contains(&args[0]) { 2 } else { 1 };
        seen.borrow_mut().insert((args[..words].join(" "), name.to_owned()));
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
    check("passt-args", &["render", "passt", "passt.xml"]);
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
    check("metadata", &["net-desc", "default"]);
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
    check("port", &["attach-interface", "web", "network", "default"]);
    check("detach", &["detach-interface", "web", "network"]);
    let uuid = check("port", &["attach", "guest.xml"])["port"]["uuid"].as_str().unwrap().to_owned();
    check("detach", &["net-port-delete", "default", &uuid]);
    check("port", &["attach", "guest.xml"]);
    check("port", &["apply", "guest.xml"]);
    check("changes", &["stop", "default"]);

    let several = |name: &str, args: &[&str], count: usize| {
        let document = check(name, args);
        assert_eq!(document["networks"].as_array().map(Vec::len), Some(count), "{document:#}");
        assert_eq!(document["failures"], Value::Null, "{document:#}");
    };
    fs::write(folder.join("other.xml"), OTHER).unwrap();
    check("define", &["define", "other.xml"]);
    several("outcomes", &["start", "default", "other"], 2);
    several("several-changes", &["diff", "--all"], 2);
    several("outcomes", &["apply", "--all"], 2);
    several("several-changes", &["stop", "--all"], 2);
    several("boot", &["start", "--autostart"], 1);
    several("boot", &["apply", "--running"], 1);
    check("changes", &["stop", "default"]);
    // A namespace that ends with the process that was in it.
    let output = vnet_in("unshare", &["--net", &vnet, "start", "other"]);
    assert!(output.status.success(), "{}", shown(&output));
    assert_eq!(check("forget", &["forget", "other"])["network"], "other");
    check("undefine", &["undefine", "default"]);
    check("gc", &["gc"]);
    check("passt-list", &["passt", "list"]);
    check("update", &["update", "default.xml", "--section", "ip-dhcp-host", "--command", "add", "--xml", "host.xml"]);

    // A schema says what an object has.
    for file in fs::read_dir(root().join("crates/vnet-cli/schemas")).unwrap() {
        let file = file.unwrap().path();
        are_exact(&serde_json::from_slice(&fs::read(&file).unwrap()).unwrap(), &file);
    }

    let mut seen = seen.into_inner();
    for (command, schema, file) in ELSEWHERE {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file)).unwrap();
        assert!(text.contains("as_its_schema_says("), "{file} checks `vnet {command}`");
        seen.insert((command.to_owned(), schema.to_owned()));
    }
    every_document_is_described(&folder, &seen);
    fs::remove_dir_all(folder).unwrap();
}

/// Each command with JSON was run, each schema was used, and `json.md` has both, side by side.
fn every_document_is_described(folder: &Path, seen: &BTreeSet<(String, String)>) {
    let pages = folder.join("pages");
    let output = run(Command::new(vnet()).args(["man", "--out-dir"]).arg(&pages), b"");
    assert!(output.status.success(), "{}", shown(&output));
    let mut commands = BTreeSet::new();
    for page in fs::read_dir(pages).unwrap() {
        let page = page.unwrap().path();
        let name = page.file_stem().unwrap().to_string_lossy().replacen("vnet-", "", 1);
        if fs::read_to_string(&page).unwrap().contains("\njson: ") {
            let family = FAMILIES.iter().find(|family| name.starts_with(&format!("{family}-")));
            commands.insert(
                family.map_or(name.clone(), |family| name.replacen(&format!("{family}-"), &format!("{family} "), 1)),
            );
        }
    }
    let run: BTreeSet<String> = seen.iter().map(|(command, _)| command.clone()).collect();
    assert_eq!(run, commands, "the commands that are run here, and those that print JSON");

    let schemas = fs::read_dir(root().join("crates/vnet-cli/schemas")).unwrap();
    let schemas = schemas.map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned());
    let unused: Vec<String> =
        schemas.filter(|name| name != "common" && !seen.iter().any(|(_, schema)| schema == name)).collect();
    assert_eq!(unused, [""; 0], "every schema is checked");

    let guide = fs::read_to_string(root().join("crates/vnet-cli/docs/json.md")).unwrap();
    let parts: Vec<&str> = guide.split("\n- ").collect();
    let is_described = |command: &str, schema: &str| {
        parts.iter().any(|part| {
            let head = part.split_once(&format!("](../schemas/{schema}.json)")).unwrap_or_default().0;
            head.contains(&format!("`{command}`")) || head.contains(&format!("`{command} "))
        })
    };
    // Any command may print nothing but what failed.
    let missing: Vec<_> =
        seen.iter().filter(|(command, schema)| schema != "failures" && !is_described(command, schema)).collect();
    assert!(missing.is_empty(), "json.md lacks {missing:?}");
}

fn are_exact(schema: &Value, file: &Path) {
    let is_object = schema["type"] == "object";
    let is_exact = schema["properties"].is_object() || schema["additionalProperties"].is_object();
    assert!(!is_object || is_exact, "{}: {schema:#}", file.display());
    assert!(schema["type"] != "array" || schema["items"].is_object(), "{}: {schema:#}", file.display());
    let parts = schema.as_object().into_iter().flat_map(|parts| parts.values());
    parts.chain(schema.as_array().into_iter().flatten()).for_each(|part| are_exact(part, file));
}
