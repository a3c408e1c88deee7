//! The list of programs that vnet and its tests run, with their packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::{Failed, can, failed, root, run, run_in};

/// A program, its package on Debian and Ubuntu, and its package on Fedora.
struct Program {
    name: &'static str,
    debian: &'static str,
    fedora: &'static str,
    what_for: &'static str,
}

/// The programs that vnet needs to build and for its main job: networks with addresses.
const VNET: &[Program] = &[
    program("dnsmasq", "dnsmasq-base", "dnsmasq", "DHCP and DNS of networks"),
    program("cc", "gcc", "gcc", "the linker of Rust programs"),
];

const TESTS: &[Program] = &[
    program("passt", "passt", "passt", "networks for guests without privilege"),
    program("nft", "nftables", "nftables", "tests: a second eye on the rules"),
    program("iptables-nft", "iptables", "iptables-nft", "tests: what others make of rules"),
    program("ip", "iproute2", "iproute", "tests: a second eye on links, addresses and routes"),
    program("ping", "iputils-ping", "iputils", "tests: packets"),
    program("firewalld", "firewalld", "firewalld", "tests: zones, in namespaces of their own"),
    program("dbus-daemon", "dbus", "dbus-daemon", "tests: the bus that firewalld is asked over"),
    program("libvirtd", "libvirt-daemon", "libvirt-daemon", "tests: networks are taken over from it"),
    program("virsh", "libvirt-clients", "libvirt-client", "tests: it reads what vnet writes"),
    program(
        "/usr/lib/python3/dist-packages/libvirt.py",
        "python3-libvirt",
        "python3-libvirt",
        "tests: a client of libvirt's protocol",
    ),
    program("/usr/lib/polkit-1/polkitd", "polkitd", "polkit", "tests: it says who may change networks"),
    program("iperf3", "iperf3", "iperf3", "tests: what gets through of a declared bandwidth"),
    program("qemu-system-x86_64", "qemu-system-x86", "qemu-system-x86-core", "tests: guests, and another kernel"),
    program("busybox", "busybox-static", "busybox", "tests: what guests run"),
    program("strip", "binutils", "binutils", "tests: programs that fit into a machine's memory"),
    program("/etc/protocols", "netbase", "setup", "tests: nft prints names of protocols"),
    program(
        "/usr/lib/cni/portmap",
        "containernetworking-plugins",
        "containernetworking-plugins",
        "tests: CNI plugins that come after ours, and measurements against them",
    ),
    program("ovs-vswitchd", "openvswitch-switch", "openvswitch", "tests: ports of Open vSwitch"),
    program("ovsdb-server", "openvswitch-common", "openvswitch", "tests: a database of Open vSwitch"),
    program("ovn-northd", "ovn-central", "ovn-central", "tests: what OVN makes of its northbound database"),
    program("ovn-controller", "ovn-host", "ovn-host", "tests: hosts of OVN"),
    program("valgrind", "valgrind", "valgrind", "tests: instructions are counted"),
    program("strace", "strace", "strace", "tests: a process is killed at a system call, or the call is refused"),
    program("setpriv", "util-linux", "util-linux", "tests as an unprivileged user"),
];

/// What not every release has as a package of its own. Tests that miss one are ignored.
const OPTIONAL: &[Program] = &[
    program("crun", "crun", "crun", "tests: it runs podman's containers"),
    program("podman", "podman", "podman", "tests: containers on networks by CNI, which podman 4 has"),
    program("chromium-headless-shell", "chromium-headless-shell", "chromium-headless", "tests: the page of a host"),
    program(
        "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_network.so",
        "libvirt-daemon-driver-network",
        "libvirt-daemon-driver-network",
        "tests: libvirtd's networks; before libvirt 10.6 Debian has it with libvirtd",
    ),
    program(
        "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
        "libvirt-daemon-driver-qemu",
        "libvirt-daemon-driver-qemu",
        "tests: libvirtd's guests on our networks",
    ),
];

/// The packages of Debian and Ubuntu with the newest kernel for virtual machines. They are
/// downloaded, not installed.
pub(crate) const KERNELS: [&str; 2] = ["linux-image-cloud-amd64", "linux-image-virtual"];

/// Units of systemd that distributions start when they install a program. Tests need none of them.
/// That of firewalld would close this machine's ports.
const UNITS: [(&str, &[&str]); 2] = [
    ("firewalld", &["firewalld.service"]),
    (
        "podman",
        &[
            "podman.socket",
            "podman.service",
            "podman-restart.service",
            "podman-auto-update.service",
            "podman-auto-update.timer",
        ],
    ),
];

const fn program(name: &'static str, debian: &'static str, fedora: &'static str, what_for: &'static str) -> Program {
    Program { name, debian, fedora, what_for }
}

/// Packages of Debian and Ubuntu that start services on a machine where they are installed: one
/// takes over names, the others are databases and a controller. They are unpacked below
/// `target/unpacked`, each told by a file that it has.
const UNPACKED: [(&str, &str); 4] = [
    ("systemd-resolved", "lib/systemd/systemd-resolved"),
    ("ovn-common", "usr/bin/ovn-nbctl"),
    ("ovn-central", "usr/bin/ovn-northd"),
    ("ovn-host", "usr/bin/ovn-controller"),
];

