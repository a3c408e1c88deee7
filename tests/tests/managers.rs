//! What other programs and settings do to a network that runs: a manager that takes its links,
//! bridge netfilter, a dnsmasq that is stopped. It is named with the remedy, and `apply` heals what
//! it can.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;
use serde_json::Value;
use vnet_tests::{isolate, json, run, vnet};

const BRIDGE: &str = "virbr7";
const TAP: &str = "tap7";
const NONE: [Vec<Value>; 3] = [const { Vec::new() }; 3];

fn call(arguments: &str) -> Output {
    Command::new(vnet()).args(arguments.split(' ')).output().unwrap()
}

fn done(arguments: &str) -> String {
    let output = call(arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn answer(arguments: &str) -> Value {
    let output = call(&format!("{arguments} --format json"));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments}: {error}: {output:?}"))
}

/// A network with DHCP and a guest.
fn start(inner: &str) {
    let network = format!(
        "<network><name>lab</name><forward/><bridge name='{BRIDGE}'/>{inner}<ip address='192.168.130.1' prefix='24'>
         <dhcp><range start='192.168.130.2' end='192.168.130.9'/></dhcp></ip></network>"
    );
    fs::write("/run/lab.xml", network).unwrap();
    done("start /run/lab.xml");
    let guest = format!(
        "<interface type='network'><mac address='52:54:00:00:00:77'/><source network='lab'/><target dev='{TAP}'/>
         </interface>"
    );
    fs::write("/run/guest.xml", guest).unwrap();
    done("attach /run/guest.xml");
}

fn index(link: &str) -> String {
    json("ip", &["-j", "link", "show", link])[0]["ifindex"].to_string()
}

fn write(path: &str, text: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// As systemd-networkd 257 writes it.
fn networkd(link: &str, state: &str, file: &str) {
    let file =
        if file.is_empty() { String::new() } else { format!("NETWORK_FILE={file}\nNETWORK_FILE_DROPINS=\"\"\n") };
    let text =
        format!("# This is private data. Do not parse.\nADMIN_STATE={state}\nOPER_STATE=carrier\n{file}LLMNR=yes\n");
    write(&format!("/run/systemd/netif/links/{}", index(link)), &text);
}

/// As NetworkManager 1.52 writes it.
fn network_manager(link: &str, managed: bool, uuid: &str) {
    let text = format!("[device]\nmanaged={managed}\nconnection-uuid={uuid}\nnm-owned=false\n");
    write(&format!("/run/NetworkManager/devices/{}", index(link)), &text);
}

/// The obstacles that `status`, `diff` and `ports` name.
fn obstacles() -> [Vec<Value>; 3] {
    let list = |value: &Value| value["obstacles"].as_array().cloned().unwrap_or_default();
    [list(&answer("status lab")["networks"][0]), list(&answer("diff lab")), list(&answer("ports")["ports"][0])]
}

#[test]
fn a_link_that_networkd_manages_is_named_with_the_lines_that_help() {
    isolate!();
    start("");
    // What it leaves alone, and what it does not know.
    networkd(BRIDGE, "unmanaged", "");
    networkd(TAP, "pending", "");
    assert_eq!(obstacles(), NONE);
    let file = "/etc/systemd/network/10-all.network";
    networkd(BRIDGE, "configured", file);
    networkd(TAP, "configuring", file);
    // As networkd does with a tap and a bridge of its own.
    run("ip", &["link", "set", TAP, "nomaster"]);
    run("ip", &["address", "flush", "dev", BRIDGE]);
    let [status, diff, ports] = obstacles();
    assert_eq!(status, diff);
    let [both] = &status[..] else { panic!("{status:?}") };
    assert!(both["reason"].as_str().unwrap().contains("systemd-networkd manages virbr7, tap7 by `/etc/systemd/"));
    assert!(ports[0]["reason"].as_str().unwrap().contains("manages tap7 by"), "{ports:?}");
    for command in ["status lab", "diff lab", "ports"] {
        let output = call(command);
        let text = String::from_utf8(output.stdout).unwrap();
        let names = if command == "ports" { TAP.to_owned() } else { format!("{BRIDGE} {TAP}") };
        let lines = format!("    [Match]\n    Name={names}\n    [Link]\n    Unmanaged=yes\n");
        assert!(text.contains("05-vnet.network") && text.contains(&lines), "{command}: {text}");
        assert_eq!(output.status.success(), command != "diff lab", "{command}: {text}");
    }
    // Its own lines heal it.
    networkd(BRIDGE, "unmanaged", "/etc/systemd/network/05-vnet.network");
    networkd(TAP, "unmanaged", "/etc/systemd/network/05-vnet.network");
    done("apply /run/lab.xml");
    assert_eq!(obstacles(), NONE);
    assert_eq!(done("diff lab"), "network lab is in sync\n");
    done("stop lab");
}

#[test]
fn a_tap_that_networkmanager_takes_is_named_with_the_lines_that_help() {
    isolate!();
    start("");
    let (generated, own) = ("fed0032e-ebf5-468a-a650-be8ca3bf0d9d", "11111111-2222-3333-4444-555555555555");
    let profile = format!("[connection]\nid={TAP}\nuuid={generated}\ntype=tun\n\n[.nmmeta]\nnm-generated=true\n");
    write("/run/NetworkManager/system-connections/tap7.nmconnection", &profile);
    // The profile that it makes up for what it found.
    network_manager(TAP, true, generated);
    network_manager(BRIDGE, false, own);
    assert_eq!(obstacles(), NONE);
    network_manager(TAP, true, own);
    let [status, diff, ports] = obstacles();
    assert!(status == diff && diff == ports, "{status:?} {diff:?} {ports:?}");
    assert!(status[0]["reason"].as_str().unwrap().contains("NetworkManager manages tap7 by the connection `1111"));
    let text = done("ports");
    assert!(text.contains("    [keyfile]\n    unmanaged-devices=interface-name:tap7\n"), "{text}");
    done("stop lab");
}

/// The files are about the links of the first process's namespace.
#[test]
fn a_manager_of_another_namespace_is_none_of_ours() {
    isolate!();
    let script = "exec >/run/out 2>&1; ip link set lo up; vnet start /run/lab.xml && ip -j link show virbr7 >/run/link";
    fs::write("/run/lab.xml", "<network><name>lab</name><bridge name='virbr7'/></network>").unwrap();
    let vnet = vnet().display().to_string();
    run("unshare", &["--net", "sh", "-c", &script.replace("vnet ", &format!("{vnet} --state-dir /run/other "))]);
    let link: Value = serde_json::from_str(&fs::read_to_string("/run/link").unwrap()).unwrap();
    let file = format!("/run/systemd/netif/links/{}", link[0]["ifindex"]);
    write(&file, "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-all.network\n");
    let script =
        format!("{vnet} --state-dir /run/there start /run/lab.xml && {vnet} --state-dir /run/there status lab");
    let status = run("unshare", &["--net", "sh", "-c", &script]);
    assert!(status.contains("lab: in sync") && !status.contains("networkd"), "{status}");
}

/// A limit to what guests send takes a detour where the kernel has no policer. Bridge netfilter
/// makes that unsafe, whenever it is switched on.
#[rstest]
#[case::ipv4("bridge-nf-call-iptables")]
#[case::ipv6("bridge-nf-call-ip6tables")]
fn bridge_netfilter_that_is_switched_on_later_is_noticed(#[case] switch: &str) {
    isolate!();
    let folder = Path::new("/proc/sys/net/bridge");
    if !folder.exists() {
        // Without br_netfilter, nothing can be switched on.
        return;
    }
    for switch in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        fs::write(folder.join(switch), "0").unwrap();
    }
    start("<bandwidth><outbound average='1000'/></bandwidth>");
    let has_detour = run("tc", &["filter", "show", "dev", BRIDGE, "ingress"]).contains("mirred");
    assert_eq!(obstacles(), NONE);
    fs::write(folder.join(switch), "1").unwrap();
    let [status, diff, _] = obstacles();
    assert_eq!(status, diff);
    assert_eq!(status.len(), usize::from(has_detour), "{status:?}");
    if has_detour {
        let said = done("status lab");
        assert!(said.contains("past connection tracking") && said.contains("sysctl -w net.bridge."), "{said}");
        // What cannot be made safely is not made anew either, with the same remedy.
        let refused = call("apply /run/lab.xml");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("act_police"), "{said}");
    }
    fs::write(folder.join(switch), "0").unwrap();
    assert_eq!(obstacles(), NONE);
    done("stop lab");
}

