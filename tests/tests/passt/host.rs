//! The host that passt runs on: an uplink, somebody behind it, and a folder of this user's.

use std::ffi::OsStr;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vnet_netlink::Netlink;
use vnet_passt::run::{Error, Program, Running};
use vnet_passt::{Passt, PortForward, Protocol};
use vnet_tests::{Netns, run};

/// What takes longer does not come.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The host's addresses.
pub(crate) const HOST: &str = "10.77.0.2";
pub(crate) const SECOND: &str = "10.77.0.3";
pub(crate) const HOST6: &str = "2001:db8:77::2";
pub(crate) const GATEWAY: &str = "10.77.0.1";
pub(crate) const GATEWAY6: &str = "2001:db8:77::1";
/// Somebody behind the gateway's device. What comes from the gateway's own address passt takes for
/// the host's.
pub(crate) const OUTSIDE: &str = "10.77.0.9";
const OUTSIDE6: &str = "2001:db8:77::9";

/// The network around the host, which is this namespace.
pub(crate) struct Host {
    /// Behind `eth0`, where the default routes lead.
    pub(crate) outside: Netns,
}

impl Host {
    pub(crate) fn new() -> Self {
        let outside = Netns::new();
        run("ip", &["link", "add", "eth0", "type", "veth", "peer", "name", "far"]);
        let netlink = Netlink::open().unwrap();
        let far = netlink.link(&"far".parse().unwrap()).unwrap().unwrap();
        netlink.move_to_namespace(far.index, outside.file()).unwrap();
        let addresses = |device: &str, addresses: &[&str]| {
            run("ip", &["link", "set", device, "up"]);
            for address in addresses {
                let prefix = if address.contains(':') { 64 } else { 24 };
                // Nobody speaks from the gateway's own address.
                let life = if *address == GATEWAY6 { "0" } else { "forever" };
                let net = format!("{address}/{prefix}");
                run("ip", &["address", "add", &net, "dev", device, "nodad", "preferred_lft", life]);
            }
        };
        outside.run(|| addresses("far", &[OUTSIDE, OUTSIDE6, GATEWAY, GATEWAY6]));
        addresses("eth0", &[HOST, SECOND, HOST6]);
        for gateway in [GATEWAY, GATEWAY6] {
            run("ip", &["route", "add", "default", "via", gateway, "dev", "eth0"]);
        }
        Self { outside }
    }
}

/// A folder that nobody else can write to.
pub(crate) fn folder(name: impl AsRef<OsStr>) -> PathBuf {
    let folder = Path::new("/run").join(name.as_ref());
    fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// A passt with its files in a folder.
pub(crate) fn passt_in(folder: &Path) -> Passt {
    let mut passt = Passt::new(folder.join("passt.socket"));
    passt.pid_file = Some(folder.join("passt.pid"));
    passt
}

pub(crate) fn passt() -> Passt {
    passt_in(&folder("vm1"))
}

pub(crate) fn try_start(passt: &Passt) -> Result<Running, Error> {
    passt.start(&Program::find().unwrap())
}

pub(crate) fn start(passt: &Passt) -> Running {
    try_start(passt).unwrap_or_else(|error| panic!("{error}"))
}

/// Forwards of a line such as `tcp 2222:22`.
pub(crate) fn forward(line: &str) -> PortForward {
    let (protocol, ports) = line.split_once(' ').unwrap();
    PortForward::new(if protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp }, ports.parse().unwrap())
}

/// Which port of the guest answers at this one? `None`: none does.
pub(crate) fn ask(protocol: Protocol, ip: IpAddr, port: u16) -> Option<u16> {
    let to = SocketAddr::new(ip, port);
    let answer = match protocol {
        Protocol::Tcp => ask_tcp(to),
        Protocol::Udp => ask_udp(to),
    };
    answer.ok()?.parse().ok()
}

/// The first packet may be lost while somebody looks for its way.
const TIMES: usize = 3;

fn ask_tcp(to: SocketAddr) -> std::io::Result<String> {
    // passt of 2023 accepts at once, asks the guest once, and ends the connection when the guest
    // has not answered after ten seconds.
    let ask = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(b"?")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    let mut asked = ask(TcpStream::connect_timeout(&to, SOON)?);
    for _ in 1..TIMES {
        if asked.is_err() {
            asked = ask(TcpStream::connect_timeout(&to, SOON)?);
        }
    }
    asked
}

fn ask_udp(to: SocketAddr) -> std::io::Result<String> {
    /// A datagram to a port that nobody has is refused at once; one that is forwarded into the void
    /// is not answered.
    const GLANCE: Duration = Duration::from_millis(500);
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(GLANCE))?;
    let mut answer = [0; 64];
    let mut ask = || socket.send(b"?").and_then(|_| socket.recv(&mut answer));
    let is_late = |asked: &std::io::Result<usize>| asked.as_ref().is_err_and(|it| it.kind() == ErrorKind::WouldBlock);
    let asked = (0..TIMES).map(|_| ask()).find(|asked| !is_late(asked));
    let length = asked.unwrap_or_else(|| Err(ErrorKind::TimedOut.into()))?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
