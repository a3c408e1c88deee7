//! A laboratory: the libvirt that is installed, with networks of its own, in a test's namespaces.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vnet_tests::{Netns, run, wait_for};

pub(crate) const SOON: Duration = Duration::from_secs(30);
/// libvirt's drivers.
const DRIVERS: &str = "/tmp/drivers";
/// Where programs are put in front of those of the system.
const PROGRAMS: &str = "/tmp/programs";

pub(crate) const NAT: &str =
    "<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='on' delay='0'/>
    <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
    <range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>";
pub(crate) const ISOLATED: &str = "<network><name>inner</name><bridge name='virbr1' stp='on' delay='0'/>
    <ip address='10.77.0.1' netmask='255.255.255.0'><dhcp><range start='10.77.0.2' end='10.77.0.99'/></dhcp></ip></network>";

/// libvirt's daemon with its network driver.
pub(crate) struct Libvirt {
    daemon: Option<Child>,
}

impl Libvirt {
    /// Starts it, without a network.
    pub(crate) fn start() -> Self {
        // The test's /etc has a link to the host's folder in its place.
        let _ = fs::remove_file("/etc/libvirt");
        for folder in ["/etc/libvirt/qemu/networks", "/var/lib/libvirt/dnsmasq", "/run/libvirt", PROGRAMS] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write("/etc/libvirt/libvirtd.conf", "auth_unix_rw = \"none\"\nunix_sock_group = \"root\"\n").unwrap();
        // Where only one user is mapped, dnsmasq cannot become another.
        program("dnsmasq", "exec /usr/sbin/dnsmasq --user= --group= \"$@\"");
        network_driver();
        let mut libvirt = Self { daemon: None };
        libvirt.up();
        libvirt
    }

    pub(crate) fn up(&mut self) {
        let mut daemon = Command::new("libvirtd");
        let path = format!("{PROGRAMS}:{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        daemon.env("PATH", path).env("LIBVIRT_DRIVER_DIR", DRIVERS).env("LC_ALL", "C");
        let log = fs::File::options().append(true).create(true).open("/tmp/libvirtd.log").unwrap();
        daemon.stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
        self.daemon = Some(daemon.spawn().expect("libvirtd starts"));
        wait_for(SOON, "libvirtd", || try_virsh(&["uri"]).status.success().then_some(()));
    }

    /// Ends the daemon; networks run on.
    pub(crate) fn down(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), Signal::SIGTERM).unwrap();
        daemon.wait().unwrap();
    }

    /// Defines a network and starts it.
    pub(crate) fn run(&self, name: &str, definition: &str) {
        let file = format!("/tmp/{name}.xml");
        fs::write(&file, definition).unwrap();
        virsh(&["net-define", &file]);
        virsh(&["net-start", name]);
    }

    /// A lease of its network that libvirt knows of. dnsmasq tells it by a program of its own,
    /// after the guest has its address.
    pub(crate) fn lease(&self, network: &str, guest: &Netns, name: &str) -> String {
        let address = lease(guest, name);
        wait_for(SOON, "libvirt's lease", || virsh(&["net-dhcp-leases", network]).contains(&address).then_some(()));
        address
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// A folder with the driver of networks. Others need a whole host: that of QEMU sets groups, which
/// a user namespace may not. The system's folder has them all.
pub(crate) fn network_driver() -> &'static Path {
    fs::create_dir(DRIVERS).unwrap();
    let driver = "libvirt_driver_network.so";
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let candidates = folders.map(|folder| Path::new(folder).join("libvirt/connection-driver").join(driver));
    let found = candidates.iter().find(|path| path.exists()).expect("libvirt's network driver is installed");
    symlink(found, Path::new(DRIVERS).join(driver)).unwrap();
    Path::new(DRIVERS)
}

