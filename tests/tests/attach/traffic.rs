//! A guest's bandwidth, as tc(8) shows what `vnet attach` made: what libvirt would have made.

use serde_json::{Value, json as value};
use vnet_netlink::Netlink;
use vnet_tests::{isolate, json, run};

use crate::{done, everything, in_lab, nothing_is_left};

const NETWORK: &str = "\
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='lab0' stp='off'/>
  <bandwidth><inbound average='4000' peak='8000'/></bandwidth>
  <ip address='10.9.0.1' prefix='24'/>
</network>
";

/// The queueing disciplines of a link: kind, number and place.
fn qdiscs(link: &str) -> Vec<[String; 3]> {
    let all = json("tc", &["-j", "qdisc", "show", "dev", link]);
    let place =
        |it: &Value| if it["root"] == true { "root".to_owned() } else { it["parent"].as_str().unwrap().to_owned() };
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    all.as_array().unwrap().iter().map(|it| [text(&it["kind"]), text(&it["handle"]), place(it)]).collect()
}

/// The classes of a link, as tc prints them, by their numbers.
fn classes(link: &str) -> Vec<String> {
    let all = run("tc", &["class", "show", "dev", link]);
    let mut all: Vec<String> = all.lines().map(|line| line.replace(" prio 0", "").trim().to_owned()).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_guest_is_shaped_and_policed_and_keeps_its_floor() {
    isolate!();
    done(&["start", "-"], NETWORK);
    let before = (everything(), classes("lab0"));
    let rates = "<bandwidth><inbound average='1000' peak='2000' burst='64' floor='500'/>\
                 <outbound average='800' burst='32'/></bandwidth>";
    done(&["attach", "-"], &in_lab(rates));
    let features = Netlink::features().unwrap().unwrap();
    // tc qdisc add dev vnet0 root handle 1: htb default 1; … parent 1:1 handle 2: sfq perturb 10; …
    // ingress
    let mut expected = vec![["htb", "1:", "root"], ["ingress", "ffff:", "ffff:fff1"]];
    if features.sfq {
        expected.insert(1, ["sfq", "2:", "1:1"]);
    }
    assert_eq!(qdiscs("vnet0"), expected);
    // tc class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 2000kbps burst 64kb
    // quantum 85
    let [class] = classes("vnet0").try_into().unwrap();
    assert!(class.starts_with("class htb 1:1 root"), "{class}");
    assert!(class.ends_with("rate 8Mbit ceil 16Mbit burst 64Kb cburst 1600b"), "{class}");
    // What tc prints of policers as JSON is not JSON.
    let ingress = run("tc", &["filter", "show", "dev", "vnet0", "ingress"]);
    if features.police {
        // tc filter add dev vnet0 parent ffff: protocol all u32 match u32 0 0 police rate 800kbps
        // burst 32kb mtu 64kb drop
        let rate = ingress.split("rate ").nth(1).unwrap_or_default();
        assert!(ingress.contains("police") && rate.starts_with("6400Kbit burst 32Kb"), "{ingress}");
    } else {
        assert!(ingress.contains("mirred (Egress Redirect to device ifb-vnet0)"), "{ingress}");
        let [class] = classes("ifb-vnet0").try_into().unwrap();
        assert!(class.contains("rate 6400Kbit ceil 6400Kbit burst 32Kb"), "{class}");
    }
    // The floor: tc class add dev lab0 parent 1:1 classid 1:3 htb rate 500kbps ceil 8000kbps, and
    // so much less for the rest.
    let on_bridge = classes("lab0");
    let of =
        |class: &str| on_bridge.iter().find(|it| it.starts_with(&format!("class htb {class} parent 1:1"))).unwrap();
    assert!(of("1:3").contains("rate 4Mbit ceil 64Mbit"), "{on_bridge:?}");
    assert!(of("1:2").contains("rate 60Mbit ceil 64Mbit"), "{on_bridge:?}");
    let filters = run("tc", &["filter", "show", "dev", "lab0"]);
    for part in
        ["fh 800::803", "flowid 1:3", "00000800/0000ffff at -4", "00000001/ffffffff at -12", "00005254/0000ffff at -16"]
    {
        assert!(filters.contains(part), "{part}: {filters}");
    }
    assert_eq!(done(&["diff", "lab"], "")["changes"], value!([]));
    assert_eq!(done(&["apply", "-"], NETWORK)["changes"], value!([]), "it survives its network");
    // One direction is cleared, and the other is left alone.
    let only = "<target dev='vnet0'/><bandwidth><outbound average='800' burst='32'/></bandwidth>";
    done(&["apply", "-"], &in_lab(only));
    assert_eq!(qdiscs("vnet0").iter().map(|it| it[0].as_str()).collect::<Vec<_>>(), ["noqueue", "ingress"]);
    assert_eq!(classes("lab0"), before.1, "the others have the guest's floor again");
    done(&["apply", "-"], &in_lab("<target dev='vnet0'/>"));
    assert_eq!(qdiscs("vnet0").iter().map(|it| it[0].as_str()).collect::<Vec<_>>(), ["noqueue"]);
    done(&["detach", "vnet0"], "");
    assert_eq!((everything(), classes("lab0")), before);
    done(&["stop", "lab"], "");
    nothing_is_left();
}

/// A macvtap is the guest's own end: what leaves it comes from the guest.
#[test]
fn a_macvtap_is_shaped_the_other_way_round() {
    isolate!();
    run("ip", &["link", "add", "eth1", "type", "veth", "peer", "name", "eth2"]);
    let before = everything();
    let interface = "<interface type='direct'><source dev='eth1'/>\
                     <bandwidth><inbound average='100'/><outbound average='200'/></bandwidth></interface>";
    done(&["attach", "-"], interface);
    let [class] = classes("macvtap0").try_into().unwrap();
    assert!(class.contains("rate 1600Kbit ceil 1600Kbit"), "{class}");
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "in-sync");
    done(&["detach", "macvtap0"], "");
    assert_eq!(everything(), before);
    nothing_is_left();
}

/// As libvirt has it: nothing is gained by a queue in front of a guest that takes what comes.
#[test]
fn taps_have_no_queue() {
    isolate!();
    done(&["attach", "-"], "<interface type='ethernet'/>");
    done(&["attach", "-"], "<interface type='ethernet'><model type='virtio'/><driver queues='4'/></interface>");
    for tap in ["vnet0", "vnet1"] {
        assert_eq!(qdiscs(tap).iter().map(|it| it[0].as_str()).collect::<Vec<_>>(), ["noqueue"]);
        assert_eq!(done(&["diff", tap], "")["changes"], value!([]));
    }
    run("tc", &["qdisc", "del", "dev", "vnet0", "root"]);
    assert_eq!(done(&["ports"], "")["ports"][0]["state"], "drifted");
}
