//! Packets made by hand, each with a number inside, and recognised by it wherever they or an answer
//! to them appear (RFC 791, 8200, 768, 9293, 792, 4443).
//!
//! The number is even. An answer carries the next one where it does not quote what it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// What every number begins with.
const MAGIC: u32 = 0x766e_0000;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The first segment of a connection, to a port that is open.
    Tcp,
    /// To a port that is closed.
    TcpClosed,
    /// A segment in the middle of a connection that nobody has seen begin.
    TcpMidstream,
    Udp,
    /// The receiver answers with an ICMP error, which is related to what was sent.
    UdpClosed,
    /// From a port below all that are translated to.
    UdpLowPort,
    UdpFragments,
    Echo,
    /// An ICMP error about something that was never sent.
    StrayError,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Tcp,
        Self::TcpClosed,
        Self::TcpMidstream,
        Self::Udp,
        Self::UdpClosed,
        Self::UdpLowPort,
        Self::UdpFragments,
        Self::Echo,
        Self::StrayError,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::TcpClosed => "TCP to a closed port",
            Self::TcpMidstream => "TCP without a beginning",
            Self::Udp => "UDP",
            Self::UdpClosed => "UDP to a closed port",
            Self::UdpLowPort => "UDP from a low port",
            Self::UdpFragments => "UDP in fragments",
            Self::Echo => "ping",
            Self::StrayError => "stray ICMP error",
        }
    }
}

/// What a packet looks like where it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Tcp,
    Reset,
    Udp,
    Echo,
    EchoReply,
    Error { kind: u8, code: u8 },
    LaterFragment,
}

/// A packet that carries a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Which probe it belongs to.
    pub(crate) number: u16,
    pub(crate) is_answer: bool,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Source and destination, of TCP and UDP.
    pub(crate) ports: Option<(u16, u16)>,
    pub(crate) form: Form,
    /// Whether it has all the data of [`Kind::UdpFragments`].
    pub(crate) is_whole: bool,
}

/// How much of what is fragmented is in the first fragment, and how much there is.
const FRAGMENTED: (usize, usize) = (1240, 1288);

/// The packets of a probe; more than one where it is fragmented.
pub(crate) fn probe(kind: Kind, number: u16, source: IpAddr, to: IpAddr, ports: (u16, u16)) -> Vec<Vec<u8>> {
    let token = MAGIC | u32::from(number) << 1;
    let data = token.to_be_bytes();
    let one = |protocol, payload: &[u8]| vec![packet(source, to, protocol, None, payload)];
    match kind {
        Kind::Tcp | Kind::TcpClosed => one(TCP, &tcp(source, to, ports, (token, 0), 0x02)),
        Kind::TcpMidstream => one(TCP, &tcp(source, to, ports, (token, token + 1), 0x10)),
        Kind::Udp | Kind::UdpClosed | Kind::UdpLowPort => one(UDP, &udp(source, to, ports, &data)),
        Kind::UdpFragments => {
            let whole = udp(source, to, ports, &data.repeat((FRAGMENTED.1 - 8) / 4));
            let (first, later) = whole.split_at(FRAGMENTED.0);
            let fragment = |offset, more, part: &[u8]| packet(source, to, UDP, Some((number, offset, more)), part);
            vec![fragment(0, true, first), fragment(u16::try_from(FRAGMENTED.0 / 8).expect("small"), false, later)]
        }
        Kind::Echo => one(icmp_of(to), &icmp(source, to, if to.is_ipv4() { (8, 0) } else { (128, 0) }, ports.0, &data)),
        Kind::StrayError => {
            let about = packet(to, source, UDP, None, &udp(to, source, (ports.0, 9), &(token + 1).to_be_bytes()));
            one(icmp_of(to), &icmp(source, to, if to.is_ipv4() { (3, 3) } else { (1, 4) }, 0, &about))
        }
    }
}

/// The answer of a program to a datagram.
pub(crate) fn reply(to: &Seen) -> Vec<u8> {
    let (from, back) = to.ports.expect("a datagram has ports");
    let data = (MAGIC | u32::from(to.number) << 1 | 1).to_be_bytes();
    let datagram = udp(to.destination, to.source, (back, from), &data);
    packet(to.destination, to.source, UDP, None, &datagram)
}

