//! What gets through of the declared bandwidth, as iperf3 has it. An emulated machine has not the
//! speed for that: there, a flood of datagrams measures the same.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use vnet_netlink::Netlink;
use vnet_tests::{Netns, isolate, run, wait_for};

use crate::guest::{attach, done, interface, refused};

const SOON: Duration = Duration::from_secs(20);

fn network(limits: &str) -> String {
    format!(
        "<network><name>lab</name><bridge name='lab0' stp='off'/>{limits}<ip address='10.9.0.1' prefix='24'/></network>"
    )
}

/// A guest that listens.
struct Guest {
    netns: Netns,
    address: String,
}

impl Guest {
    fn attach(number: u8, limits: &str) -> Self {
        let guest = Self { netns: attach(number, limits), address: format!("10.9.0.{}", number + 10) };
        guest.netns.run(|| run("ip", &["address", "add", &format!("{}/24", guest.address), "dev", "eth0"]));
        wait_for(SOON, "the guest's answer", || {
            let reached = Command::new("ping").args(["-c1", "-W1", &guest.address]).stdout(Stdio::null()).status();
            reached.unwrap().success().then_some(())
        });
        listen(&guest.netns);
        guest
    }

    /// What it receives, in kilobytes per second on the wire.
    fn inbound(&self) -> f64 {
        iperf(&self.address, &[])
    }

    /// What it sends.
    fn outbound(&self) -> f64 {
        iperf(&self.address, &["-R"])
    }
}

/// Starts a server, which ends with the test's namespaces.
fn listen(netns: &Netns) {
    drop(netns.run(|| Command::new("iperf3").arg("-s").stdout(Stdio::null()).spawn().unwrap()));
    netns.run(|| wait_for(SOON, "iperf3", || run("ss", &["-Htln"]).contains(":5201").then_some(())));
}

/// The words of a client. With a window of this size no pause of the machine shows, and sfq has
/// room for all of it.
fn stream<'a>(server: &'a str, seconds: &'a str) -> [&'a str; 9] {
    ["60", "iperf3", "-J", "-w", "128K", "-c", server, "-t", seconds]
}

/// What a stream comes to in three seconds, once it flows. A segment carries 1448 bytes in a frame
/// of 1514.
fn iperf(server: &str, more: &[&str]) -> f64 {
    // A server that is not yet done with the last client lets the next one measure nothing.
    let rate = wait_for(2 * SOON, "what iperf3 measures", || {
        let report = Command::new("timeout").args(stream(server, "3")).args(["-O", "1"]).args(more).output().unwrap();
        let report: Value = serde_json::from_slice(&report.stdout).ok()?;
        report["end"]["sum_received"]["bits_per_second"].as_f64()
    });
    rate / 8000.0 * 1514.0 / 1448.0
}

fn within(rate: f64, declared: f64) {
    assert!((0.9 * declared..=1.1 * declared).contains(&rate), "{rate:.0} kB/s got through, {declared} are declared");
}

fn free(rate: f64, declared: f64) {
    assert!(rate > 2.0 * declared, "{rate:.0} kB/s got through, though nothing holds it back");
}

/// Rates that a loaded machine reaches.
const INBOUND: &str = "<inbound average='300'/>";
const OUTBOUND: &str = "<outbound average='200' burst='64'/>";

fn limits(words: &[&str]) -> String {
    if words.is_empty() { String::new() } else { format!("<bandwidth>{}</bandwidth>", words.concat()) }
}

