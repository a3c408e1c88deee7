//! The packet that is sent in a guest's name, of either family.

use std::net::{IpAddr, Ipv6Addr};

use vnet_types::MacAddr;

use crate::doctor::frame::{self, End, checksum, ethernet};

/// Its source port.
const PORT: u16 = 40_777;
const IPV6: u16 = 0x86dd;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const PAYLOAD: &[u8] = b"vnet trace";

/// Its ends, and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) macs: [MacAddr; 2],
    pub(super) protocol: Option<u8>,
    pub(super) port: Option<u16>,
}

/// The number of a protocol in the family of an address: ICMP has two.
pub(super) fn in_family(protocol: Option<u8>, to: Option<IpAddr>) -> Option<u8> {
    match (protocol, to) {
        (Some(ICMP), Some(IpAddr::V6(_))) => Some(ICMPV6),
        (protocol, _) => protocol,
    }
}

impl Sent {
    /// The frame with it. The error says what cannot be sent.
    pub(super) fn frame(&self, from: IpAddr, to: IpAddr) -> Result<Vec<u8>, &'static str> {
        // Without a protocol, a port is one of TCP.
        let protocol = in_family(self.protocol, Some(to)).unwrap_or(match (self.port, to) {
            (Some(_), _) => TCP,
            (None, IpAddr::V4(_)) => ICMP,
            (None, IpAddr::V6(_)) => ICMPV6,
        });
        let port = self.port.unwrap_or(if protocol == UDP { 53 } else { 443 });
        let [mine, theirs] = self.macs;
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let (from, to) = (End { mac: mine, ip: from }, End { mac: theirs, ip: to });
                match protocol {
                    ICMP => Ok(frame::echo(from, to, 1)),
                    TCP => Ok(frame::syn(from, to, (PORT, port))),
                    UDP => Ok(frame::udp(from, to, (PORT, port), PAYLOAD)),
                    _ => Err("only ICMP, TCP and UDP can be sent"),
                }
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let packet = ipv6(from, to, protocol, port)?;
                Ok(ethernet(theirs, mine, IPV6, &packet))
            }
            _ => Err("the guest has no known address of that family"),
        }
    }
}

/// A packet with an echo, the first segment of a connection, or a datagram (RFC 8200, 4443).
fn ipv6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, port: u16) -> Result<Vec<u8>, &'static str> {
    let ports = [PORT.to_be_bytes(), port.to_be_bytes()].concat();
    let (mut message, sum_at) = match protocol {
        ICMPV6 => ([&[128, 0, 0, 0, 0, 1, 0, 1], PAYLOAD].concat(), 2),
        // The sequence number, the length of the header, SYN and a window.
        TCP => ([&ports[..], &[0x76, 0x6e, 0x65, 0x74, 0, 0, 0, 0, 0x50, 2, 0x72, 0x10, 0, 0, 0, 0]].concat(), 16),
        UDP => ([&ports[..], &[0, 18, 0, 0], PAYLOAD].concat(), 6),
        _ => return Err("only ICMP, TCP and UDP can be sent"),
    };
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
    let ends = [from.octets(), to.octets()].concat();
    let pseudo = [&ends[..], &[0, 0], &length, &[0, 0, 0, protocol], &message].concat();
    // A sum of 0 would say that there is none.
    let sum = match checksum(&pseudo) {
        0 => u16::MAX,
        sum => sum,
    };
    message[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    let head = [0x60, 0, 0, 0, length[0], length[1], protocol, 64];
    Ok([&head[..], &ends, &message].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn the_sum_over_what_is_sent_is_right() {
        let [from, to]: [Ipv6Addr; 2] = ["2001:db8::7", "2001:db8:1::2"].map(|text| text.parse().unwrap());
        for protocol in [ICMPV6, TCP, UDP] {
            let packet = ipv6(from, to, protocol, 443).unwrap();
            assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
            let pseudo = [&packet[8..40], &[0, 0], &packet[4..6], &[0, 0, 0, protocol], &packet[40..]].concat();
            assert_eq!(checksum(&pseudo), 0, "protocol {protocol}");
        }
        assert!(ipv6(from, to, 47, 0).is_err());
    }
}
