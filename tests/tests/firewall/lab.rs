//! A host with two bridges and guests on them, and two devices with someone outside behind each.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use vnet_tests::{Netns, run};
use vnet_types::IpNet;

use crate::{NET, NET6, OTHER_NET, OTHER_NET6, bridge};

pub(crate) const HOST: &str = "203.0.113.1";
pub(crate) const OUTSIDE: &str = "203.0.113.2";
pub(crate) const OUTSIDE6: &str = "2001:db8:ffff::2";
pub(crate) const GUEST: &str = "192.168.122.10";
pub(crate) const GUEST6: &str = "2001:db8:ca2:2::10";
/// On the same bridge.
pub(crate) const NEIGHBOUR: &str = "192.168.122.11";
/// An address of the first guest that is in no network.
pub(crate) const FOREIGN: &str = "10.9.9.9";
/// The same in IPv6.
pub(crate) const FOREIGN6: &str = "2001:db8:9::9";
/// The device that leads to the outside.
pub(crate) const UPLINK: &str = "eth0";

/// Who is there.
pub(crate) struct Lab {
    /// On `virbr0`.
    pub(crate) guest: Netns,
    /// On `virbr0`.
    pub(crate) neighbour: Netns,
    /// On `virbr1`.
    pub(crate) stranger: Netns,
    /// Behind `eth0`.
    pub(crate) outside: Netns,
    /// Behind `eth1`.
    pub(crate) elsewhere: Netns,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrived from this address, and the answer came back; the port is another than the
    /// sender's.
    Answered { peer: SocketAddr, moved: bool },
    /// Someone said that the port cannot be reached.
    Rejected,
    /// It arrived, and no answer came back.
    Arrived { peer: SocketAddr },
    /// It did not arrive, as far as anyone says.
    Lost,
}

impl Lab {
    pub(crate) fn new() -> Self {
        be_plain();
        set(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]);
        for (name, net) in [("virbr0", [NET, NET6]), ("virbr1", [OTHER_NET, OTHER_NET6])] {
            bridge(name);
            for net in net {
                run("ip", &["address", "add", &member(net, "1"), "dev", name, "nodad"]);
            }
        }
        let guest = |name: &str, bridge: &str, nets: [&str; 2], last: &str| {
            let netns = Netns::new();
            plug(name, &netns);
            run("ip", &["link", "set", name, "master", bridge, "up"]);
            netns.run(|| {
                be_plain();
                run("ip", &["link", "set", "eth0", "up"]);
                for net in nets {
                    run("ip", &["address", "add", &member(net, last), "dev", "eth0", "nodad"]);
                    let gateway = member(net, "1");
                    run("ip", &["route", "add", "default", "via", gateway.split('/').next().expect("an address")]);
                }
            });
            netns
        };
        let lab = Self {
            guest: guest("vnet0", "virbr0", [NET, NET6], "10"),
            neighbour: guest("vnet1", "virbr0", [NET, NET6], "11"),
            stranger: guest("vnet2", "virbr1", [OTHER_NET, OTHER_NET6], "10"),
            outside: Netns::new(),
            elsewhere: Netns::new(),
        };
        for (address, guest) in [(FOREIGN, GUEST), (FOREIGN6, GUEST6)] {
            // Nobody sends from it who does not ask to.
            let add = ["address", "add", address, "dev", "eth0", "nodad", "valid_lft", "forever", "preferred_lft", "0"];
            lab.guest.run(|| run("ip", &add));
            run("ip", &["route", "add", address, "via", guest]);
        }
        lab.outside.run(be_plain);
        lab.elsewhere.run(be_plain);
        lab.plug_uplink(UPLINK);
        uplink("eth1", &lab.elsewhere, ["198.51.100.0/24", "2001:db8:eeee::/64"]);
        lab
    }

    /// Connects the outside to a device of this name, when there is none.
    pub(crate) fn plug_uplink(&self, name: &str) {
        uplink(name, &self.outside, ["203.0.113.0/24", "2001:db8:ffff::/64"]);
    }

    /// Gives the guest an address in a further subnet of its bridge, of which the host has an
    /// address: the guest's.
    pub(crate) fn extend(&self, host: IpNet) -> Option<IpAddr> {
        if [NET, NET6].iter().any(|net| net.parse::<IpNet>().expect("a subnet").contains(&host.addr())) {
            return None;
        }
        let address = match host.network() {
            IpAddr::V4(net) => IpAddr::V4(Ipv4Addr::from_bits(net.to_bits() + 10)),
            IpAddr::V6(net) => IpAddr::V6(Ipv6Addr::from_bits(net.to_bits() + 10)),
        };
        run("ip", &["address", "replace", &host.to_string(), "dev", "virbr0", "nodad"]);
        let own = format!("{address}/{}", host.prefix_len());
        self.guest.run(|| run("ip", &["address", "replace", &own, "dev", "eth0", "nodad"]));
        Some(address)
    }

    /// Sends a datagram and waits for the answer. What is lost on the way, on a busy machine or
    /// before a device has its carrier, is sent again.
    pub(crate) fn ask(&self, from: &Netns, to: &Netns, address: &str) -> Fate {
        let mut fates = (0..5).map(|_| self.ask_once(from, to, address));
        fates.by_ref().find(|fate| matches!(fate, Fate::Answered { .. } | Fate::Rejected)).unwrap_or(Fate::Lost)
    }

    fn ask_once(&self, from: &Netns, to: &Netns, address: &str) -> Fate {
        let address: IpAddr = address.parse().expect("an address");
        let any = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
        let server = to.run(|| UdpSocket::bind((any, 0)).expect("a socket"));
        let port = server.local_addr().expect("bound").port();
        server.set_read_timeout(Some(GLANCE)).expect("a deadline");
        let answer = || {
            let (_, peer) = server.recv_from(&mut [0; 16])?;
            server.send_to(b"pong", peer).map(|_| peer)
        };
        meet(answer, || from.run(|| datagram(any, SocketAddr::new(address, port))))
    }
}