fn dnsmasq() -> Pid {
    Pid::from_raw(fs::read_to_string("/run/vnet/lab/dnsmasq.pid").unwrap().trim().parse().unwrap())
}

fn is_stopped(pid: Pid) -> bool {
    run("ps", &["-o", "stat=", "-p", &pid.to_string()]).starts_with('T')
}

#[test]
fn a_dnsmasq_that_is_stopped_is_noticed_and_goes_on() {
    isolate!();
    start("");
    let pid = dnsmasq();
    kill(pid, Signal::SIGSTOP).unwrap();
    let diff = call("diff lab");
    let said = String::from_utf8(diff.stdout).unwrap();
    assert!(!diff.status.success() && said.contains("continue (it is stopped) dnsmasq"), "{said}");
    assert_eq!(answer("status lab")["networks"][0]["state"], "drifted");
    assert!(done("plan /run/lab.xml").contains("continue (it is stopped)"));
    done("apply /run/lab.xml");
    assert!(!is_stopped(pid));
    assert_eq!((done("diff lab").as_str(), dnsmasq()), ("network lab is in sync\n", pid));
    // A new configuration ends it as any other.
    kill(pid, Signal::SIGSTOP).unwrap();
    let text = fs::read_to_string("/run/lab.xml").unwrap().replace("<ip ", "<domain name='x.example'/><ip ");
    fs::write("/run/lab.xml", text).unwrap();
    done("apply /run/lab.xml");
    assert!(dnsmasq() != pid && !is_stopped(dnsmasq()));
    kill(dnsmasq(), Signal::SIGSTOP).unwrap();
    done("stop lab");
    assert!(!Path::new("/run/vnet").exists());
}

