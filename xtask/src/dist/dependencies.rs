//! What the programs are built of: names, releases, licences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::metadata::{ask, list};
use crate::run::{Failed, failed};

/// The beginnings of names of files with a licence.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// A package from the registry that is part of the programs.
pub(super) struct Dependency {
    name: String,
    version: String,
    licence: String,
    repository: String,
    folder: PathBuf,
    /// Which of the others it needs, as `NAME VERSION`.
    below: BTreeSet<String>,
}

impl Dependency {
    fn full_name(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// What the programs for a target are built of, by name.
pub(super) fn of_programs(target: &str) -> Result<Vec<Dependency>, Failed> {
    let metadata = ask(&["--filter-platform", target, "--locked"])?;
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let is_program = |id: &&str| super::PROGRAMS.iter().any(|(package, ..)| id.contains(&format!("/{package}#")));
    let mut waiting: Vec<&str> = nodes.keys().copied().filter(is_program).collect();
    let mut needed = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if needed.insert(id) {
            waiting.extend(below(nodes[id]));
        }
    }
    let of_registry = |id: &&str| !packages[*id]["source"].is_null();
    let dependency = |id: &str| {
        let word = |key: &str| packages[id][key].as_str().unwrap_or_default().to_owned();
        let below = below(nodes[id]).filter(of_registry).map(|id| {
            let word = |key: &str| packages[id][key].as_str().unwrap_or_default();
            format!("{} {}", word("name"), word("version"))
        });
        Dependency {
            name: word("name"),
            version: word("version"),
            licence: word("license"),
            repository: word("repository"),
            folder: Path::new(&word("manifest_path")).parent().expect("a manifest is in a folder").to_owned(),
            below: below.collect(),
        }
    };
    let mut all: Vec<Dependency> = needed.iter().copied().filter(of_registry).map(dependency).collect();
    all.sort_by_key(Dependency::full_name);
    Ok(all)
}

/// The packages that are built into a package, except for its tests and its build script.
fn below(node: &Value) -> impl Iterator<Item = &str> {
    let is_built_in = |below: &&Value| list(&below["dep_kinds"]).any(|kind| kind["kind"].is_null());
    list(&node["deps"]).filter(is_built_in).filter_map(|below| below["pkg"].as_str())
}

/// Each dependency with its licence, and the texts, each once.
pub(super) fn licences(dependencies: &[Dependency]) -> Result<String, Failed> {
    let mut names = String::new();
    let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for it in dependencies {
        let name = it.full_name();
        if it.licence.is_empty() {
            return Err(Failed(format!("{name} says nothing about its licence")));
        }
        let _ = writeln!(names, "{name}: {}, {}", it.licence, it.repository);
        for entry in fs::read_dir(&it.folder).map_err(failed(&it.folder))?.flatten() {
            let file_name = entry.file_name().to_string_lossy().to_uppercase();
            if FILES.iter().any(|start| file_name.starts_with(start)) && entry.path().is_file() {
                let text = fs::read_to_string(entry.path()).map_err(failed(&entry.path()))?;
                texts.entry(text.trim().to_owned()).or_default().insert(name.clone());
            }
        }
    }
    for (text, owners) in texts {
        let owners: Vec<String> = owners.into_iter().collect();
        let _ = write!(names, "\n{}\n{}\n\n{text}\n", "-".repeat(72), owners.join(", "));
    }
    Ok(names)
}

/// The dependencies as a bill of materials of CycloneDX 1.5.
pub(super) fn bill(dependencies: &[Dependency], version: &str, made: &str) -> String {
    let reference = |full_name: &str| format!("pkg:cargo/{}", full_name.replace(' ', "@"));
    let component = |it: &Dependency| {
        json!({
            "type": "library",
            "bom-ref": reference(&it.full_name()),
            "name": it.name,
            "version": it.version,
            "purl": reference(&it.full_name()),
            // Some still separate by `/`, as cargo once had it.
            "licenses": [{ "expression": it.licence.replace('/', " OR ") }],
        })
    };
    let needs = |it: &Dependency| {
        let below: Vec<String> = it.below.iter().map(|name| reference(name)).collect();
        json!({ "ref": reference(&it.full_name()), "dependsOn": below })
    };
    let own = reference(&format!("vnet-cli {version}"));
    let all: Vec<String> = dependencies.iter().map(|it| reference(&it.full_name())).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made,
            "component": { "type": "application", "bom-ref": own, "name": "vnet", "version": version, "purl": own },
        },
        "components": dependencies.iter().map(component).collect::<Vec<_>>(),
        "dependencies": std::iter::once(json!({ "ref": own, "dependsOn": all }))
            .chain(dependencies.iter().map(needs))
            .collect::<Vec<_>>(),
    });
    format!("{bill:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_named_and_what_tests_need_is_not() {
        let all = of_programs("x86_64-unknown-linux-musl").expect("cargo metadata");
        let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        assert!(names.contains(&"nix") && names.contains(&"serde"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("vnet") || *name == "rstest"), "{names:?}");
    }

    #[test]
    fn a_bill_names_each_dependency_and_what_it_needs() {
        let dependency = |name: &str, below: &[&str]| Dependency {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MIT/Apache-2.0".to_owned(),
            repository: String::new(),
            folder: PathBuf::new(),
            below: below.iter().map(|&it| it.to_owned()).collect(),
        };
        let bill = bill(&[dependency("a", &["b 1.0.0"]), dependency("b", &[])], "0.1.0", "2026-01-01T00:00:00Z");
        let bill: Value = serde_json::from_str(&bill).unwrap();
        assert_eq!(bill["components"][0]["purl"], "pkg:cargo/a@1.0.0");
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(bill["dependencies"][1], json!({ "ref": "pkg:cargo/a@1.0.0", "dependsOn": ["pkg:cargo/b@1.0.0"] }));
    }
}