#[test]
fn a_guest_gets_its_declared_rates_and_one_of_them_can_be_cleared() {
    isolate!();
    done(&["start", "-"], &network(""));
    let guest = Guest::attach(1, &limits(&[INBOUND, OUTBOUND]));
    within(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
    done(&["apply", "-"], &interface(1, &limits(&[INBOUND])));
    within(guest.inbound(), 300.0);
    free(guest.outbound(), 200.0);
}

/// br_netfilter is on in every new namespace of a host that has loaded it.
fn bridges_filter(on: bool) -> bool {
    let switches = ["iptables", "ip6tables"].map(|what| format!("/proc/sys/net/bridge/bridge-nf-call-{what}"));
    switches.iter().all(|switch| std::fs::write(switch, if on { "1" } else { "0" }).is_ok())
}

#[test]
fn what_guests_send_is_limited_by_a_policer_or_not_at_all_where_bridges_filter() {
    isolate!();
    let is_on = bridges_filter(true);
    let polices = Netlink::features().unwrap().unwrap().police;
    let refusal = refused(&["start", "-"], &network(&limits(&[OUTBOUND])));
    assert_eq!(refusal.is_some(), is_on && !polices, "{refusal:?}");
    if let Some(refusal) = refusal {
        assert!(refusal.contains("act_police") && refusal.contains("bridge-nf-call-iptables"), "{refusal}");
        bridges_filter(false);
        done(&["start", "-"], &network(&limits(&[OUTBOUND])));
    }
    done(&["start", "-"], &network(&limits(&[INBOUND])).replace("lab", "other").replace("10.9.0", "10.9.1"));
}

#[test]
fn a_network_gets_its_declared_rates_and_the_other_can_be_cleared() {
    isolate!();
    bridges_filter(false);
    done(&["start", "-"], &network(&limits(&[INBOUND, OUTBOUND])));
    let guest = Guest::attach(1, "");
    within(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
    done(&["apply", "-"], &network(&limits(&[OUTBOUND])));
    free(guest.inbound(), 300.0);
    within(guest.outbound(), 200.0);
}

/// A macvtap is the guest's own end: what leaves it is the guest's outbound. While nobody has it
/// open, the host's stack is behind it as the guest's would be.
#[test]
fn a_guest_on_a_macvtap_gets_its_declared_rates() {
    isolate!();
    let outside = Netns::new();
    run("ip", &["link", "add", "eth1", "type", "veth", "peer", "name", "away"]);
    let netlink = Netlink::open().unwrap();
    let away = netlink.link(&"away".parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(away, outside.file()).unwrap();
    run("ip", &["link", "set", "eth1", "up"]);
    let direct = "<interface type='direct'><source dev='eth1' mode='bridge'/>";
    done(&["attach", "-"], &format!("{direct}{}</interface>", limits(&[INBOUND, OUTBOUND])));
    run("ip", &["address", "add", "10.5.0.1/24", "dev", "macvtap0"]);
    outside.run(|| {
        run("ip", &["address", "add", "10.5.0.2/24", "dev", "away"]);
        run("ip", &["link", "set", "away", "up"]);
    });
    listen(&outside);
    within(iperf("10.5.0.2", &[]), 200.0);
    within(iperf("10.5.0.2", &["-R"]), 300.0);
}

#[test]
fn a_floor_is_kept_on_a_saturated_network() {
    isolate!();
    done(&["start", "-"], &network(&limits(&[INBOUND])));
    let kept = Guest::attach(1, "<bandwidth><inbound average='300' floor='240'/></bandwidth>");
    let other = Guest::attach(2, "");
    // Others take all there is, as long as nobody wants his floor.
    within(other.inbound(), 300.0);
    let saturate = || Command::new("timeout").args(stream(&other.address, "50")).stdout(Stdio::null()).spawn().unwrap();
    let mut saturating = saturate();
    wait_for(SOON, "the saturating stream", || {
        // A server that is not yet done with the last client turns the next one away.
        if saturating.try_wait().unwrap().is_some() {
            saturating = saturate();
        }
        let class = run("tc", &["-s", "class", "show", "dev", "lab0", "classid", "1:2"]);
        (class.contains("backlog") && !class.contains("backlog 0b")).then_some(())
    });
    within(kept.inbound(), 240.0);
    assert!(saturating.try_wait().unwrap().is_none(), "the network was not saturated");
    saturating.kill().unwrap();
    saturating.wait().unwrap();
}
