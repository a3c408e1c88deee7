//! `vnet graph` and `vnet try --html`: a picture tells what is connected to what.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::Command;

use rstest::rstest;
use vnet_tests::{isolate, run, vnet};

const BROWSER: &str = "chromium-headless-shell";
/// What the page looks like, as JSON: whether texts stay in their cards, cards that overlap,
/// colours, requests, and what is shown under the pointer.
const LOOK: &str = "<script>{
const parts=[...document.querySelectorAll('.part')],box=it=>it.querySelector('rect').getBoundingClientRect();
const outside=parts.filter(it=>[...it.querySelectorAll('text')].some(t=>t.getBoundingClientRect().right>box(it).right)).length;
let overlaps=0;for(const a of parts)for(const b of parts)if(a!==b){const p=box(a),q=box(b);
if(p.left<q.right&&q.left<p.right&&p.top<q.bottom&&q.top<p.bottom)overlaps++}
parts.find(it=>it.textContent.includes('lab')).dispatchEvent(new Event('pointerenter'));
document.title=JSON.stringify({parts:parts.length,outside,overlaps,ground:getComputedStyle(document.body).backgroundColor,
loads:performance.getEntriesByType('resource').length,details:document.getElementById('details').textContent,
lit:document.querySelectorAll('.lit').length})}</script>";

/// A host with an uplink, networks of three modes, guests, and one network that drifted.
fn host() {
    run("ip", &["link", "add", "uplink", "type", "veth", "peer", "name", "peer"]);
    for link in ["uplink", "peer"] {
        run("ip", &["link", "set", link, "up"]);
    }
    run("ip", &["address", "add", "203.0.113.2/24", "dev", "uplink"]);
    run("ip", &["route", "add", "default", "via", "203.0.113.1"]);
    for (mode, name, subnet) in
        [("nat", "lab", "10.1.0.0/24"), ("route", "dmz", "10.2.0.0/24"), ("isolated", "db", "10.3.0.0/24")]
    {
        let all = ["new", mode, name, "--subnet", subnet, "--start", "--dhcp", "none"];
        let reserved = ["--host", "52:54:00:00:00:09=10.3.0.9,spare"];
        call(&[&all[..], if name == "db" { &reserved } else { &[] }].concat());
    }
    call(&["forward", "add", "lab", "tcp/2222", "10.1.0.9:22", "--live"]);
    call(&["new", "nat", "later", "--subnet", "10.4.0.0/24", "--define"]);
    for (guest, network, mac) in [("web<1>", "lab", 1), ("mail", "dmz", 2), ("postgres", "db", 3)] {
        let guest = guest.replace('<', "&lt;");
        let domain = format!(
            "<domain type='kvm'><name>{guest}</name><devices><interface type='network'><source network='{network}'/>\
             <mac address='52:54:00:00:00:0{mac}'/></interface></devices></domain>"
        );
        fs::write("/tmp/guest.xml", domain).unwrap();
        call(&["attach", "/tmp/guest.xml"]);
    }
    run("ip", &["address", "del", "10.2.0.1/24", "dev", "virbr1"]);
    run("ip", &["link", "set", "virbr2", "down"]);
}