/// Recognises a packet, from its IP header on.
pub(crate) fn read(packet: &[u8]) -> Option<Seen> {
    let (source, destination, protocol, offset, payload) = match packet.first()? >> 4 {
        4 => {
            let address =
                |at: usize| Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?)));
            let offset = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x1fff;
            (address(12)?, address(16)?, *packet.get(9)?, offset, packet.get(20..)?)
        }
        6 => {
            let address =
                |at: usize| Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?)));
            let (next, rest) = (*packet.get(6)?, packet.get(40..)?);
            let (source, destination) = (address(8)?, address(24)?);
            match next {
                44 => (
                    source,
                    destination,
                    *rest.first()?,
                    u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]) >> 3,
                    rest.get(8..)?,
                ),
                _ => (source, destination, next, 0, rest),
            }
        }
        _ => return None,
    };
    let token = |from: usize| payload.get(from..)?.windows(4).find_map(number);
    let (form, (number, is_odd)) = match (offset, protocol) {
        (1.., _) => (Form::LaterFragment, token(0)?),
        (0, TCP) => {
            let field = |at: usize| number(payload.get(at..at + 4)?);
            let form = if payload.get(13)? & 0x04 != 0 { Form::Reset } else { Form::Tcp };
            (form, field(4).or_else(|| field(8))?)
        }
        (0, UDP) => (Form::Udp, token(8)?),
        (0, 1 | 58) => {
            let form = match (protocol, *payload.first()?, *payload.get(1)?) {
                (1, 8, _) | (58, 128, _) => Form::Echo,
                (1, 0, _) | (58, 129, _) => Form::EchoReply,
                // A router's hint that there is a shorter way.
                (1, 5, _) | (58, 137, _) => return None,
                (_, kind, code) => Form::Error { kind, code },
            };
            (form, token(8)?)
        }
        _ => return None,
    };
    let is_answer = match form {
        Form::EchoReply => true,
        Form::Error { .. } => !is_odd,
        _ => is_odd,
    };
    let port = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
    let ports = (offset == 0 && matches!(protocol, TCP | UDP)).then(|| (port(0), port(2)));
    let is_whole = offset == 0 && payload.len() == FRAGMENTED.1;
    Some(Seen { number, is_answer, source, destination, ports, form, is_whole })
}

/// The number in four bytes, and whether it is an answer's.
fn number(bytes: &[u8]) -> Option<(u16, bool)> {
    let value = u32::from_be_bytes(bytes.try_into().ok()?);
    let low = value.checked_sub(MAGIC).filter(|low| *low <= 0xffff)?;
    Some((u16::try_from(low >> 1).ok()?, low & 1 == 1))
}

fn icmp_of(to: IpAddr) -> u8 {
    if to.is_ipv4() { 1 } else { 58 }
}

/// A packet; the kernel adds the checksum of an IPv4 header. A fragment has a number, an offset in
/// eights of bytes, and whether more follow.
fn packet(source: IpAddr, to: IpAddr, protocol: u8, fragment: Option<(u16, u16, bool)>, payload: &[u8]) -> Vec<u8> {
    let be = |number: usize| u16::try_from(number).expect("a short packet").to_be_bytes();
    let mut bytes = Vec::new();
    match (source, to) {
        (IpAddr::V4(source), IpAddr::V4(to)) => {
            let (number, offset, more) = fragment.unwrap_or_default();
            bytes.extend([0x45, 0]);
            bytes.extend(be(20 + payload.len()));
            bytes.extend((number + 1).to_be_bytes());
            bytes.extend((offset | if more { 0x2000 } else { 0 }).to_be_bytes());
            bytes.extend([64, protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(to.octets());
            // Where the packet is not for the kernel but quoted, nobody adds it.
            let sum = checksum(&bytes).to_be_bytes();
            bytes[10..12].copy_from_slice(&sum);
        }
        (IpAddr::V6(source), IpAddr::V6(to)) => {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend(be(payload.len() + if fragment.is_some() { 8 } else { 0 }));
            bytes.extend([if fragment.is_some() { 44 } else { protocol }, 64]);
            bytes.extend(source.octets());
            bytes.extend(to.octets());
            if let Some((number, offset, more)) = fragment {
                bytes.extend([protocol, 0]);
                bytes.extend((offset << 3 | u16::from(more)).to_be_bytes());
                bytes.extend((u32::from(number) + 1).to_be_bytes());
            }
        }
        _ => unreachable!("both addresses are of one family"),
    }
    bytes.extend(payload);
    bytes
}

fn tcp(source: IpAddr, to: IpAddr, ports: (u16, u16), (sequence, acknowledged): (u32, u32), flags: u8) -> Vec<u8> {
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(acknowledged.to_be_bytes());
    bytes.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    sealed(source, to, TCP, 16, bytes)
}

fn udp(source: IpAddr, to: IpAddr, ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).expect("a short datagram");
    let mut bytes = [ports.0.to_be_bytes(), ports.1.to_be_bytes(), len.to_be_bytes(), [0; 2]].concat();
    bytes.extend(data);
    sealed(source, to, UDP, 6, bytes)
}

fn icmp(source: IpAddr, to: IpAddr, (kind, code): (u8, u8), id: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend([0; 2]);
    bytes.extend(data);
    sealed(source, to, icmp_of(to), 2, bytes)
}

/// Adds the checksum, over a pseudo header too where there is one.
fn sealed(source: IpAddr, to: IpAddr, protocol: u8, at: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    let mut covered = match (source, to) {
        _ if protocol == 1 => Vec::new(),
        (IpAddr::V4(source), IpAddr::V4(to)) => [source.octets(), to.octets()].concat(),
        (IpAddr::V6(source), IpAddr::V6(to)) => [source.octets(), to.octets()].concat(),
        _ => unreachable!("both addresses are of one family"),
    };
    if protocol != 1 {
        covered.extend([0, protocol]);
        covered.extend(u16::try_from(bytes.len()).expect("a short packet").to_be_bytes());
    }
    covered.extend(&bytes);
    let sum = checksum(&covered).to_be_bytes();
    bytes[at..at + 2].copy_from_slice(&sum);
    bytes
}

fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
