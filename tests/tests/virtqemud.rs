//! A guest of libvirt's QEMU driver on a network of vnet's: the driver asks `vnetd` for a port, and
//! makes the tap itself.
//!
//! Debian has no virtqemud: its daemon has all drivers, and asks nobody else for networks. With its
//! QEMU driver alone, and told that it is not the only daemon, it does what virtqemud does.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use vnet_tests::{Guest, Netns, isolate, run, vnet, vnetd, wait_for};

const SOON: Duration = Duration::from_secs(30);
const SERVER: &str = "/run/libvirt/virtnetworkd-sock";
const MACS: [&str; 2] = ["52:54:00:7b:35:93", "52:54:00:7b:35:aa"];
const NETWORK: &str = "<network><name>office</name><uuid>0a0b0c0d-1111-4222-8333-444455556666</uuid>
    <forward mode='nat'/><bridge name='vbr-office' stp='off' delay='0'/>
    <bandwidth><inbound average='100000'/></bandwidth>
    <ip address='10.77.1.1' netmask='255.255.255.0'><dhcp><range start='10.77.1.100' end='10.77.1.150'/></dhcp></ip>
    </network>";

/// Both daemons. Guests and networks do not end with them.
struct Daemons {
    shim: PathBuf,
    running: Vec<Child>,
}

impl Daemons {
    /// Prepares the folders of the QEMU driver, and starts both.
    fn start() -> Self {
        for folder in ["/var/log", "/var/cache"] {
            run("mount", &["-t", "tmpfs", "none", folder]);
        }
        let _ = fs::remove_file("/etc/libvirt");
        for folder in ["/etc/libvirt/qemu", "/var/log/libvirt", "/run/libvirt", "/tmp/drivers", "/tmp/programs"] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write("/etc/libvirt/libvirtd.conf", "auth_unix_rw = \"none\"\nunix_sock_group = \"root\"\n").unwrap();
        let alone = "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\ncgroup_controllers = []\n\
                     namespaces = []\nstdio_handler = \"file\"\nremember_owner = 0\ndynamic_ownership = 0\n";
        fs::write("/etc/libvirt/qemu.conf", alone).unwrap();
        // The driver looks for its usual user, whichever it is told to use.
        for (file, line) in
            [("/etc/passwd", "libvirt-qemu:x:0:0::/:/bin/false"), ("/etc/group", "libvirt-qemu:x:0:\nkvm:x:0:")]
        {
            let text = fs::read_to_string(file).unwrap_or_default();
            let _ = fs::remove_file(file);
            fs::write(file, format!("{text}{line}\n")).unwrap();
        }
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
        let driver = "libvirt_driver_qemu.so";
        let candidates = folders.map(|folder| Path::new(folder).join("libvirt/connection-driver").join(driver));
        let found = candidates.iter().find(|path| path.exists()).expect("libvirt's QEMU driver is installed");
        symlink(found, Path::new("/tmp/drivers").join(driver)).unwrap();
        // What this kernel cannot shape is no subject here: the driver shapes taps, vnet bridges.
        fs::write("/tmp/programs/tc", "#!/bin/sh\n").unwrap();
        fs::set_permissions("/tmp/programs/tc", fs::Permissions::from_mode(0o755)).unwrap();
        let mut daemons = Self { shim: shim(), running: Vec::new() };
        daemons.up();
        daemons
    }

    fn up(&mut self) {
        let log = |name: &str| fs::File::options().append(true).create(true).open(format!("/tmp/{name}.log")).unwrap();
        let mut server = Command::new(vnetd());
        server.args(["--listen", SERVER, "--timeout", "0"]).stdin(Stdio::null()).stderr(log("vnetd"));
        let path = format!("/tmp/programs:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let mut driver = Command::new("libvirtd");
        driver.env("PATH", path).env("LIBVIRT_DRIVER_DIR", "/tmp/drivers").env("LD_PRELOAD", &self.shim);
        driver.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log("libvirtd"));
        self.running = vec![server.spawn().expect("vnetd starts"), driver.spawn().expect("libvirtd starts")];
        wait_for(SOON, "both daemons", || {
            ["network", "qemu"].iter().all(|it| virsh(it, &["uri"]).status.success()).then_some(())
        });
    }

    /// Ends both: `vnetd` by force, in the middle of whatever it does.
    fn down(&mut self) {
        for (mut daemon, signal) in self.running.drain(..).zip([Signal::SIGKILL, Signal::SIGTERM]) {
            kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), signal).unwrap();
            daemon.wait().unwrap();
        }
    }
}

