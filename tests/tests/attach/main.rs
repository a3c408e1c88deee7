//! Guests' interfaces on this kernel: `vnet attach`, `detach` and `ports`, and what else happens at
//! the same time.
#![allow(clippy::unwrap_used, reason = "a test")]

mod domain;
mod files;
mod life;
mod pool;
mod recorded;
mod traffic;
mod trouble;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A network with a bridge of its own.
const NAT: &str = "\
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='lab0'/>
  <ip address='10.9.0.1' prefix='24'/>
</network>
";

/// An interface in the network `lab`.
fn in_lab(more: &str) -> String {
    format!("<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:01'/>{more}</interface>")
}

/// Begins to run `vnet` with a document on its standard input.
fn begin(arguments: &[&str], document: &str) -> Child {
    let mut command = Command::new(vnet_tests::vnet());
    command.args(["--state-dir", "/run/vnet"]).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.as_bytes()).unwrap();
    child
}

fn vnet(arguments: &[&str], document: &str) -> Output {
    begin(arguments, document).wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// [`vnet`], when it has to succeed, and the JSON that it prints.
fn done(arguments: &[&str], document: &str) -> Value {
    let output = vnet(&[arguments, &["--format", "json"]].concat(), document);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// [`done`], or what people are told where it is refused.
fn refused_or_done(arguments: &[&str], document: &str) -> Result<Value, String> {
    let output = vnet(&[arguments, &["--format", "json"]].concat(), document);
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        // What is wrong with the document is in the JSON, for programs.
        false => Err(refused(arguments, document)),
    }
}

/// [`vnet`], when it must not succeed, and what it tells people.
fn refused(arguments: &[&str], document: &str) -> String {
    let output = vnet(arguments, document);
    assert!(!output.status.success(), "{arguments:?} did {document}");
    stderr(&output)
}

/// All that the host has, but for what changes by itself.
fn everything() -> Vec<String> {
    let links = vnet_tests::json("ip", &["-j", "-d", "link"]);
    let facts = ["ifindex", "ifname", "link", "address", "mtu", "master", "txqlen", "qdisc", "promiscuity", "group"];
    let shown = |link: &Value| {
        let up = link["flags"].as_array().unwrap().contains(&"UP".into());
        let kind = &link["linkinfo"]["info_kind"];
        format!("{:?} {kind} {up}", facts.map(|fact| link[fact].to_string()))
    };
    let mut all: Vec<String> = links.as_array().unwrap().iter().map(shown).collect();
    let unicast = |line: &&str| !line.starts_with("33:33:") && !line.starts_with("01:00:5e:");
    all.extend(vnet_tests::run("bridge", &["fdb"]).lines().filter(unicast).map(str::to_owned));
    all.extend(vnet_tests::run("tc", &["qdisc"]).lines().map(str::to_owned));
    all
}

/// What `ip` shows of a link.
fn link(name: &str) -> Value {
    vnet_tests::json("ip", &["-j", "-d", "link", "show", name])[0].clone()
}

/// Whether vnet's state has this file or folder.
fn is_there(path: &str) -> bool {
    Path::new("/run/vnet").join(path).exists()
}

fn nothing_is_left() {
    assert!(!is_there(""), "{}", vnet_tests::run("find", &["/run/vnet"]));
}
