//! Everything worth sending between the places of the laboratory, and what becomes of it.
//!
//! Packets are sent by hand and watched where they come in; nothing waits for anything but the last
//! packet of a round.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, recvfrom, sendto,
    setsockopt, socket, sockopt,
};
use vnet_tests::Netns;

use crate::fate::{Answer, Arrival, Fate, Port};
use crate::lab::{FOREIGN, FOREIGN6, Lab};
use crate::wire::{self, Form, Kind, Seen};

/// After this, nothing comes any more.
const QUIET_MS: u16 = 150;
/// The port that every place answers on.
const OPEN: u16 = 7;
const CLOSED: u16 = 9;

/// Somewhere to send from and to look.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    /// What it sees, from the link layer's payload on.
    incoming: OwnedFd,
    outgoing: [OwnedFd; 2],
    /// Where it is the host: its addresses. What comes in for others only passes through.
    own: Option<Vec<IpAddr>>,
    _open: (TcpListener, UdpSocket),
}

/// One thing to send.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    /// From where to where, in words.
    pub(crate) way: String,
    pub(crate) kind: Kind,
    pub(crate) sender: &'static str,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The device that it has to leave by, where the address does not tell.
    device: Option<&'static str>,
}

impl Place {
    fn new(name: &'static str, netns: Option<&Netns>, own: Option<Vec<IpAddr>>) -> Self {
        let open = || {
            let raw = |family, protocol, kind| {
                socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, protocol).expect("a raw socket")
            };
            let out = |family| raw(family, SockProtocol::Raw, SockType::Raw);
            let outgoing = [out(AddressFamily::Inet), out(AddressFamily::Inet6)];
            setsockopt(&outgoing[0], sockopt::Broadcast, &true).expect("may send to all");
            let incoming = raw(AddressFamily::Packet, SockProtocol::EthAll, SockType::Datagram);
            let any = (std::net::Ipv6Addr::UNSPECIFIED, OPEN);
            let listening = (TcpListener::bind(any).expect("a free port"), UdpSocket::bind(any).expect("a free port"));
            (incoming, outgoing, listening)
        };
        let (incoming, outgoing, listening) = match netns {
            Some(netns) => netns.run(open),
            None => open(),
        };
        Self { name, incoming, outgoing, own, _open: listening }
    }

    fn send(&self, packet: &[u8], to: IpAddr, device: Option<&str>) -> nix::Result<()> {
        let device = device.unwrap_or_default();
        let out = &self.outgoing[usize::from(to.is_ipv6())];
        setsockopt(out, sockopt::BindToDevice, &device.into()).expect("a device of the laboratory");
        let fd = out.as_raw_fd();
        match to {
            IpAddr::V4(to) => {
                sendto(fd, packet, &SockaddrIn::from(SocketAddrV4::new(to, 0)), MsgFlags::empty()).map(drop)
            }
            IpAddr::V6(to) => {
                let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, 0));
                sendto(fd, packet, &to, MsgFlags::empty()).map(drop)
            }
        }
    }

    /// The next packet that came in and carries a number.
    fn next(&self) -> Option<Seen> {
        let mut buffer = [0; 2048];
        loop {
            let (len, from) = recvfrom::<LinkAddr>(self.incoming.as_raw_fd(), &mut buffer).ok()?;
            // Packets that others shall have, and those that this place sends (packet(7)).
            let is_for_us = from.is_some_and(|from| !matches!(from.pkttype(), 3 | 4));
            let seen = wire::read(&buffer[..len]).filter(|_| is_for_us);
            let ends_here = |seen: &Seen| self.own.as_ref().is_none_or(|own| own.contains(&seen.destination));
            if let Some(seen) = seen.filter(ends_here) {
                return Some(seen);
            }
        }
    }
}

/// Everyone who sends and looks.
pub(crate) fn places(lab: &Lab) -> Vec<Place> {
    let own: Vec<IpAddr> = HOST.iter().flat_map(|(_, addresses)| addresses.map(ip)).collect();
    vec![
        Place::new("guest", Some(&lab.guest), None),
        Place::new("neighbour", Some(&lab.neighbour), None),
        Place::new("stranger", Some(&lab.stranger), None),
        Place::new("outside", Some(&lab.outside), None),
        Place::new("elsewhere", Some(&lab.elsewhere), None),
        Place::new("host", None, Some(own)),
    ]
}