/// A library that tells libvirtd that it is not the only daemon of its host, and lets it become the
/// only user of the test's namespace.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <sys/types.h>

int virStateInitialize(bool privileged, bool mandatory, const char *root, bool alone, void *call, void *data)
{
    (void) alone;
    int (*next)(bool, bool, const char *, bool, void *, void *) = dlsym(RTLD_NEXT, "virStateInitialize");
    return next(privileged, mandatory, root, false, call, data);
}

int setgroups(size_t count, const gid_t *groups)
{
    (void) count, (void) groups;
    return 0;
}
"#;

fn shim() -> PathBuf {
    fs::write("/tmp/shim.c", SHIM).unwrap();
    run("cc", &["-shared", "-fPIC", "-o", "/tmp/shim.so", "/tmp/shim.c", "-ldl"]);
    PathBuf::from("/tmp/shim.so")
}

fn virsh(driver: &str, arguments: &[&str]) -> Output {
    let uri = format!("{driver}:///system");
    Command::new("virsh").args(["-c", &uri]).args(arguments).env("LC_ALL", "C").output().unwrap()
}

/// Runs a command of virsh for guests, which has to succeed.
fn done(arguments: &[&str]) -> String {
    on("qemu", arguments)
}

fn on(driver: &str, arguments: &[&str]) -> String {
    let output = virsh(driver, arguments);
    let logs =
        ["/tmp/libvirtd.log", "/tmp/vnetd.log"].map(|file| fs::read_to_string(file).unwrap_or_default()).concat();
    assert!(output.status.success(), "virsh {arguments:?}: {}\n{logs}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn ours(arguments: &[&str]) -> Value {
    vnet_tests::json(vnet().to_str().unwrap(), &[arguments, &["--format", "json"]].concat())
}

/// The device, the guest and the MAC address of each port, as `vnet ports` has them; each is found
/// and in order.
fn ports() -> Vec<[String; 3]> {
    let all = ours(&["ports", "office"])["ports"].as_array().unwrap().clone();
    assert!(all.iter().all(|it| it["recorded"] == json!(true) && it["state"] == "in-sync"), "{all:#?}");
    let mut found: Vec<_> = all
        .iter()
        .map(|it| ["device", "guest", "mac"].map(|field| it[field].as_str().unwrap_or("-").to_owned()))
        .collect();
    found.sort();
    found
}

fn port(dev: &str, mac: &str) -> [String; 3] {
    [dev, "web", mac].map(str::to_owned)
}

/// The UUIDs of the ports, as libvirt's clients see them.
fn ids() -> Vec<String> {
    on("network", &["net-port-list", "office"]).split_whitespace().skip(2).map(str::to_owned).collect()
}

/// The outside of the host, at 192.0.2.1.
fn outside() -> Netns {
    let outside = Netns::new();
    let netns = format!("/proc/{}/fd/{}", std::process::id(), outside.file().as_raw_fd());
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "cable", "netns", &netns]);
    run("ip", &["address", "add", "192.0.2.2/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    outside.run(|| {
        run("ip", &["address", "add", "192.0.2.1/24", "dev", "cable"]);
        run("ip", &["link", "set", "cable", "up"]);
    });
    outside
}

fn interface(mac: &str, more: &str) -> String {
    format!(
        "<interface type='network'><mac address='{mac}'/><source network='office'/><model type='virtio'/>{more}
        <rom enabled='no'/></interface>"
    )
}

/// Writes a document for virsh.
fn file(text: &str) -> &'static str {
    fs::write("/tmp/document.xml", text).unwrap();
    "/tmp/document.xml"
}

fn domain() -> String {
    let (kernel, archive) = (Guest::image("vmlinuz"), Guest::image("guest.cpio"));
    format!(
        "<domain type='qemu'><name>web</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
        <os><type arch='x86_64' machine='pc'>hvm</type><kernel>{}</kernel><initrd>{}</initrd><cmdline>{}</cmdline></os>
        <features><acpi/></features><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{}
        <serial type='unix'><source mode='bind' path='/run/console'/></serial>
        <memballoon model='none'/><controller type='usb' model='none'/></devices></domain>",
        kernel.display(),
        archive.display(),
        Guest::KERNEL,
        interface(MACS[0], "")
    )
}