/// OVN, which is installed on Fedora: it starts no service there that nobody has asked for.
const OVN: [Program; 2] = [
    program("ovn-northd", "ovn-central", "ovn-central", "tests: OVN's databases; Debian's are unpacked only"),
    program("ovn-controller", "ovn-host", "ovn-host", "tests: hosts of OVN; Debian's are unpacked only"),
];

/// Unpacks what tests run and no machine should have for their sake.
fn unpack() -> Result<(), Failed> {
    if !can("apt-get", &["--version"]) {
        return install_missing(OVN.iter());
    }
    let to = root().join("target/unpacked");
    let folders = [Path::new("/").to_owned(), to.clone(), to.join("usr"), Path::new("/usr").to_owned()];
    let is_there = |file: &str| folders.iter().any(|folder| folder.join(file).is_file());
    let missing: Vec<&str> = UNPACKED.iter().filter(|(_, file)| !is_there(file)).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(&to).map_err(failed(&to))?;
    let download = [&["download", "-q"], &missing[..]].concat();
    if run_in(&to, "apt-get", &download).is_err() {
        refresh()?;
        run_in(&to, "apt-get", &download)?;
    }
    for entry in fs::read_dir(&to).map_err(failed(&to))? {
        let package = entry.map_err(failed(&to))?.path();
        if package.extension().is_some_and(|it| it == "deb") {
            run_in(&to, "dpkg-deb", &["-x", &package.display().to_string(), "."])?;
            fs::remove_file(&package).map_err(failed(&package))?;
        }
    }
    Ok(())
}

/// The list, for people.
pub(crate) fn table() -> String {
    let row = |name: &str, debian: &str, fedora: &str, what_for: &str| {
        format!("{name:<42}{debian:<25}{fedora:<21}{what_for}\n")
    };
    let head = row("program", "Debian/Ubuntu", "Fedora", "for");
    VNET.iter()
        .chain(TESTS)
        .chain(OPTIONAL)
        .chain(&OVN)
        .fold(head, |table, it| table + &row(it.name, it.debian, it.fedora, it.what_for))
}

/// Installs the missing programs that vnet needs.
pub(crate) fn install_for_vnet() -> Result<(), Failed> {
    install_missing(VNET.iter())
}

/// Installs the missing programs that vnet and its tests need.
pub(crate) fn install() -> Result<(), Failed> {
    install_missing(VNET.iter().chain(TESTS))?;
    for program in OPTIONAL {
        if install_missing(std::iter::once(program)).is_err() {
            println!("xtask: there is no {} here: the tests with it are ignored", program.name);
        }
    }
    unpack()
}

/// Installs with the system's package manager, through sudo when not root.
fn install_missing(programs: impl Iterator<Item = &'static Program>) -> Result<(), Failed> {
    let missing: Vec<&Program> = programs.filter(|program| find_program(program.name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
    println!("xtask: missing programs: {}", names.join(", "));
    let has_systemd = Path::new("/run/systemd/system").exists();
    let started = UNITS.iter().filter(|(program, _)| has_systemd && names.contains(program));
    let units: Vec<&str> = started.flat_map(|(_, units)| units.iter().copied()).collect();
    if !units.is_empty() {
        as_root(&[&["systemctl", "mask", "--runtime"], &units[..]].concat())?;
    }
    let installed = install_packages(&missing);
    if !units.is_empty() {
        // Not every release has each.
        let is_there = |unit: &&str| Path::new("/lib/systemd/system").join(unit).exists();
        let there: Vec<&str> = units.iter().copied().filter(is_there).collect();
        if !there.is_empty() {
            as_root(&[&["systemctl", "disable"], &there[..]].concat())?;
        }
        as_root(&[&["systemctl", "unmask", "--runtime"], &units[..]].concat())?;
        println!("xtask: {} neither run on this machine nor start with it", units.join(", "));
    }
    installed
}

fn install_packages(missing: &[&Program]) -> Result<(), Failed> {
    if can("apt-get", &["--version"]) {
        refresh()?;
        let install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y"];
        as_root(&[&install[..], &["--no-install-recommends"], &packages(missing, |it| it.debian)].concat())
    } else if can("dnf", &["--version"]) {
        as_root(&[&["dnf", "install", "-y"], &packages(missing, |it| it.fedora)[..]].concat())
    } else {
        let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
        Err(Failed(format!("neither apt-get nor dnf is here; please install what has: {}", names.join(", "))))
    }
}

/// Updates the package lists of the distribution.
pub(crate) fn refresh() -> Result<(), Failed> {
    as_root(&["apt-get", "update", "-q"])
}

fn packages(missing: &[&Program], name: impl Fn(&Program) -> &'static str) -> Vec<&'static str> {
    missing.iter().map(|program| name(program)).collect()
}

/// Programs of administrators are often not in an ordinary user's `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin", "/usr/local/sbin"]);
    folders.map(|folder| Path::new(folder).join(name)).find(|file| file.is_file())
}

fn as_root(command: &[&str]) -> Result<(), Failed> {
    if crate::tests::is_root() {
        return run(command[0], &command[1..]);
    }
    println!("xtask: sudo may ask for your password, to install packages");
    run("sudo", command)
}
