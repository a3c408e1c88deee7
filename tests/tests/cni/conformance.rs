//! The table of `testdata/cni/conformance.json`, which says what any CNI plugin has to do.
//!
//! Another plugin can be put to the same test: `VNET_TEST_CNI_DIR` is its folder,
//! `VNET_TEST_CNI_CONFIG` its configuration as JSON, with its `type`. Cases with the tag `vnet` are
//! then left out.
//!
//! A case is a call of the plugin, by default ADD of `eth0` into the namespace `c1`: `env` changes
//! variables, `stdin` keys of the configuration, where null takes one away, `$prev` is the last
//! result, `raw` is the whole input, and `raw-key` a key with its JSON text. `before` are calls and
//! commands. The call prints a result with what `has` says, at paths such as `ips.0.address`, or
//! nothing if it is `silent`, or an error with a `code` that `says` something. `after` are commands
//! that have to succeed. Whatever happened, nothing is left when both containers are deleted.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use vnet_tests::{NamedNetns, isolate};

use super::{Plugin, ends, merged, nothing_is_left, start, world};

#[test]
fn the_table_is_fulfilled() {
    isolate!();
    let table: Value = serde_json::from_str(&fs::read_to_string("../testdata/cni/conformance.json").unwrap()).unwrap();
    let _outside = world();
    let other = std::env::var("VNET_TEST_CNI_DIR").ok();
    let plugin = match &other {
        Some(folder) => {
            let base = std::env::var("VNET_TEST_CNI_CONFIG").expect("the configuration of the plugin");
            Plugin { folder: folder.into(), base: serde_json::from_str(&base).unwrap() }
        }
        None => {
            start(table["definition"].as_str().unwrap());
            Plugin { base: table["base"].clone(), ..Plugin::ours() }
        }
    };
    let mut failed = Vec::new();
    let cases = table["cases"].as_array().unwrap();
    let is_tagged = |case: &Value, tag: &str| case["tags"].as_array().is_some_and(|tags| tags.contains(&tag.into()));
    for case in cases.iter().filter(|case| other.is_none() || !is_tagged(case, "vnet")) {
        let mut wrong = Case { plugin: &plugin, case, last: Value::Null, added: Vec::new() }.run();
        list(&case["mend"]).iter().for_each(|command| drop(shell(command.as_str().unwrap())));
        if other.is_none() && !ends().is_empty() {
            wrong.push(format!("left: {:?}", ends()));
        }
        failed.extend(wrong.into_iter().map(|wrong| format!("{} ({}): {wrong}", case["name"], case["why"])));
    }
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
    if other.is_none() {
        nothing_is_left();
    }
}

/// A case that runs.
struct Case<'a> {
    plugin: &'a Plugin,
    case: &'a Value,
    /// The last result.
    last: Value,
    /// The variables of each ADD that has succeeded.
    added: Vec<BTreeMap<String, String>>,
}

