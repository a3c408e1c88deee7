//! Forwards and egress of networks that libvirt runs.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vnet_tests::{Netns, isolate, run, wait_for};

use crate::lab::{Libvirt, NAT, SOON, done, guest, outside, program, try_virsh, virsh, vnet};

const HOOK: &str = "/etc/libvirt/hooks/network.d/vnet";
const NAMESPACE: &str = "https://github.com/vnet-rs/vnet/network/1.0";

/// A definition with something of ours in its metadata.
fn with(definition: &str, ours: &str) -> String {
    let metadata = format!("</name><metadata><v:network xmlns:v='{NAMESPACE}'>{ours}</v:network></metadata>");
    definition.replacen("</name>", &metadata, 1)
}

fn forward(port: u16) -> String {
    format!("<v:portForward proto='tcp' guest='192.168.122.10'><v:range start='{port}' to='22'/></v:portForward>")
}

/// A network whose guests may reach the internet only.
fn limited() -> String {
    let other = NAT.replace("default", "limited").replace("virbr0", "virbr5").replace("192.168.122", "10.66.0");
    with(&other, "<v:egress preset='internet-only'/>")
}

/// A guest with an address of its own.
fn settled(bridge: &str, port: &str, address: &str) -> Netns {
    let last = address.rsplit_once('.').unwrap();
    let guest = guest(bridge, port, &format!("52:54:00:00:00:{:0>2}", last.1));
    guest.run(|| {
        run("ip", &["address", "add", &format!("{address}/24"), "dev", "eth0"]);
        run("ip", &["route", "add", "default", "via", &format!("{}.1", last.0)]);
    });
    guest
}

/// Says its name to whoever connects.
fn serve(place: &Netns, address: &str, name: &'static str) {
    let listener = place.run(|| TcpListener::bind(address).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = (&stream).write_all(name.as_bytes());
        }
    });
}

