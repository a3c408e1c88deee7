//! Matches and targets of iptables inside nf_tables rules (`linux/netfilter/xt_*.h`): those whose meaning is needed to judge
//! what ufw and Docker make.

use super::packet::Packet;

/// Does a match of this name match? `None` where nobody can tell.
pub(super) fn matches(name: &str, info: &[u8], packet: &Packet) -> Option<bool> {
    let half = |at: usize| Some(u16::from_ne_bytes([*info.get(at)?, *info.get(at + 1)?]));
    match name {
        "comment" => Some(true),
        "conntrack" | "state" => {
            let state = u16::try_from(packet.state()).ok()?;
            // Flags: only the state is looked at. The bits are those of `ct state`.
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
        _ => None,
    }
}

/// What a target does to a packet.
pub(super) enum Target {
    /// Nothing that decides.
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
