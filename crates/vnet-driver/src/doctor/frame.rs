//! Frames of a guest, as bytes: ARP, IPv4 with UDP or ICMP, and neighbour discovery. And what is
//! read of those that come back. Nothing that arrives is trusted.

use std::net::{Ipv4Addr, Ipv6Addr};

use vnet_types::MacAddr;

pub(crate) const EVERYBODY: MacAddr = MacAddr([0xff; 6]);
const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// One end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) mac: MacAddr,
    pub(crate) ip: Ipv4Addr,
}

/// What a frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'f> {
    /// Somebody asks who has an address.
    Asked {
        by: End,
        ip: Ipv4Addr,
    },
    /// Somebody has an address.
    Here(End),
    Udp {
        from: End,
        to: Ipv4Addr,
        ports: (u16, u16),
        payload: &'f [u8],
    },
    /// An echo comes back.
    Echo {
        from: Ipv4Addr,
        id: u16,
    },
    /// A router for IPv6 says that it is there, and for how many seconds.
    Router(u16),
    /// Somebody has an address of IPv6.
    Neighbour(Ipv6Addr),
    /// A router says that a packet does not arrive: its type and code.
    Refused {
        from: Ipv4Addr,
        kind: u8,
        code: u8,
    },
}

pub(crate) fn ethernet(to: MacAddr, from: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &kind.to_be_bytes(), payload].concat()
}

/// Asks who has an address. An asker without an address says nothing about itself (RFC 5227).
pub(crate) fn ask(by: End, ip: Ipv4Addr) -> Vec<u8> {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &by.mac.0, &by.ip.octets(), &[0; 6], &ip.octets()].concat();
    ethernet(EVERYBODY, by.mac, ARP, &body)
}

/// Says who has an address.
pub(crate) fn tell(me: End, to: End) -> Vec<u8> {
    let body = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &me.mac.0, &me.ip.octets(), &to.mac.0, &to.ip.octets()].concat();
    ethernet(to.mac, me.mac, ARP, &body)
}

pub(crate) fn udp(from: End, to: End, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    // Without a checksum, which IPv4 allows.
    let head = [ports.0.to_be_bytes(), ports.1.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    ipv4(from, to, UDP, &[&head[..], payload].concat())
}

pub(crate) fn echo(from: End, to: End, id: u16) -> Vec<u8> {
    let mut message = [&[8, 0, 0, 0][..], &id.to_be_bytes(), &[0, 1], b"vnet doctor"].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4(from, to, ICMP, &message)
}

/// The first packet of a TCP connection.
pub(crate) fn syn(from: End, to: End, ports: (u16, u16)) -> Vec<u8> {
    let mut head = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
    // The sequence number, the length of the header, SYN and a window.
    head.extend([0x76, 0x6e, 0x65, 0x74, 0, 0, 0, 0, 0x50, 0x02, 0x72, 0x10, 0, 0, 0, 0]);
    let pseudo = [&from.ip.octets()[..], &to.ip.octets(), &[0, TCP, 0, 20], &head].concat();
    head[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    ipv4(from, to, TCP, &head)
}

fn ipv4(from: End, to: End, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let start = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    let mut header = [&start[..], &from.ip.octets(), &to.ip.octets()].concat();
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    ethernet(to.mac, from.mac, IPV4, &[&header[..], payload].concat())
}

/// Asks for routers, without an address (RFC 4861).
pub(crate) fn solicit_routers(from: MacAddr) -> Vec<u8> {
    let everybody = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
    icmpv6(from, Ipv6Addr::UNSPECIFIED, everybody, vec![133, 0, 0, 0, 0, 0, 0, 0])
}

/// Asks who has an address of IPv6.
pub(crate) fn solicit(from: MacAddr, ip: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = ip.octets();
    let [_, d, e, f, g, h] = from.0;
    let own = [0xfe80, 0, 0, 0, u16::from(from.0[0] ^ 2) << 8 | u16::from(d), u16::from(e) << 8 | 0xff];
    let own = [&own[..], &[0xfe00 | u16::from(f), u16::from(g) << 8 | u16::from(h)]].concat();
    let own = Ipv6Addr::from(<[u16; 8]>::try_from(own).unwrap_or_default());
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from(b) << 8 | u16::from(c));
    // With its own MAC address as an option.
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &ip.octets(), &[1, 1], &from.0].concat();
    icmpv6(from, own, group, message)
}

/// A message of neighbour discovery to a group.
fn icmpv6(mac: MacAddr, from: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
    let pseudo = [&from.octets()[..], &to.octets(), &[0, 0], &length, &[0, 0, 0, ICMPV6], &message].concat();
    message[2..4].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    let header = [&[0x60, 0, 0, 0][..], &length, &[ICMPV6, 255], &from.octets(), &to.octets()].concat();
    let [.., a, b, c, d] = to.octets();
    ethernet(MacAddr([0x33, 0x33, a, b, c, d]), mac, IPV6, &[header, message].concat())
}