impl Case<'_> {
    /// Runs it, and returns what is wrong.
    fn run(&mut self) -> Vec<String> {
        let containers = ["c1", "c2"].map(NamedNetns::new);
        let mut wrong = Vec::new();
        for step in list(&self.case["before"]) {
            let output = match step.get("sh") {
                Some(command) => shell(command.as_str().unwrap()),
                None => self.call(&step["call"]),
            };
            if !output.status.success() {
                wrong.push(format!("before, {step}: {}", words(&output)));
            }
        }
        let output = self.call(self.case);
        wrong.extend(self.judge(&output));
        for command in list(&self.case["after"]) {
            let output = shell(command.as_str().unwrap());
            if !output.status.success() {
                wrong.push(format!("after, {command}: {}", words(&output)));
            }
        }
        for mut variables in std::mem::take(&mut self.added) {
            variables.insert("CNI_COMMAND".to_owned(), "DEL".to_owned());
            let gone = self.call(&json!({ "env": variables }));
            if !gone.status.success() || !gone.stdout.is_empty() {
                wrong.push(format!("the last DEL: {}", words(&gone)));
            }
        }
        drop(containers);
        wrong
    }

    fn call(&mut self, what: &Value) -> Output {
        let mut variables: BTreeMap<String, String> = self.plugin.variables("ADD", "c1");
        for (name, value) in what["env"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(value) => drop(variables.insert(name.clone(), value.to_owned())),
                None => drop(variables.remove(name)),
            }
        }
        let input = match what["stdin"]["raw"].as_str() {
            Some(raw) => raw.to_owned(),
            None => self.input(&what["stdin"]),
        };
        let output = self.plugin.begin(&variables, &input).wait_with_output().unwrap();
        if output.status.success() && variables["CNI_COMMAND"] == "ADD" {
            self.added.push(variables);
            self.last = serde_json::from_slice(&output.stdout).unwrap_or_default();
        }
        output
    }

    fn input(&self, more: &Value) -> String {
        let mut more = more.clone();
        let raw = more.as_object_mut().and_then(|more| more.remove("raw-key"));
        if let Some(wanted) = more["prevResult"].as_str().map(str::to_owned) {
            more["prevResult"] = self.last.clone();
            if let Some((_, mac)) = wanted.split_once(':') {
                let interfaces = more["prevResult"]["interfaces"].as_array_mut().unwrap();
                let inside = interfaces.iter_mut().filter(|it| it.get("sandbox").is_some());
                inside.for_each(|it| it["mac"] = mac.into());
            }
        }
        let mut all = merged(&self.plugin.base, &more);
        if let Some(raw) = raw {
            all[raw[0].as_str().unwrap()] = serde_json::from_str(raw[1].as_str().unwrap()).unwrap();
        }
        all.to_string()
    }

    fn judge(&self, output: &Output) -> Vec<String> {
        let (expect, text) = (&self.case["expect"], String::from_utf8_lossy(&output.stdout));
        let said = || format!("it says {text}");
        let code = &expect["code"];
        if code.is_null() != output.status.success() {
            return vec![format!("{}: {}", output.status, said())];
        }
        if expect["silent"] == true {
            return if text.is_empty() { Vec::new() } else { vec![said()] };
        }
        let Ok(printed) = serde_json::from_str::<Value>(&text) else { return vec![format!("not JSON: {}", said())] };
        let mut wrong = Vec::new();
        if !code.is_null() && printed["code"] != *code && !list(code).contains(&printed["code"]) {
            wrong.push(format!("code {} and not {code}", printed["code"]));
        }
        let all = format!("{} {}", printed["msg"], printed["details"]);
        let missing = list(&expect["says"]).iter().filter(|word| !all.contains(word.as_str().unwrap()));
        wrong.extend(missing.map(|word| format!("{word} is missing: {}", said())));
        for (path, value) in expect["has"].as_object().into_iter().flatten() {
            if at(&printed, path) != Some(value) {
                wrong.push(format!("{path} is not {value}: {}", said()));
            }
        }
        let has = |path: &&Value| at(&printed, path.as_str().unwrap()).is_some();
        wrong.extend(
            list(&expect["keys"]).iter().filter(|path| !has(path)).map(|path| format!("no {path}: {}", said())),
        );
        wrong.extend(list(&expect["lacks"]).iter().filter(has).map(|path| format!("it has {path}: {}", said())));
        wrong
    }
}

fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    value.pointer(&format!("/{}", path.replace('.', "/"))).or_else(|| {
        // The keys of the specification have dots nowhere else.
        value.get(path)
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Runs a command where `vnet` is the one that was built.
fn shell(command: &str) -> Output {
    let folder = vnet_tests::vnet().parent().unwrap().display().to_string();
    let path = format!("{folder}:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    Command::new("sh").args(["-c", command]).env("PATH", path).output().unwrap()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