/// What is undone is as before, also where that is no good state.
#[test]
fn a_change_that_fails_leaves_a_stopped_dnsmasq_stopped() {
    isolate!();
    start("");
    let pid = dnsmasq();
    kill(pid, Signal::SIGSTOP).unwrap();
    // Somebody has the address of the new route's network as a route of his own.
    run("ip", &["route", "add", "unreachable", "10.77.0.0/16", "metric", "1"]);
    let route = "<route address='10.77.0.0' prefix='16' gateway='192.168.130.9'/></network>";
    let text = fs::read_to_string("/run/lab.xml").unwrap().replace("</network>", route);
    fs::write("/run/new.xml", text).unwrap();
    let refused = call("apply /run/new.xml");
    assert!(!refused.status.success() && is_stopped(pid), "{refused:?}");
    done("apply /run/lab.xml");
    assert!(!is_stopped(pid));
    done("stop lab");
}

#[test]
fn a_line_that_is_no_lease_is_named_and_hides_no_other() {
    isolate!();
    start("");
    let lease = |host: u8| format!("0 52:54:00:00:00:0{host} 192.168.130.{host} vm{host} *\n");
    let text = format!("{}0 52:54:00:00:00:03 192.168\nrubbish\n{}", lease(2), lease(4));
    fs::write("/var/lib/vnet/lab/leases", text).unwrap();
    let output = call("leases lab");
    let (table, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && table.contains("192.168.130.2/24") && table.contains("192.168.130.4/24"));
    assert!(said.contains("line 2: 3 fields instead of 5") && said.contains("line 3: 1 fields"), "{said}");
    let leases = answer("leases lab");
    assert_eq!(leases["leases"].as_array().unwrap().len(), 2);
    assert_eq!(leases["unreadable"].as_array().unwrap().len(), 2);
    assert_eq!(answer("status lab")["networks"][0]["leases"], 2);
    done("apply /run/lab.xml");
    done("stop lab");
}