fn ask(to: &str) -> io::Result<String> {
    let to: SocketAddr = to.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Whether the guest answers from outside and from the host itself.
fn is_led(outside: &Netns, port: u16) -> [bool; 2] {
    let asks = || ask(&format!("192.0.2.2:{port}")).is_ok_and(|text| text == "web");
    [outside.run(asks), asks()]
}

/// What of ours is in the kernel and in the folder of state.
fn traces() -> String {
    let rules = run("nft", &["list", "ruleset"]);
    let ours = rules.lines().filter(|line| line.contains("vnet") || line.contains("\"network "));
    let state = if Path::new("/run/vnet").exists() {
        run("find", &["/run/vnet", "-not", "-name", ".*"])
    } else {
        String::new()
    };
    ours.collect::<Vec<_>>().join("\n") + &state
}

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn ports_lead_to_guests_of_libvirt() {
    isolate!();
    let outside = outside();
    outside.run(|| run("ip", &["route", "add", "192.168.122.0/24", "via", "192.0.2.2"]));
    let mut libvirt = Libvirt::start();
    done(&["libvirt", "install-hook"]);
    // A definition of ours with the same name and another UUID changes nothing.
    let kept = "<network><name>default</name><uuid>5e3b1c5a-0000-4000-8000-00000000000a</uuid></network>";
    fs::create_dir_all("/etc/vnet/networks").unwrap();
    fs::write("/etc/vnet/networks/default.xml", kept).unwrap();
    wait_for(SOON, "libvirt to look for hooks", || {
        libvirt.run("default", &with(NAT, &forward(2222)));
        if Path::new("/run/vnet/default").exists() {
            return Some(());
        }
        virsh(&["net-destroy", "default"]);
        None
    });
    fs::remove_file("/etc/vnet/networks/default.xml").unwrap();
    let web = settled("virbr0", "vnet1", "192.168.122.10");
    let sibling = settled("virbr0", "vnet2", "192.168.122.11");
    serve(&web, "192.168.122.10:22", "web");
    assert_eq!(is_led(&outside, 2222), [true, true]);
    // A bridge does not send through a port what came from it, as it would with br_netfilter.
    let switch = Path::new("/proc/sys/net/bridge/bridge-nf-call-iptables");
    if switch.exists() {
        fs::write(switch, "0").unwrap();
    }
    for guest in [&web, &sibling] {
        assert_eq!(guest.run(|| ask("192.0.2.2:2222").unwrap()), "web");
    }
    // What the host does not lead there is refused as before.
    outside.run(|| ask("192.168.122.10:22").unwrap_err());
    assert!(done(&["list"]).contains("default   in libvirt"));
    let refused = vnet(&["stop", "default"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`virsh net-destroy default` stops it"));

    done(&["forward", "add", "default", "tcp/2300", "192.168.122.10:22"]);
    // libvirt's document does not have it.
    virsh(&[
        "net-update",
        "default",
        "add",
        "ip-dhcp-host",
        "<host mac='52:54:00:00:00:10' name='web' ip='192.168.122.10'/>",
        "--live",
    ]);
    assert_eq!(is_led(&outside, 2300), [true, true]);

    // libvirt makes its rules anew.
    libvirt.down();
    libvirt.up();
    done(&["diff", "default"]);
    assert_eq!(is_led(&outside, 2222), [true, true]);
    let number = "-I LIBVIRT_FWX -o virbr9 -j ACCEPT";
    run("iptables-nft", &number.split(' ').collect::<Vec<_>>());
    run("iptables-nft", &["-D", "LIBVIRT_FWX", "3"]);
    // What the host sends itself is not forwarded.
    assert_eq!(is_led(&outside, 2222), [false, true]);
    assert_eq!(vnet(&["diff", "default"]).status.code(), Some(1));
    done(&["apply", "--running"]);
    run("iptables-nft", &["-D", "LIBVIRT_FWX", "-o", "virbr9", "-j", "ACCEPT"]);
    assert_eq!(is_led(&outside, 2222), [true, true]);

    done(&["forward", "add", "default", "tcp/2400", "web:22"]);
    assert_eq!(is_led(&outside, 2400), [true, true]);
    done(&["forward", "remove", "default", "tcp/2222", "--live", "--config"]);
    assert_eq!(is_led(&outside, 2222), [false, false]);
    assert!(!virsh(&["net-dumpxml", "--inactive", "default"]).contains("2222"));

    virsh(&["net-destroy", "default"]);
    assert_eq!(traces(), "");
}

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn guests_of_libvirt_are_limited() {
    isolate!();
    let outside = outside();
    outside.run(|| {
        for address in ["9.9.9.9/32", "10.99.0.1/32"] {
            run("ip", &["address", "add", address, "dev", "cable"]);
        }
    });
    serve(&outside, "0.0.0.0:80", "outside");
    let libvirt = Libvirt::start();
    // Networks that run already get what they ask for.
    libvirt.run("default", NAT);
    libvirt.run("limited", &limited());
    let told = done(&["libvirt", "install-hook"]);
    assert!(told.contains("network limited has what its <metadata> asks for"), "{told}");
    let free = settled("virbr0", "vnet1", "192.168.122.10");
    let held = settled("virbr5", "vnet2", "10.66.0.10");
    let reaches = |guest: &Netns| ["9.9.9.9:80", "10.99.0.1:80"].map(|to| guest.run(|| ask(to).is_ok()));
    assert_eq!(reaches(&free), [true, true]);
    assert_eq!(reaches(&held), [true, false]);

    // The network runs on without us.
    done(&["libvirt", "remove-hook"]);
    assert_eq!(reaches(&held), [true, true]);
    assert!(!Path::new("/etc/libvirt/hooks").exists());
    assert_eq!(traces(), "");

    // A program that is gone holds no other network up.
    fs::copy(vnet_tests::vnet(), "/tmp/vnet").unwrap();
    done(&["libvirt", "install-hook", "--program", "/tmp/vnet"]);
    for name in ["default", "limited"] {
        virsh(&["net-destroy", name]);
    }
    wait_for(SOON, "libvirt to look for hooks", || traces().is_empty().then_some(()));
    fs::remove_file("/tmp/vnet").unwrap();
    virsh(&["net-start", "default"]);
    let refused = String::from_utf8(try_virsh(&["net-start", "limited"]).stderr).unwrap();
    assert!(refused.contains("network limited has <vnet:egress>, and vnet is gone"), "{refused}");
}

/// What cannot be is refused before libvirt makes anything, and a hook that was killed leaves
/// nothing.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn a_failing_hook_leaves_nothing() {
    isolate!();
    let libvirt = Libvirt::start();
    libvirt.run("other", &NAT.replace("default", "other").replace("virbr0", "virbr3").replace("122", "33"));
    let real = vnet_tests::vnet();
    program(
        "killed",
        &format!(
            "[ \"$4\" = started ] && [ -e /tmp/when ] && exec strace -o /tmp/strace -e inject=rename:signal=SIGKILL:when=$(cat /tmp/when) {real} \"$@\"\n\
         exec {real} \"$@\"",
            real = real.display()
        ),
    );
    done(&["libvirt", "install-hook", "--program", "/tmp/programs/killed"]);
    assert!(Path::new(HOOK).exists());
    fs::write("/tmp/bad.xml", with(NAT, &forward(2222).replace("192.168.122.10", "nobody"))).unwrap();
    virsh(&["net-define", "/tmp/bad.xml"]);
    let refused = wait_for(SOON, "libvirt to look for hooks", || {
        let output = try_virsh(&["net-start", "default"]);
        if output.status.success() {
            virsh(&["net-destroy", "default"]);
            return None;
        }
        Some(String::from_utf8(output.stderr).unwrap())
    });
    assert!(refused.contains("nobody"), "{refused}");
    let before = traces();
    fs::write("/tmp/good.xml", with(NAT, &forward(2222))).unwrap();
    virsh(&["net-undefine", "default"]);
    virsh(&["net-define", "/tmp/good.xml"]);
    for when in [1, 2, 3] {
        fs::write("/tmp/when", when.to_string()).unwrap();
        if try_virsh(&["net-start", "default"]).status.success() {
            assert!(when > 1, "it was not killed");
        } else {
            // libvirt 9.0 leaves its bridge and its dnsmasq after a hook that fails so late.
            let _ = Command::new("ip").args(["link", "delete", "virbr0"]).output();
            let pid = fs::read_to_string("/run/libvirt/network/default.pid").unwrap_or_default();
            let _ = Command::new("kill").arg(pid.trim()).output();
            fs::remove_file("/tmp/when").unwrap();
            virsh(&["net-start", "default"]);
        }
        done(&["diff", "default"]);
        virsh(&["net-destroy", "default"]);
        assert_eq!(traces(), before, "killed at rename {when}");
    }
}

/// What was added to libvirt's network is part of ours.
#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn a_take_over_keeps_the_forwards() {
    isolate!();
    let outside = outside();
    let mut libvirt = Libvirt::start();
    libvirt.run("default", &with(NAT, &forward(2222)));
    let web = settled("virbr0", "vnet1", "192.168.122.10");
    serve(&web, "192.168.122.10:22", "web");
    assert_eq!(is_led(&outside, 2222), [false, false]);
    done(&["libvirt", "install-hook"]);
    assert_eq!(is_led(&outside, 2222), [true, true]);
    libvirt.down();
    // A refusal leaves them.
    let taken = TcpListener::bind("0.0.0.0:2222").unwrap();
    assert!(!vnet(&["import", "--take-over", "default"]).status.success());
    drop(taken);
    assert_eq!(is_led(&outside, 2222), [true, true]);
    done(&["import", "--take-over", "default"]);
    assert_eq!(is_led(&outside, 2222), [true, true]);
    assert!(!run("iptables-nft", &["-S"]).contains("LIBVIRT"));
    done(&["libvirt", "remove-hook"]);
    assert!(!done(&["list"]).contains("in libvirt"));
    done(&["diff", "default"]);
    done(&["stop", "default"]);
    assert_eq!(traces(), "");
}
