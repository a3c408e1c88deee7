//! `vnet desc`, `vnet title` and `vnet metadata`, and virsh's `net-desc` and `net-metadata`.

use std::fs;
use std::process::Command;

use crate::kept::{refuses, says};
use crate::{DEFAULT, json, run, scratch, shown, text, vnet, vnet_with};

const URI: &str = "https://app.example/1";

#[test]
fn a_network_that_runs_gets_a_text_and_nothing_else() {
    vnet_tests::isolate!();
    let output = vnet_with(&["define", "-"], DEFAULT.as_bytes());
    assert!(output.status.success(), "{}", shown(&output));
    refuses(&["desc", "default"], "network `default` has no description");
    // virsh says so, and that is no failure. An element that is missing is one.
    assert_eq!(says(&["net-desc", "default"], ""), "No description for network: default\n");
    assert_eq!(says(&["net-desc", "default", "--title"], ""), "No title for network: default\n");
    assert_eq!(json(&vnet_with(&["net-desc", "default", "--format", "json"], b""))["text"], serde_json::Value::Null);
    refuses(&["net-metadata", "default", URI], "has no element of the namespace");
    let none = says(&["net-metadata", "default", URI, "--remove"], "");
    assert_eq!(none, format!("network default has no element of the namespace `{URI}`: nothing to remove\n"));
    refuses(&["desc", "default", "--live", "x"], "network `default` does not run");
    says(&["net-desc", "default", "for", "the", "lab"], "is set, as it is kept");
    says(&["start", "default"], "started");
    let host = || {
        let rules = vnet_tests::run("nft", &["--json", "list", "ruleset"]);
        (rules, vnet_tests::run("ip", &["address"]), fs::read_to_string("/run/vnet/default/dnsmasq.pid").unwrap())
    };
    let before = host();
    assert_eq!(says(&["net-desc", "--network", "default", "--live"], ""), "for the lab\n");
    let output = vnet_with(&["title", "default", "Lab <1>"], b"");
    assert_eq!(text(&output.stdout), "the title of network default is set, as it runs\n", "{}", shown(&output));
    assert!(text(&output.stderr).contains("the kept definition is as before: --config changes it too"));
    let output = vnet_with(&["desc", "default", "--live", "--config", "--title", "Lab"], b"");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", shown(&output));
    says(&["net-metadata", "default", URI, "--key", "app", "--set", "<owner team='ci'/>"], "is set, as it runs");
    assert_eq!(says(&["net-metadata", "default", "--uri", URI], ""), "<owner team=\"ci\"/>\n");
    refuses(&["metadata", "default", URI, "--config"], "has no element of the namespace `https://app.example/1`");
    let xml = says(&["dumpxml", "default"], "<app:owner xmlns:app=\"https://app.example/1\" team=\"ci\"/>");
    assert!(xml.contains("<title>Lab</title>\n  <description>for the lab</description>"), "{xml}");
    assert_eq!(host(), before, "nothing else is touched");
    says(&["diff", "default"], "kept definition differs: `vnet apply default` takes it");
    says(&["status", "default"], "in sync");
    // What has drifted stays so.
    vnet_tests::run("ip", &["address", "del", "192.168.122.1/24", "dev", "virbr0"]);
    says(&["desc", "default", "more"], "is set, as it runs");
    let diff = json(&vnet_with(&["diff", "default", "--format", "json"], b""));
    assert_eq!(diff["changes"].as_array().unwrap().len(), 1, "{diff}");
    says(&["apply", "default"], "network default is as defined");
    refuses(&["metadata", "default", URI], "has no element");
    assert_eq!(says(&["title", "default"], ""), "Lab\n", "the kept one");
    says(&["title", "default", ""], "is removed, as it runs");
    refuses(&["title", "default"], "has no title");
    says(&["title", "default", "--remove"], "network default has no title: nothing to remove");
    says(&["undefine", "default"], "transient");
    refuses(&["desc", "default", "--config", "x"], "is not defined: no definition of it is kept");
    for (words, told) in [
        (&["title", "default", "two\nlines"][..], "a title is one line"),
        (
            &["desc", "default", "two\nred \u{1b}[31m"],
            "line 2, column 5: the control character U+001B cannot be in XML",
        ),
        (
            &["metadata", "default", "http://www.w3.org/2000/xmlns/", "--set", "<a/>", "--key", "k"],
            "is a namespace of XML itself",
        ),
        (&["metadata", "default", URI, "--set", "<a/><b/>", "--key", "k"], "one element at its root"),
        (&["metadata", "default", URI, "--set", "<a xmlns='urn:x'/>", "--key", "k"], "in the namespace `urn:x`"),
    ] {
        refuses(words, told);
    }
    let before = fs::read_to_string("/run/vnet/default/network.xml").unwrap();
    assert!(before.contains("<description>for the lab</description>"), "what is refused changes nothing: {before}");
    says(&["metadata", "default", URI, "--set", "<a/>", "--key", "k"], "is set, as it runs");
    says(&["metadata", "default", URI, "--remove"], "is removed, as it runs");
    says(&["metadata", "default", URI, "--remove"], "nothing to remove");
}

#[test]
fn texts_are_edited() {
    vnet_tests::isolate!();
    let folder = scratch("metadata");
    let output = vnet_with(&["define", "-"], DEFAULT.as_bytes());
    assert!(output.status.success(), "{}", shown(&output));
    let edit = |words: &[&str], editor: &str| {
        let mut command = Command::new(vnet());
        run(command.args(words).arg("--edit").env("TMPDIR", &folder).env("VISUAL", editor), b"")
    };
    let output = edit(&["net-desc", "default"], "sh -c 'printf \"a\\nb\\n\" >$0'");
    assert_eq!(
        text(&output.stdout),
        "the description of network default is set, as it is kept\n",
        "{}",
        shown(&output)
    );
    assert_eq!(says(&["desc", "default"], ""), "a\nb\n");
    let output = edit(&["desc", "default"], "true");
    assert_eq!(text(&output.stdout), "the description of network default is not changed\n");
    let output = edit(&["metadata", "default", URI, "--key", "app"], "sh -c 'echo \"<a>\" >$0'");
    assert!(output.status.code() == Some(1), "{}", shown(&output));
    let stderr = text(&output.stderr);
    let file = stderr.split("the edited text is in ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(fs::read_to_string(file.trim_end_matches('\u{1b}')).unwrap(), "<a>\n");
    fs::remove_dir_all(folder).unwrap();
}