/// Puts a shell script in front of a program of the system.
pub(crate) fn program(name: &str, script: &str) {
    let file = Path::new(PROGRAMS).join(name);
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs virsh, which has to succeed.
pub(crate) fn virsh(arguments: &[&str]) -> String {
    let output = try_virsh(arguments);
    let log = fs::read_to_string("/tmp/libvirtd.log").unwrap_or_default();
    let log = log.lines().filter(|line| line.contains("error :")).collect::<Vec<_>>().join("\n");
    assert!(output.status.success(), "virsh {arguments:?}: {}\n{log}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn try_virsh(arguments: &[&str]) -> Output {
    Command::new("virsh").args(["-c", "network:///system"]).args(arguments).env("LC_ALL", "C").output().unwrap()
}

/// `vnet` for the host's own folders.
pub(crate) fn vnet(arguments: &[&str]) -> Output {
    Command::new(vnet_tests::vnet()).args(arguments).output().unwrap()
}

/// Runs `vnet`, which has to succeed.
pub(crate) fn done(arguments: &[&str]) -> String {
    let output = vnet(arguments);
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "vnet {arguments:?}:\n{text}");
    text
}

/// The outside of the host, at 192.0.2.1, which knows nothing of its networks. It answers on TCP
/// port 7 with what it gets.
pub(crate) fn outside() -> Netns {
    let outside = Netns::new();
    let netns = file_of(&outside);
    run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "cable", "netns", &netns]);
    run("ip", &["address", "add", "192.0.2.2/24", "dev", "eth0"]);
    run("ip", &["link", "set", "eth0", "up"]);
    run("ip", &["route", "add", "default", "via", "192.0.2.1"]);
    outside.run(|| {
        run("ip", &["address", "add", "192.0.2.1/24", "dev", "cable"]);
        run("ip", &["link", "set", "cable", "up"]);
    });
    let listener = outside.run(|| TcpListener::bind("192.0.2.1:7").unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
    outside
}

/// A guest of libvirt: a port of a bridge, `eth0` in the guest, with this MAC address.
pub(crate) fn guest(bridge: &str, port: &str, mac: &str) -> Netns {
    let guest = Netns::new();
    let netns = file_of(&guest);
    run("ip", &["link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", &netns]);
    guest.run(|| run("ip", &["link", "set", "eth0", "address", mac, "up"]));
    run("ip", &["link", "set", port, "master", bridge, "up"]);
    wait_for(SOON, "the port to forward", || {
        let state = fs::read_to_string(format!("/sys/class/net/{port}/brport/state")).unwrap();
        (state.trim() == "3").then_some(())
    });
    guest
}

fn file_of(netns: &Netns) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), netns.file().as_raw_fd())
}

/// Asks for an address by DHCP and takes it, with a name for the server.
pub(crate) fn lease(guest: &Netns, name: &str) -> String {
    let script = "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip address replace \"$ip/$mask\" dev \"$interface\"\n\
                  [ -z \"$router\" ] || ip route replace default via \"$router\"\necho lease \"$ip\"\n";
    fs::write("/tmp/lease", script).unwrap();
    fs::set_permissions("/tmp/lease", fs::Permissions::from_mode(0o755)).unwrap();
    let hostname = format!("hostname:{name}");
    let words = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "20", "-T", "1", "-s", "/tmp/lease", "-x", &hostname];
    let output = guest.run(|| run("busybox", &words));
    output.lines().find_map(|line| line.strip_prefix("lease ")).expect("a lease").to_owned()
}

/// A connection of a guest to the outside.
pub(crate) fn connect(guest: &Netns) -> TcpStream {
    guest.run(|| TcpStream::connect("192.0.2.1:7").unwrap())
}

/// Pings every 10 milliseconds.
pub(crate) struct Pings(Child, String);

impl Pings {
    pub(crate) fn start(guest: &Netns, to: &str) -> Self {
        let ping = || {
            let mut ping = Command::new("ping");
            ping.args(["-i", "0.01", "-n", to]).env("LC_ALL", "C").stdout(Stdio::piped()).spawn().unwrap()
        };
        Self(guest.run(ping), to.to_owned())
    }

    /// Ends it after some more, and checks that every ping up to the last answer has an answer.
    pub(crate) fn finish(self) {
        std::thread::sleep(Duration::from_secs(1));
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGINT).unwrap();
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let answered: Vec<usize> = text
            .lines()
            .filter(|line| line.contains("bytes from"))
            .filter_map(|line| line.split("icmp_seq=").nth(1)?.split(' ').next()?.parse().ok())
            .collect();
        let missing: Vec<usize> =
            (1..=answered.last().copied().unwrap_or(0)).filter(|number| !answered.contains(number)).collect();
        assert!(missing.is_empty(), "pings to {} without an answer: {missing:?}\n{text}", self.1);
        assert!(answered.len() > 30, "pings to {}: {text}", self.1);
    }
}
