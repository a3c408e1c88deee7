//! `vnet check`: what it finds in each example, and the formats that it is printed in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{BAD_HOST, DEFAULT, json, root, run, scratch, shown, text, vnet, vnet_with};

#[test]
fn findings_of_every_example_are_as_recorded() {
    let mut wrong = Vec::new();
    for folder in [
        "network/valid",
        "network/near-miss",
        "network/invalid",
        "network-port/valid",
        "network-port/invalid",
        "interface/valid",
        "interface/invalid",
    ] {
        let folder = root().join("testdata").join(folder);
        let is_invalid = folder.ends_with("invalid");
        for file in documents(&folder) {
            let name = file.file_name().expect("a file").to_string_lossy().into_owned();
            let output = run(Command::new(vnet()).args(["check", &name]).current_dir(&folder), b"");
            let (code, found) = (output.status.code(), text(&output.stderr));
            if code != Some(i32::from(is_invalid)) {
                wrong.push(format!("{name}: exit code {code:?}\n{found}"));
            } else if let Err(difference) = recorded(&file.with_extension("diag"), &found) {
                wrong.push(format!("{name}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "VNET_BLESS=1 records what is found\n\n{}", wrong.join("\n"));
}

#[test]
fn every_code_is_explained() {
    let list = json(&vnet_with(&["explain", "--format", "json"], b""));
    let codes: Vec<&str> =
        list["rules"].as_array().expect("a list").iter().filter_map(|rule| rule["code"].as_str()).collect();
    assert!(codes.len() > 20 && codes.is_sorted(), "{codes:?}");
    for code in codes {
        let output = vnet_with(&["explain", code], b"");
        assert!(output.status.success() && text(&output.stdout).starts_with(code), "{}", shown(&output));
    }
}

#[test]
fn json_has_places() {
    let report = json(&vnet_with(&["check", "--format", "json", "-"], BAD_HOST.as_bytes()));
    assert!(report["errors"].as_u64() > Some(0), "{report}");
    assert_eq!(report["files"][0]["network"], "a");
    let found = &report["files"][0]["diagnostics"][0];
    assert_eq!(found["severity"], "error");
    assert_eq!(found["start"]["line"], 5);
    let [from, to] = [0, 1].map(|end| usize::try_from(found["bytes"][end].as_u64().unwrap()).unwrap());
    assert!(BAD_HOST[from..to].starts_with("10.0.1."), "{found}");
}

#[test]
fn sarif_has_rules_and_results() {
    let log = json(&vnet_with(&["check", "--format", "sarif", "-"], BAD_HOST.as_bytes()));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    assert_eq!(result["level"], "error");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 5);
    assert_eq!(place["artifactLocation"]["uri"], "%3Cstdin%3E");
}

/// The schema is that of OASIS, as published.
#[test]
fn sarif_is_as_its_schema_says() {
    let schema = fs::read_to_string(root().join("testdata/sarif-2.1.0.schema.json")).expect("the schema");
    let mut schema: Value = serde_json::from_str(&schema).expect("JSON");
    // The pattern of a language has brackets that do not match. No log here says its language.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().expect("a schema").remove("pattern");
    }
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let folders = ["network/invalid", "interface/invalid", "network-port/invalid", "network/valid"];
    let folders = folders.map(|folder| root().join("testdata").join(folder).display().to_string());
    let arguments = ["check", "--format", "sarif"].into_iter().chain(folders.iter().map(String::as_str));
    let log = json(&vnet_with(&arguments.collect::<Vec<_>>(), b""));
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() > 200 && results.iter().any(|result| !result["relatedLocations"].is_null()));
    let errors: Vec<_> = schema.iter_errors(&log).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");

    let mut other = log;
    other["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&other), "the schema refuses what is not SARIF");
}

#[test]
fn a_folder_is_all_its_definitions() {
    let folder = scratch("folder");
    fs::create_dir(folder.join("more")).unwrap();
    fs::write(folder.join("a.xml"), DEFAULT).unwrap();
    fs::write(folder.join("more/b.xml"), BAD_HOST).unwrap();
    fs::write(folder.join("more/pool.xml"), "<pool type='dir'/>").unwrap();
    fs::write(folder.join("notes.txt"), "not XML").unwrap();
    let report = json(&vnet_with(&["check", "--format", "json", folder.to_str().unwrap()], b""));
    let networks: Vec<&Value> = report["files"].as_array().unwrap().iter().map(|file| &file["network"]).collect();
    assert_eq!(networks, ["default", "a"]);
    let passed = report["passed_over"].as_array().unwrap().iter();
    let passed: Vec<_> = passed.map(|it| (it["file"].as_str().unwrap(), it["reason"].as_str().unwrap())).collect();
    let [notes, pool] = ["notes.txt", "more/pool.xml"].map(|name| folder.join(name).display().to_string());
    let expected = [(notes.as_str(), "its name does not end in .xml"), (pool.as_str(), "its root element is `<pool>`")];
    assert_eq!(passed, expected);
    let output = vnet_with(&["check", folder.join("more/pool.xml").to_str().unwrap()], b"");
    assert_eq!(output.status.code(), Some(1), "a file that is given by name is not passed over: {}", shown(&output));
    fs::remove_dir_all(folder).unwrap();
}

/// Every sure remedy is made in the file; what is left is reported.
#[test]
fn sure_remedies_are_made() {
    let folder = scratch("fix");
    let file = folder.join("a.xml");
    let wrong = "<network>\n  <name>a</name>\n  <title>two\nlines</title>\n  <forward mode='NAT'/>\n  <brige/>\n  \
                 <ip address='10.0.0.1/24'>\n    <dhcp>\n      <range start='10.0.0.9' end='10.0.0.2'/>\n    </dhcp>\n  \
                 </ip>\n</network>\n";
    fs::write(&file, wrong).unwrap();
    let given = file.to_str().unwrap();
    let told = vnet_with(&["check", given], b"");
    assert!(text(&told.stdout).ends_with("; --fix mends 3\n"), "{}", shown(&told));
    let log = json(&vnet_with(&["check", "--format", "sarif", given], b""));
    let fixes = log["runs"][0]["results"].as_array().unwrap().iter().filter(|result| !result["fixes"].is_null());
    assert_eq!(fixes.count(), 3);
    let output = vnet_with(&["check", "--fix", given], b"");
    insta::assert_snapshot!(text(&output.stdout), @"1 file checked, 0 errors, 1 warning; 4 mended");
    assert!(output.status.success() && text(&output.stderr).contains("VN0020"), "{}", shown(&output));
    let mended = fs::read_to_string(&file).unwrap();
    let expected = wrong.replace("two\nlines", "two lines").replace("NAT", "nat").replace(".1/24'", ".1' prefix='24'");
    assert_eq!(mended, expected.replace(".9' end='10.0.0.2'", ".2' end='10.0.0.9'"));
    assert_eq!(vnet_with(&["check", "--fix", "-"], wrong.as_bytes()).status.code(), Some(2));
    fs::remove_dir_all(folder).unwrap();
}

/// Two networks that cannot both be on one host.
#[test]
fn definitions_are_compared_with_each_other() {
    let folder = scratch("together");
    let other = DEFAULT.replace("default", "lab").replace("192.168.122.1'", "192.168.122.129'");
    let other = other.replace("255.255.255.0", "255.255.255.128").replace("122.2'", "122.130'");
    fs::write(folder.join("default.xml"), DEFAULT).unwrap();
    fs::write(folder.join("lab.xml"), &other).unwrap();
    let check = |format: &str| {
        let output = run(Command::new(vnet()).args(["check", "--format", format, "."]).current_dir(&folder), b"");
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        output
    };
    insta::assert_snapshot!(text(&check("human").stderr), @r"
    error[VN0903]: the network `default` has the bridge `virbr0` already
     --> lab.xml:4:17
      |
    4 |   <bridge name='virbr0'/>
      |                 ^^^^^^
      |
     ::: default.xml:4:17
      |
    4 |   <bridge name='virbr0'/>
      |                 ------ it is here
      |
      = help: write another name, or `virbr%d` for the first that is free

    error[VN0904]: the subnet 192.168.122.128/25 is part of 192.168.122.0/24, a subnet of the network `default`
     --> lab.xml:5:16
      |
    5 |   <ip address='192.168.122.129' netmask='255.255.255.128'>
      |                ^^^^^^^^^^^^^^^
      |
     ::: default.xml:5:16
      |
    5 |   <ip address='192.168.122.1' netmask='255.255.255.0'>
      |                ------------- 192.168.122.0/24 is here
      |
      = help: give each network a subnet of its own, such as 192.168.218.0/25
    ");
    insta::assert_snapshot!(text(&check("github").stdout), @r"
    ::error file=lab.xml,line=4,col=17,endLine=4,endColumn=23,title=VN0903::the network `default` has the bridge `virbr0` already%0Ait is here: default.xml:4:17%0Ahelp: write another name, or `virbr%25d` for the first that is free
    ::error file=lab.xml,line=5,col=16,endLine=5,endColumn=31,title=VN0904::the subnet 192.168.122.128/25 is part of 192.168.122.0/24, a subnet of the network `default`%0A192.168.122.0/24 is here: default.xml:5:16%0Ahelp: give each network a subnet of its own, such as 192.168.218.0/25
    2 files checked, 2 errors, 0 warnings
    ");
    let report = json(&check("json"));
    let related = &report["files"][1]["diagnostics"][0]["related"][0];
    assert_eq!((&related["file"], &related["start"]["line"]), (&"default.xml".into(), &4.into()));
    let log = json(&check("sarif"));
    let related = &log["runs"][0]["results"][0]["relatedLocations"][0]["physicalLocation"];
    assert_eq!(
        (&related["artifactLocation"]["uri"], &related["region"]["startLine"]),
        (&"default.xml".into(), &4.into())
    );
    fs::remove_dir_all(folder).unwrap();
}

/// Compares with what is recorded; an example without findings has no record.
fn recorded(file: &Path, found: &str) -> Result<(), String> {
    if std::env::var_os("VNET_BLESS").is_some() {
        let done = if found.is_empty() { fs::remove_file(file).or(Ok(())) } else { fs::write(file, found) };
        return done.map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == found { Ok(()) } else { Err(format!("expected\n{expected}\nfound\n{found}")) }
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_document = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "xml");
    let mut documents: Vec<_> =
        entries.filter(|path| is_document(path) && !path.to_string_lossy().contains(".canonical.")).collect();
    documents.sort();
    documents
}