/// Each place with its addresses, and the host's addresses on the way there.
const OTHERS: [(&str, [&str; 2]); 5] = [
    ("guest", ["192.168.122.10", "2001:db8:ca2:2::10"]),
    ("neighbour", ["192.168.122.11", "2001:db8:ca2:2::11"]),
    ("stranger", ["192.168.123.10", "2001:db8:ca2:3::10"]),
    ("outside", ["203.0.113.2", "2001:db8:ffff::2"]),
    ("elsewhere", ["198.51.100.2", "2001:db8:eeee::2"]),
];
const HOST: [(&str, [&str; 2]); 5] = [
    ("guest", ["192.168.122.1", "2001:db8:ca2:2::1"]),
    ("neighbour", ["192.168.122.1", "2001:db8:ca2:2::1"]),
    ("stranger", ["192.168.123.1", "2001:db8:ca2:3::1"]),
    ("outside", ["203.0.113.1", "2001:db8:ffff::1"]),
    ("elsewhere", ["198.51.100.1", "2001:db8:eeee::1"]),
];

/// Everything that anyone sends to anyone. `further` are addresses that the guest has beside those
/// that it always has.
pub(crate) fn probes(further: &[IpAddr]) -> Vec<Probe> {
    let mut probes = Vec::new();
    let mut add = |way: String, kinds: &[Kind], sender, source: IpAddr, destination: IpAddr, device| {
        probes.extend(kinds.iter().map(|&kind| Probe { way: way.clone(), kind, sender, source, destination, device }));
    };
    for (at, (sender, own)) in OTHERS.into_iter().enumerate() {
        for family in 0..2 {
            let others = OTHERS.into_iter().filter(|(receiver, _)| *receiver != sender);
            for (receiver, addresses) in others {
                let way = format!("{sender} → {receiver}");
                add(way, &Kind::ALL, sender, ip(own[family]), ip(addresses[family]), None);
            }
            let (_, host) = HOST[at];
            add(format!("{sender} → host"), &Kind::ALL, sender, ip(own[family]), ip(host[family]), None);
            add(format!("host → {sender}"), &Kind::ALL, "host", ip(host[family]), ip(own[family]), None);
        }
    }
    let some = [Kind::Tcp, Kind::Udp, Kind::Echo];
    for family in 0..2 {
        let of = |name| {
            OTHERS.into_iter().find(|(other, _)| *other == name).map(|(_, own)| ip(own[family])).expect("one of them")
        };
        let bridge = ip(HOST[0].1[family]);
        for sender in ["outside", "stranger"] {
            add(format!("{sender} → host's address on the bridge"), &some, sender, of(sender), bridge, None);
        }
        for receiver in ["outside", "elsewhere", "stranger"] {
            let way = format!("host, from its address on the bridge → {receiver}");
            add(way, &Kind::ALL, "host", bridge, of(receiver), None);
        }
        let spoofed = [
            ("an address of no network", ip([FOREIGN, FOREIGN6][family])),
            ("its neighbour's address", of("neighbour")),
            ("the other network's address", of("stranger")),
            ("an address outside", of("outside")),
        ];
        for (whose, source) in spoofed {
            let victims = ["outside", "elsewhere", "stranger", "neighbour"].map(|name| (name, of(name)));
            for (receiver, address) in victims.into_iter().chain([("host", bridge)]).filter(|(_, it)| *it != source) {
                add(format!("guest, from {whose} → {receiver}"), &some, "guest", source, address, None);
            }
        }
        add("outside, from a guest's address → guest".to_owned(), &some, "outside", of("neighbour"), of("guest"), None);
        add(
            "stranger, from a guest's address → guest".to_owned(),
            &some,
            "stranger",
            of("neighbour"),
            of("guest"),
            None,
        );
    }
    let multicast = [
        ("local multicast", "224.0.0.251"),
        ("local multicast", "ff02::fb"),
        ("multicast", "239.1.2.3"),
        ("multicast", "ff05::2"),
    ];
    let broadcast = [("broadcast", "255.255.255.255"), ("the subnet's broadcast", "192.168.122.255")];
    for (what, address) in multicast.into_iter().chain(broadcast) {
        let to = ip(address);
        let family = usize::from(to.is_ipv6());
        let host = |at: usize| ip(HOST[at].1[family]);
        add(format!("guest → {what}"), &[Kind::Udp], "guest", ip(OTHERS[0].1[family]), to, Some("eth0"));
        add(format!("host → {what} on the bridge"), &[Kind::Udp], "host", host(0), to, Some("virbr0"));
        add(
            format!("host, from its address on the bridge → {what} on eth1"),
            &[Kind::Udp],
            "host",
            host(0),
            to,
            Some("eth1"),
        );
        add(format!("outside → {what}"), &[Kind::Udp], "outside", ip(OTHERS[3].1[family]), to, Some("eth0"));
    }
    for &address in further {
        let far = ip(OTHERS[3].1[usize::from(address.is_ipv6())]);
        add("guest, from a further address → outside".to_owned(), &Kind::ALL, "guest", address, far, None);
        add("outside → guest's further address".to_owned(), &Kind::ALL, "outside", far, address, None);
    }
    probes
}

