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
    let codes: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|rule| rule["code"].as_str()).collect();
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
    fs::write(folder.join("a.xml"), DEFAULT).unwrap();
    fs::write(folder.join("b.xml"), BAD_HOST).unwrap();
    fs::write(folder.join("notes.txt"), "not XML").unwrap();
    let report = json(&vnet_with(&["check", "--format", "json", folder.to_str().unwrap()], b""));
    let networks: Vec<&Value> = report["files"].as_array().unwrap().iter().map(|file| &file["network"]).collect();
    assert_eq!(networks, ["default", "a"]);
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