/// The checksum of the internet (RFC 1071).
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// Reads a frame. `None` for what is of no use here.
pub(crate) fn read(frame: &[u8]) -> Option<Heard<'_>> {
    let (header, body) = frame.split_at_checked(14)?;
    let mac = MacAddr(header[6..12].try_into().ok()?);
    match u16::from_be_bytes([header[12], header[13]]) {
        ARP => {
            let body: &[u8; 28] = body.first_chunk()?;
            let by = End { mac: MacAddr(body[8..14].try_into().ok()?), ip: address(&body[14..18])? };
            match body[..8] {
                [0, 1, 8, 0, 6, 4, 0, 1] => Some(Heard::Asked { by, ip: address(&body[24..28])? }),
                [0, 1, 8, 0, 6, 4, 0, 2] => Some(Heard::Here(by)),
                _ => None,
            }
        }
        IPV4 => {
            let length = usize::from(body.first()? & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes([*body.get(2)?, *body.get(3)?]));
            let (protocol, from, to) = (*body.get(9)?, address(body.get(12..16)?)?, address(body.get(16..20)?)?);
            let payload = body.get(length..total.min(body.len()))?;
            let half = |at: usize| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
            match (protocol, payload.first()?) {
                (UDP, _) => {
                    let (ports, payload) = ((half(0)?, half(2)?), payload.get(8..)?);
                    Some(Heard::Udp { from: End { mac, ip: from }, to, ports, payload })
                }
                (ICMP, 0) => Some(Heard::Echo { from, id: half(4)? }),
                (ICMP, kind @ (3 | 11)) => Some(Heard::Refused { from, kind: *kind, code: *payload.get(1)? }),
                _ => None,
            }
        }
        IPV6 => {
            let message = body.get(40..).filter(|_| body.get(6) == Some(&ICMPV6))?;
            match message.first()? {
                134 => Some(Heard::Router(u16::from_be_bytes([*message.get(6)?, *message.get(7)?]))),
                136 => Some(Heard::Neighbour(<[u8; 16]>::try_from(message.get(8..24)?).ok()?.into())),
                _ => None,
            }
        }
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))
}

/// A DHCP client that asks for offers, and wants the answer as a broadcast.
pub(crate) fn discover(client: MacAddr, transaction: u32) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0];
    message.extend(transaction.to_be_bytes());
    message.extend([0, 0, 0x80, 0]);
    message.extend([0; 16]);
    message.extend(client.0);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63]);
    message.extend([53, 1, 1]);
    message.extend([55, 3, 1, 3, 6]);
    message.push(255);
    message.resize(300, 0);
    message
}

/// The offer in an answer of a DHCP server: the address, and the server.
pub(crate) fn offer(message: &[u8], transaction: u32) -> Option<(Ipv4Addr, Option<Ipv4Addr>)> {
    if message.first() != Some(&2) || message.get(4..8)? != transaction.to_be_bytes() {
        return None;
    }
    let option = |wanted: u8| {
        let mut rest = message.get(240..)?;
        loop {
            match rest {
                [0, after @ ..] => rest = after,
                [255, ..] | [] => return None,
                [kind, length, after @ ..] => {
                    let (value, after) = after.split_at_checked(usize::from(*length))?;
                    if *kind == wanted {
                        return Some(value);
                    }
                    rest = after;
                }
                [_] => return None,
            }
        }
    };
    (option(53)? == [2]).then_some(())?;
    Some((address(message.get(16..20)?)?, option(54).and_then(address)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    const ME: End = End { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: Ipv4Addr::new(10, 0, 0, 9) };
    const YOU: End = End { mac: MacAddr([2, 0, 0, 0, 0, 2]), ip: Ipv4Addr::new(10, 0, 0, 1) };

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&ask(ME, YOU.ip)), Some(Heard::Asked { by: ME, ip: YOU.ip }));
        assert_eq!(read(&tell(YOU, ME)), Some(Heard::Here(YOU)));
        let sent = udp(ME, YOU, (4711, 53), b"question");
        let heard = Heard::Udp { from: ME, to: YOU.ip, ports: (4711, 53), payload: b"question" };
        assert_eq!(read(&sent), Some(heard));
        assert_eq!(checksum(&sent[14..34]), 0, "of the header");
        let mut back = echo(YOU, ME, 7);
        assert_eq!(checksum(&back[34..]), 0, "of the message");
        assert_eq!(read(&back), None, "a question is no answer");
        back[34] = 0;
        assert_eq!(read(&back), Some(Heard::Echo { from: YOU.ip, id: 7 }));
        for length in 0..sent.len() {
            let _ = read(&sent[..length]);
        }
    }

    #[test]
    fn neighbour_discovery() {
        let ip: Ipv6Addr = "2001:db8::12:3456".parse().unwrap();
        let sent = solicit(MacAddr([2, 0x76, 0x6e, 0x65, 0x74, 1]), ip);
        assert_eq!(sent[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(sent[22..38], "fe80::76:6eff:fe65:7401".parse::<Ipv6Addr>().unwrap().octets());
        let pseudo = [&sent[22..54], &[0, 0, 0, 32, 0, 0, 0, 58], &sent[54..]].concat();
        assert_eq!(checksum(&pseudo), 0, "of the message");
        assert_eq!(read(&sent), None, "a question is no answer");
        let mut back = sent.clone();
        back[54] = 136;
        assert_eq!(read(&back), Some(Heard::Neighbour(ip)));
        let mut router = solicit_routers(ME.mac);
        router[54] = 134;
        router[60..62].copy_from_slice(&1800u16.to_be_bytes());
        assert_eq!(read(&router), Some(Heard::Router(1800)));
        for length in 0..back.len() {
            let _ = read(&back[..length]);
        }
    }

    #[test]
    fn offers() {
        let mut message = discover(ME.mac, 7);
        assert_eq!(offer(&message, 7), None);
        message[0] = 2;
        assert_eq!(offer(&message, 7), None, "a discover is no offer");
        message[16..20].copy_from_slice(&[10, 0, 0, 5]);
        message.truncate(240);
        message.extend([0, 53, 1, 2, 54, 4, 10, 0, 0, 1, 255]);
        assert_eq!(offer(&message, 7), Some((Ipv4Addr::new(10, 0, 0, 5), Some(YOU.ip))));
        assert_eq!(offer(&message, 8), None, "of another transaction");
        for length in 0..message.len() {
            let _ = offer(&message[..length], 7);
        }
    }
}
