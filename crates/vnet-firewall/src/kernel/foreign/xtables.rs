//! Matches and targets of iptables inside nf_tables rules (`linux/netfilter/xt_*.h`): those that
//! the rules of ufw and Docker use.

use super::packet::Packet;

/// Whether a match of this name matches; `None` if that cannot be known.
pub(super) fn matches(name: &str, info: &[u8], packet: &Packet) -> Option<bool> {
    let half = |at: usize| Some(u16::from_ne_bytes([*info.get(at)?, *info.get(at + 1)?]));
    match name {
        "comment" => Some(true),
        // A routing header: our packets have none.
        "rt" => Some(false),
        "conntrack" | "state" => {
            let state = u16::try_from(packet.state()).ok()?;
            // Flags: only the state is checked. The bits are those of `ct state`.
            let (flags, inverted, mask) = match name {
                "conntrack" => (half(146)?, half(148)?, half(150)?),
                _ => (1, 0, half(0)?),
            };
            (flags == 1).then_some((mask & state != 0) != (inverted & 1 != 0))
        }
        "addrtype" => {
            let (source, destination, flags) = (half(0)?, half(2)?, half(4)?);
            (source == 0).then_some((destination & packet.destination_type() != 0) != (flags & 2 != 0))
        }
        "udp" | "tcp" => {
            let is_plain = match name {
                "udp" => *info.get(8)? == 0,
                _ => info.get(8..12)? == [0; 4],
            };
            let any_source = (half(0)?, half(2)?) == (0, u16::MAX);
            let inside = (half(4)?..=half(6)?).contains(&packet.port);
            (is_plain && any_source && packet.state() == 8).then_some(inside)
        }
        "multiport" => {
            let is_plain = *info.first()? == 1 && info.get(32..48)? == [0; 16] && packet.state() == 8;
            let count = usize::from(*info.get(1)?);
            let mut ports = (0..count.min(15)).map(|at| half(2 + 2 * at));
            is_plain.then(|| ports.any(|port| port == Some(packet.port)))
        }
        _ => None,
    }
}

/// The effect of a target on a packet.
pub(super) enum Target {
    /// No verdict.
    Passes,
    Rejects,
    Unknown,
}

pub(super) fn target(name: &str) -> Target {
    match name {
        "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "CHECKSUM" | "TCPMSS" | "DSCP" | "CLASSIFY" | "CT" => Target::Passes,
        "REJECT" => Target::Rejects,
        _ => Target::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rstest::rstest;

    use super::*;
    use crate::{Carried, CtState, Hook};

    /// Information of a match: numbers of two bytes, by place.
    fn info(len: usize, numbers: &[(usize, u16)]) -> Vec<u8> {
        let mut info = vec![0; len];
        numbers.iter().for_each(|(at, number)| info[*at..at + 2].copy_from_slice(&number.to_ne_bytes()));
        info
    }

    #[rstest]
    #[case::new("conntrack", info(164, &[(146, 1), (150, 8)]), Some(true))]
    #[case::answers("conntrack", info(164, &[(146, 1), (150, 6)]), Some(false))]
    #[case::not_answers("conntrack", info(164, &[(146, 1), (148, 1), (150, 6)]), Some(true))]
    #[case::more_than_the_state("conntrack", info(164, &[(146, 3), (150, 8)]), None)]
    #[case::to_the_host("addrtype", info(8, &[(2, 1 << 2)]), Some(true))]
    #[case::to_all("addrtype", info(8, &[(2, 1 << 3)]), Some(false))]
    #[case::from_somewhere("addrtype", info(8, &[(0, 2), (2, 1 << 2)]), None)]
    #[case::port("udp", info(10, &[(2, u16::MAX), (4, 53), (6, 53)]), Some(true))]
    #[case::other_ports("udp", info(10, &[(2, u16::MAX), (4, 67), (6, 68)]), Some(false))]
    #[case::ports("multiport", info(48, &[(0, u16::from_ne_bytes([1, 2])), (2, 80), (4, 53)]), Some(true))]
    #[case::too_few_ports("multiport", info(48, &[(0, u16::from_ne_bytes([1, 1])), (2, 80), (4, 53)]), Some(false))]
    #[case::comment("comment", vec![], Some(true))]
    #[case::routing_header("rt", vec![0; 280], Some(false))]
    #[case::cut("conntrack", vec![1, 2, 3], None)]
    #[case::never_heard_of("banana", vec![], None)]
    fn means(#[case] name: &str, #[case] info: Vec<u8>, #[case] expected: Option<bool>) {
        let packet = Packet {
            hook: Hook::Input,
            from: None,
            to: None,
            source: Ipv4Addr::new(192, 168, 122, 2).into(),
            destination: Ipv4Addr::new(192, 168, 122, 1).into(),
            carries: Carried::Udp,
            port: 53,
            connection: CtState::New,
        };
        assert_eq!(matches(name, &info, &packet), expected);
    }
}