fn call(args: &[&str]) -> String {
    let output = Command::new(vnet()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_form_tells_what_is_connected_to_what() {
    isolate!();
    host();
    let tree = call(&["graph"]);
    insta::assert_snapshot!(tree, @r"
    uplink  203.0.113.2/24, default via 203.0.113.1
    ├─ routed ─ dmz  bridge virbr1, 10.2.0.1/24
    │  ! address 10.2.0.1/24 dev virbr1 is gone
    │  └─ mail  52:54:00:00:00:02  (vnet1)
    └─ NAT ─ lab  bridge virbr0, 10.1.0.1/24, tcp/2222 to 10.1.0.9:22
       └─ web<1>  52:54:00:00:00:01  (vnet0)
    no way out
    └─ db  isolated, bridge virbr2, 10.3.0.1/24
       ! link virbr2 is down
       ├─ postgres  52:54:00:00:00:03  (vnet2)
       └─ spare  10.3.0.9, reserved
    not running
    └─ later  NAT, defined, does not run, 10.4.0.1/24
    ");
    assert!(tree.lines().all(|line| line.chars().count() <= 80), "{tree}");
    let only = call(&["graph", "db"]);
    assert!(only.contains("postgres") && !only.contains("lab"), "{only}");

    let parts: serde_json::Value = serde_json::from_str(&call(&["graph", "--format", "json"])).unwrap();
    let runs =
        |name: &str| parts["parts"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()["runs"] == true;
    assert!(runs("postgres") && !runs("spare"), "{parts}");

    let mermaid = call(&["graph", "--format", "mermaid"]);
    let gone = "10.2.0.1/24<br/>address 10.2.0.1/24 dev virbr1 is gone\"]:::troubled";
    assert!(mermaid.contains(&format!("[\"dmz<br/>routed<br/>bridge virbr1<br/>{gone}")), "{mermaid}");
    assert!(mermaid.contains("web#60;1#62;"), "{mermaid}");
    assert!(mermaid.contains("(\"spare<br/>10.3.0.9<br/>reserved\"):::inactive"), "{mermaid}");
    let dot = call(&["graph", "--format", "dot"]);
    assert!(dot.contains("[label=\"NAT\"];") && dot.contains("[label=\"vnet0\"];"), "{dot}");
    let svg = call(&["graph", "--format", "svg"]);
    let html = call(&["graph", "--format", "html"]);
    let forward = "tcp/2222 to 10.1.0.9:22";
    for name in ["lab", "dmz", "db", "later", "web&lt;1&gt;", "mail", "postgres", "uplink", "203.0.113.2/24", forward] {
        let drawn = format!(">{name}</text>");
        assert!(svg.contains(&drawn) && html.contains(&drawn), "{name}: {svg}");
    }
    let named = html.matches("://").count();
    assert_eq!(named, html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count(), "it loads nothing");
    for net in ["lab", "dmz", "db"] {
        call(&["stop", net]);
    }
}

/// In a browser, light and dark.
#[rstest]
#[case::light(1, "rgb(255, 255, 255)")]
#[case::dark(0, "rgb(13, 17, 23)")]
#[cfg_attr(not(browser), ignore = "chromium-headless-shell is not installed")]
fn a_browser_shows_the_page(#[case] scheme: u8, #[case] ground: &str) {
    isolate!();
    host();
    let page = call(&["graph", "--format", "html"]);
    fs::write("/tmp/page.html", page.replace("</body>", &format!("{LOOK}</body>"))).unwrap();
    let prefers = format!("--blink-settings=preferredColorScheme={scheme}");
    let browse = |what: &str| {
        run(
            BROWSER,
            &["--no-sandbox", "--disable-gpu", "--window-size=1260,900", &prefers, what, "file:///tmp/page.html"],
        )
    };
    let page = browse("--dump-dom");
    let look = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap();
    let look: serde_json::Value = serde_json::from_str(&look.replace("&lt;", "<").replace("&gt;", ">")).unwrap();
    assert_eq!((&look["parts"], &look["outside"], &look["overlaps"]), (&9.into(), &0.into(), &0.into()), "{look}");
    assert_eq!((look["ground"].as_str().unwrap(), &look["loads"]), (ground, &0.into()), "{look}");
    assert!(
        look["details"].as_str().unwrap().contains("UUID") || look["details"].as_str().unwrap().contains("10.1.0.1/24")
    );
    assert_eq!(look["lit"], 2, "the uplink's connection and the guest's");
    browse("--screenshot=/tmp/picture.png");
    let picture = fs::read("/tmp/picture.png").unwrap();
    fs::write("/tmp/blank.html", "").unwrap();
    run(
        BROWSER,
        &[
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1260,900",
            "--screenshot=/tmp/blank.png",
            "file:///tmp/blank.html",
        ],
    );
    let blank = fs::read("/tmp/blank.png").unwrap();
    assert!(picture.len() > 4 * blank.len(), "{} bytes, a blank one has {}", picture.len(), blank.len());
}

/// The promises of a trial are beside the picture.
#[test]
fn a_trial_is_a_page() {
    isolate!();
    let definition =
        call(&["new", "isolated", "lab", "--subnet", "10.1.0.0/24", "--host", "52:54:00:00:00:01=10.1.0.9,web"]);
    fs::write("/tmp/lab.xml", definition).unwrap();
    let said = call(&["try", "/tmp/lab.xml", "--html", "/tmp/page.html"]);
    let page = fs::read_to_string("/tmp/page.html").unwrap();
    for there in [">lab</text>", ">web</text>", ">10.1.0.9</text>", "<th>Promise</th>", "<td>kept</td>"] {
        assert!(page.contains(there), "{there}: {said}\n{page}");
    }
    assert!(page.matches("<tr><td>lab: ").count() > 3, "{page}");
}
