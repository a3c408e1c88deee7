//! The CNI plugin on this kernel: the conformance table, and what the table cannot say.
#![allow(clippy::unwrap_used, reason = "a test")]

mod chain;
mod conformance;
mod life;
mod ovn;
mod runtime;
mod switch;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use vnet_tests::{NamedNetns, run};

/// A plugin, with the configuration that its cases begin with.
struct Plugin {
    folder: PathBuf,
    base: Value,
}

impl Plugin {
    /// The one that is built with the test, on the network `blue`.
    fn ours() -> Self {
        let base = json!({ "cniVersion": "1.1.0", "name": "blue", "type": "vnet-cni", "network": "blue" });
        Self { folder: vnet_tests::vnet_cni().parent().unwrap().to_owned(), base }
    }

    /// Begins a call with these variables and this input.
    fn begin(&self, environment: &BTreeMap<String, String>, input: &str) -> std::process::Child {
        let program = self.folder.join(self.base["type"].as_str().unwrap());
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.env_clear().env("PATH", path).envs(environment);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A plugin that needs no input may have ended.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child
    }

    /// A call for the interface `eth0` of a container whose namespace has its name.
    fn call(&self, verb: &str, container: &str, more: &Value) -> Output {
        self.begin(&self.variables(verb, container), &merged(&self.base, more).to_string()).wait_with_output().unwrap()
    }

    fn variables(&self, verb: &str, container: &str) -> BTreeMap<String, String> {
        let netns = format!("/run/netns/{container}");
        let folder = self.folder.to_str().unwrap();
        let all = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", container),
            ("CNI_NETNS", &netns),
            ("CNI_IFNAME", "eth0"),
            ("CNI_PATH", folder),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// A call that has to succeed, and what it prints.
    fn done(&self, verb: &str, container: &str, more: &Value) -> Value {
        let output = self.call(verb, container, more);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{verb} {container}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// An object with the keys of another one. A key that is null there is taken away.
fn merged(base: &Value, more: &Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    for (key, value) in more.as_object().into_iter().flatten() {
        match value {
            Value::Null => drop(all.remove(key)),
            value => drop(all.insert(key.clone(), value.clone())),
        }
    }
    all.into()
}

/// A host with a way to the outside, where 198.51.100.1 answers. Keep the value.
fn world() -> NamedNetns {
    let outside = NamedNetns::new("out");
    run("ip", &["link", "add", "wan0", "type", "veth", "peer", "name", "wan1", "netns", "out"]);
    run("ip", &["address", "add", "198.51.100.2/24", "dev", "wan0"]);
    run("ip", &["link", "set", "wan0", "up"]);
    run("ip", &["route", "add", "default", "via", "198.51.100.1"]);
    outside.run(|| {
        run("ip", &["address", "add", "198.51.100.1/24", "dev", "wan1"]);
        run("ip", &["link", "set", "wan1", "up"]);
        run("ip", &["link", "set", "lo", "up"]);
    });
    outside
}

/// Keeps the definition of the network `blue`, and starts it.
fn start(definition: &str) {
    define(definition);
    vnet(&["start", "blue"]);
}

/// Keeps the definition of a network.
fn define(definition: &str) {
    fs::create_dir_all("/etc/vnet").unwrap();
    fs::write("/run/network.xml", definition).unwrap();
    vnet(&["define", "/run/network.xml"]);
}

fn vnet(arguments: &[&str]) -> String {
    run(vnet_tests::vnet().to_str().unwrap(), arguments)
}

/// The ends of containers' links that the host has.
fn ends() -> Vec<String> {
    let links = vnet_tests::json("ip", &["-j", "link"]);
    let names = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("veth")).collect()
}

fn is_in_sync() {
    assert_eq!(vnet(&["diff", "blue"]).trim(), "network blue is in sync");
}

/// Whether no container is attached and none has an address.
fn nothing_is_left() {
    assert_eq!(ends(), Vec::<String>::new());
    assert_eq!(vnet(&["ports", "--format", "json"]).matches("veth").count(), 0);
    let hosts = fs::read_to_string("/run/vnet/blue/dnsmasq.hosts").unwrap();
    let of_containers: Vec<&str> = hosts.lines().filter(|line| !line.ends_with(",db")).collect();
    assert_eq!(of_containers, Vec::<&str>::new());
    assert_eq!(fs::read_to_string("/run/vnet/blue/dnsmasq.addnhosts").unwrap(), "");
    is_in_sync();
}