/// Whether the address is that of many receivers.
pub(crate) fn is_for_many(address: IpAddr) -> bool {
    address.is_multicast() || matches!(address, IpAddr::V4(it) if it.is_broadcast() || it.octets()[3] == 255)
}

/// Makes a namespace answer everything and take any source.
fn be_plain() {
    let switches = [
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        // A router whose own address is not ready yet finds no neighbour.
        ("ipv6/conf/default/accept_dad", "0"),
        // Every packet gets its answer.
        ("ipv4/icmp_ratemask", "0"),
        ("ipv6/icmp/ratelimit", "0"),
        ("ipv6/icmp/ratemask", "0"),
        ("ipv4/tcp_invalid_ratelimit", "0"),
    ];
    set(&switches);
}

fn set(switches: &[(&str, &str)]) {
    for (switch, value) in switches {
        let written = std::fs::write(format!("/proc/sys/net/{switch}"), value);
        written.unwrap_or_else(|error| panic!("{switch}: {error}"));
    }
}

/// Answers until the asker is content; the asker says from which port it asked.
fn meet(answer: impl Fn() -> io::Result<SocketAddr> + Sync, ask: impl FnOnce() -> io::Result<u16>) -> Fate {
    // Nobody at the port, or one of the two words for forbidden.
    let refusals = [ErrorKind::ConnectionRefused, ErrorKind::HostUnreachable, ErrorKind::PermissionDenied];
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let mut seen = None;
            while seen.is_none() && !over.load(Ordering::Acquire) {
                seen = answer().ok();
            }
            // What came in last may still wait here.
            seen.or_else(|| answer().ok())
        });
        let asked = ask();
        over.store(true, Ordering::Release);
        match (asked, answering.join().expect("the server lives")) {
            (Ok(port), Some(peer)) => Fate::Answered { peer, moved: peer.port() != port },
            (Err(error), _) if refusals.contains(&error.kind()) => Fate::Rejected,
            (Err(error), seen) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                seen.map_or(Fate::Lost, |peer| Fate::Arrived { peer })
            }
            other => panic!("{other:?}"),
        }
    })
}

/// After this, nothing comes any more.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long to look for what is to be answered before looking whether anyone still waits.
const GLANCE: Duration = Duration::from_millis(20);

fn datagram(source: IpAddr, to: SocketAddr) -> io::Result<u16> {
    let socket = UdpSocket::bind((source, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(to)?;
    socket.send(b"ping")?;
    while let Err(error) = socket.recv(&mut [0; 16]) {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(socket.local_addr()?.port())
}

/// A cable from this host's device to a namespace's `eth0`, and the way back to the networks.
fn uplink(name: &str, netns: &Netns, nets: [&str; 2]) {
    plug(name, netns);
    run("ip", &["link", "set", name, "up"]);
    for net in nets {
        run("ip", &["address", "add", &member(net, "1"), "dev", name, "nodad"]);
    }
    netns.run(|| {
        run("ip", &["link", "set", "eth0", "up"]);
        for net in nets {
            run("ip", &["address", "add", &member(net, "2"), "dev", "eth0", "nodad"]);
            let gateway = member(net, "1");
            run("ip", &["route", "add", "default", "via", gateway.split('/').next().expect("an address")]);
        }
    });
}

/// A cable from this host's device to a namespace's `eth0`.
fn plug(name: &str, netns: &Netns) {
    let netns = format!("/proc/{}/fd/{}", std::process::id(), netns.file().as_raw_fd());
    run("ip", &["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", &netns]);
}

/// An address of a subnet that is written with a last zero or `::`.
fn member(net: &str, last: &str) -> String {
    let (address, prefix) = net.split_once('/').expect("a subnet");
    let front = if address.contains(':') { address } else { address.strip_suffix('0').expect("a last zero") };
    format!("{front}{last}/{prefix}")
}
