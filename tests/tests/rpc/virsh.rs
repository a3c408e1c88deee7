//! virsh and python3-libvirt with vnetd, and the same with libvirt's own network driver: both print
//! the same.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vnet_tests::{isolate, wait_for};

use crate::lab::{SOCKET, Server};

const SOON: Duration = Duration::from_secs(30);
/// A socket of libvirt's daemon that is not at vnetd's place.
const LIBVIRTS: &str = "/run/libvirt/libvirt-sock";

const LAB: &str = "<network><name>lab</name><uuid>0a0b0c0d-1111-4222-8333-444455557777</uuid>\
    <bridge name='virbr7' stp='on' delay='0'/><mac address='52:54:00:77:01:01'/>\
    <ip address='10.77.7.1' netmask='255.255.255.0'>\
    <dhcp><range start='10.77.7.100' end='10.77.7.150'/></dhcp></ip></network>";
const PASSING: &str = "<network><name>passing</name><uuid>0a0b0c0d-1111-4222-8333-444455558888</uuid>\
    <bridge name='virbr8' stp='on' delay='0'/><mac address='52:54:00:77:01:02'/></network>";
const PORT: &str = "<networkport><uuid>5d744f21-ba4a-4d6e-bdb2-30a35ff3207d</uuid><owner><name>guest1</name>\
    <uuid>06578fc1-c686-46fa-bc2c-220893b466a6</uuid></owner><mac address='52:54:00:7b:35:93'/></networkport>";

/// Every `net-*` command that the oldest supported virsh has, in the life of two networks.
const SCENARIO: &[&str] = &[
    "uri",
    "net-list --all",
    "net-define /tmp/lab.xml",
    "net-define /tmp/lab.xml",
    "net-list --all",
    "net-list --inactive --name",
    "net-name 0a0b0c0d-1111-4222-8333-444455557777",
    "net-uuid lab",
    "net-info lab",
    "net-dumpxml lab",
    "net-destroy lab",
    "net-port-list lab",
    "net-autostart lab",
    "net-list --all",
    "net-info lab",
    "net-autostart --disable lab",
    "net-start lab",
    "net-start lab",
    "net-list",
    "net-info lab",
    "net-dumpxml lab",
    "net-dhcp-leases lab",
    "net-dhcp-leases lab zz",
    "net-update lab add ip-dhcp-host '<host mac=\"52:54:00:77:01:0b\" name=\"bob\" ip=\"10.77.7.11\"/>' --live --config",
    "net-update lab delete ip-dhcp-host '<host ip=\"10.77.7.99\"/>' --live",
    "net-update lab modify bridge '<bridge name=\"x\"/>' --live",
    "net-update lab add-last dns-host '<host ip=\"10.77.7.20\"><hostname>www</hostname></host>' --config",
    "net-update lab add ip-dhcp-host '<host/>' --live",
    "net-dumpxml lab",
    "net-dumpxml lab --inactive",
    "net-port-create lab /tmp/port.xml",
    "net-port-create lab /tmp/port.xml",
    "net-port-list lab",
    "net-port-dumpxml lab 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d",
    "net-dumpxml lab",
    "net-port-delete lab 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d",
    "net-port-delete lab 5d744f21-ba4a-4d6e-bdb2-30a35ff3207d",
    "net-create /tmp/passing.xml",
    "net-create /tmp/passing.xml",
    "net-list --transient",
    "net-autostart passing",
    "net-undefine passing",
    "net-update passing add dns-txt '<txt name=\"a\" value=\"b\"/>' --config",
    "net-destroy passing",
    "net-info passing",
    "net-undefine lab",
    "net-info lab",
    "net-destroy lab",
    "net-list --all",
    "nodeinfo",
    "hostname",
];

#[test]
#[cfg_attr(not(libvirt), ignore = "needs libvirtd and virsh")]
fn prints_the_same_with_both_servers() {
    isolate!();
    for (name, text) in [("lab", LAB), ("passing", PASSING), ("port", PORT)] {
        fs::write(format!("/tmp/{name}.xml"), text).unwrap();
    }
    let server = Server::start();
    let ours: Vec<String> = SCENARIO.iter().map(|command| virsh(SOCKET, command)).collect();
    let session = python(SOCKET);
    drop(server);
    let mut libvirt = libvirtd();
    let theirs: Vec<String> = SCENARIO.iter().map(|command| virsh(LIBVIRTS, command)).collect();
    let libvirts = python(LIBVIRTS);
    libvirt.kill().and_then(|()| libvirt.wait()).unwrap();
    for (command, (ours, theirs)) in SCENARIO.iter().zip(ours.iter().zip(&theirs)) {
        assert_eq!(ours, theirs, "virsh {command}: ours, and libvirt's");
    }
    let lines = session.lines().zip(libvirts.lines()).filter(|(ours, theirs)| ours != theirs);
    assert_eq!(lines.collect::<Vec<_>>(), [], "python: ours, and libvirt's");
    assert_eq!(session.lines().count(), libvirts.lines().count());
}

/// What the calls of python3-libvirt return.
fn python(socket: &str) -> String {
    let uri = format!("network+unix:///system?socket={socket}");
    // The bindings are those of Debian's python.
    let output = Command::new("/usr/bin/python3").args(["tests/rpc/session.py", &uri]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace(socket, "SOCKET")
}

/// What a command prints, and how it ends.
fn virsh(socket: &str, command: &str) -> String {
    let uri = format!("network+unix:///system?socket={socket}");
    let script = format!("exec virsh -c '{uri}' {command}");
    let output = Command::new("sh").args(["-c", &script]).env("LC_ALL", "C").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap().replace(socket, "SOCKET");
    format!("{text}({:?})", output.status.code())
}

/// libvirt's daemon with its network driver alone.
fn libvirtd() -> Child {
    let _ = fs::remove_file("/etc/libvirt");
    for folder in ["/etc/libvirt/qemu/networks", "/var/lib/libvirt/dnsmasq", "/run/libvirt", "/tmp/programs"] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write("/etc/libvirt/libvirtd.conf", "auth_unix_rw = \"none\"\nunix_sock_group = \"root\"\n").unwrap();
    fs::create_dir("/tmp/drivers").unwrap();
    let driver = "libvirt_driver_network.so";
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let candidates = folders.map(|folder| Path::new(folder).join("libvirt/connection-driver").join(driver));
    let found = candidates.iter().find(|path| path.exists()).expect("libvirt's network driver is installed");
    std::os::unix::fs::symlink(found, Path::new("/tmp/drivers").join(driver)).unwrap();
    // Where only one user is mapped, dnsmasq cannot become another.
    fs::write("/tmp/programs/dnsmasq", "#!/bin/sh\nexec /usr/sbin/dnsmasq --user= --group= \"$@\"\n").unwrap();
    vnet_tests::run("chmod", &["755", "/tmp/programs/dnsmasq"]);
    let mut daemon = Command::new("libvirtd");
    daemon.env("PATH", format!("/tmp/programs:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
    daemon.env("LIBVIRT_DRIVER_DIR", "/tmp/drivers").env("LC_ALL", "C");
    let log = fs::File::create("/tmp/libvirtd.log").unwrap();
    let daemon = daemon.stdout(Stdio::null()).stderr(log).stdin(Stdio::null()).spawn().expect("libvirtd starts");
    wait_for(SOON, "libvirtd", || virsh(LIBVIRTS, "uri").ends_with("(Some(0))").then_some(()));
    daemon
}