#[test]
#[cfg_attr(not(guest_image), ignore = "there is no guest to boot: `cargo xtask guest` makes one")]
#[cfg_attr(not(all(libvirt, libvirt_qemu)), ignore = "libvirtd, its QEMU driver or virsh is not installed")]
fn a_guest_of_virtqemud_lives_on_a_network_of_vnet() {
    isolate!();
    let _outside = outside();
    let mut daemons = Daemons::start();
    on("network", &["net-define", file(NETWORK)]);
    done(&["define", file(&domain())]);
    let refused = virsh("qemu", &["start", "web"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("Requested operation is not valid: network 'office' is not active"), "{told}");
    on("network", &["net-start", "office"]);
    // dnsmasq hears when it is told to end.
    let dnsmasq = ours(&["status", "office"])["networks"][0]["dnsmasq"].clone();
    let status = fs::read_to_string(format!("/proc/{dnsmasq}/status")).unwrap();
    assert!(status.contains("SigBlk:\t0000000000000000"), "{status}");

    // It starts, gets its lease and reaches the outside.
    done(&["start", "web", "--paused"]);
    assert_eq!(ports(), [port("vnet0", MACS[0])]);
    let mut guest = Guest::at(Path::new("/run/console"), || drop(done(&["resume", "web"])));
    guest.run("ip link set eth0 up");
    guest.until("udhcpc -q -n -t 10 -s /etc/lease -i eth0");
    guest.until("ping -c 1 -W 1 192.0.2.1");
    let lease = done(&["domifaddr", "web"]);
    assert!(lease.contains("vnet0") && lease.contains(MACS[0]) && lease.contains("10.77.1.1"), "{lease}");
    let printed = done(&["dumpxml", "web"]);
    assert!(
        printed.contains(&format!("<source network='office' portid='{}' bridge='vbr-office'/>", ids()[0])),
        "{printed}"
    );
    assert!(on("network", &["net-dumpxml", "office"]).starts_with("<network connections='1'>"));

    // A second card comes while it runs.
    done(&["attach-device", "web", file(&interface(MACS[1], "")), "--live"]);
    assert_eq!(ports(), [port("vnet0", MACS[0]), port("vnet1", MACS[1])]);
    guest.until("ip link set eth1 up");
    guest.until(&format!("ip link show eth1 | grep -q {}", MACS[1]));
    // Newer drivers take a second port for the moment of a change.
    done(&["domif-setlink", "web", "vnet0", "down"]);
    guest.until("test $(cat /sys/class/net/eth0/carrier) = 0");
    done(&["domif-setlink", "web", "vnet0", "up"]);
    guest.until("test $(cat /sys/class/net/eth0/carrier) = 1");
    guest.until("ping -c 1 -W 1 192.0.2.1");
    assert_eq!((ids().len(), ports().len()), (2, 2));

    // Its floor is kept on the bridge until a change drops it.
    let classes = || run("tc", &["class", "show", "dev", "vbr-office"]);
    done(&["domiftune", "web", "vnet0", "--inbound", "1000,2000,512,300", "--live"]);
    assert!(classes().contains("htb 1:3 parent 1:1"), "{}", classes());
    let limited = ids().iter().map(|id| on("network", &["net-port-dumpxml", "office", id])).collect::<String>();
    assert!(
        limited.contains("<bandwidth classID='3'>\n    <inbound average='1000' peak='2000' floor='300' burst='512'/>"),
        "{limited}"
    );
    done(&["update-device", "web", file(&interface(MACS[0], "")), "--live"]);
    assert!(!classes().contains("htb 1:3 "), "{}", classes());
    assert_eq!(ports().len(), 2);

    // Both daemons start again, and once a port is lost meanwhile: its owner claims it.
    for lost in [false, true] {
        let before = ids();
        daemons.down();
        if lost {
            run(vnet().to_str().unwrap(), &["net-port-delete", "office", &before[0]]);
        }
        guest.until("ping -c 1 -W 1 192.0.2.1");
        daemons.up();
        wait_for(SOON, "the guest's ports", || (ids() == before).then_some(()));
    }
    assert_eq!(ports(), [port("vnet0", MACS[0]), port("vnet1", MACS[1])]);
    assert_eq!(ours(&["diff", "office"])["changes"], json!([]));

    done(&["detach-interface", "web", "network", "--mac", MACS[1], "--live"]);
    wait_for(SOON, "the card to be gone", || (ports() == [port("vnet0", MACS[0])]).then_some(()));
    done(&["destroy", "web"]);
    assert_eq!((ports(), ids()), (vec![], vec![]));
    assert!(on("network", &["net-dumpxml", "office"]).starts_with("<network>"));
    on("network", &["net-destroy", "office"]);
    daemons.down();
}