/// Sends all of it and says what became of each. `sent` counts what has been sent before: no port
/// is used twice.
pub(crate) fn round(places: &[Place], probes: &[Probe], sent: &mut usize) -> Vec<Fate> {
    let place = |name| places.iter().find(|place| place.name == name).expect("one of them");
    let mut round = BTreeMap::new();
    let mut fates: Vec<Fate> =
        probes.iter().map(|probe| Fate { sent_from: Some(probe.source), ..Fate::default() }).collect();
    for (at, probe) in probes.iter().enumerate() {
        *sent += 1;
        let number = u16::try_from(*sent % 0x7fff).expect("below");
        let port = match probe.kind {
            Kind::UdpLowPort => 100 + number % 400,
            _ => 2000 + number % 28_000,
        };
        let to_port = match probe.kind {
            Kind::TcpClosed | Kind::UdpClosed => CLOSED,
            _ => OPEN,
        };
        round.insert(number, (at, port));
        for packet in wire::probe(probe.kind, number, probe.source, probe.destination, (port, to_port)) {
            // The kernel refuses what its own rules reject on the way out, and what it has no
            // neighbour for.
            let _ = place(probe.sender).send(&packet, probe.destination, probe.device);
        }
        listen(places, probes, &round, &mut fates);
    }
    loop {
        let mut watched: Vec<_> =
            places.iter().map(|place| PollFd::new(place.incoming.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut watched, PollTimeout::from(QUIET_MS)) {
            Ok(0) => return fates,
            _ => listen(places, probes, &round, &mut fates),
        }
    }
}

fn listen(places: &[Place], probes: &[Probe], round: &BTreeMap<u16, (usize, u16)>, fates: &mut [Fate]) {
    for place in places {
        while let Some(seen) = place.next() {
            // What an earlier round sent again has no place in this one.
            let Some(&(at, port)) = round.get(&seen.number) else { continue };
            let (probe, fate) = (&probes[at], &mut fates[at]);
            if seen.is_answer {
                // Answers to others come through the host under its own address.
                if place.own.is_none() || probe.sender == place.name {
                    fate.answers.insert(Answer { place: place.name, from: seen.source, form: seen.form });
                }
                continue;
            }
            // The sender's kernel knows nothing of what the answer is about.
            if matches!(seen.form, Form::Error { .. }) && probe.kind != Kind::StrayError {
                continue;
            }
            // The kernel puts fragments together where it tracks connections, and may leave them
            // so.
            if seen.is_whole {
                let form = Form::LaterFragment;
                fate.arrived.insert(Arrival { place: place.name, source: seen.source, port: Port::None, form });
            }
            let arrival =
                Arrival { place: place.name, source: seen.source, port: Port::of(&seen, port), form: seen.form };
            let is_asked =
                fate.arrived.insert(arrival) && seen.form == Form::Udp && seen.ports.is_some_and(|it| it.1 == OPEN);
            if is_asked && seen.destination == probe.destination && !crate::lab::is_for_many(probe.destination) {
                // The kernel may have no way to answer a spoofed source.
                let _ = place.send(&wire::reply(&seen), seen.source, None);
            }
        }
    }
}

impl Probe {
    pub(crate) fn is_ipv6(&self) -> bool {
        self.destination.is_ipv6()
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
