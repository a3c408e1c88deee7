//! Packets that a network promises to carry, as rules see them.

use std::net::IpAddr;

use vnet_types::InterfaceName;

/// The hook that a packet passes (`NF_INET_LOCAL_IN`, `NF_INET_FORWARD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// On its way to the host itself.
    Input,
    /// On its way through the host.
    Forward,
}

/// The connection tracking state of a packet (`ct state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtState {
    /// It begins a connection.
    New,
    /// It belongs to a connection, and goes to where the connection has begun: an answer.
    Established,
    /// It belongs to a connection, and goes the way that this has begun.
    Ongoing,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// A segment of TCP.
    Tcp,
    /// A datagram of UDP.
    Udp,
    /// An echo of ICMP or ICMPv6: the request, or its reply in an answer.
    Echo,
}

/// A packet to be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The hook that it passes.
    pub hook: Hook,
    /// The incoming device; `None` if it is not known.
    pub from: Option<InterfaceName>,
    /// The outgoing device; `None` if it is not known, or if the packet does not leave the host.
    pub to: Option<InterfaceName>,
    /// The source address.
    pub source: IpAddr,
    /// The destination address, of the same family.
    pub destination: IpAddr,
    /// What it carries.
    pub carries: Carried,
    /// The destination port; of an answer, the source port. An echo has none.
    pub port: u16,
    /// Whether it begins a connection, or belongs to one.
    pub connection: CtState,
}

impl Packet {
    /// `NFPROTO_IPV4`, `NFPROTO_IPV6`
    pub(super) fn family(&self) -> u8 {
        if self.source.is_ipv4() { 2 } else { 10 }
    }

    pub(super) fn transport(&self) -> u8 {
        match (self.carries, self.source.is_ipv4()) {
            (Carried::Tcp, _) => 6,
            (Carried::Udp, _) => 17,
            (Carried::Echo, true) => 1,
            (Carried::Echo, false) => 58,
        }
    }

    /// The type of the destination, as a bit of `linux/netfilter/xt_addrtype.h`.
    pub(super) fn destination_type(&self) -> u16 {
        match self.destination {
            IpAddr::V4(address) if address.is_broadcast() => 1 << 3,
            address if address.is_multicast() => 1 << 5,
            _ if self.hook == Hook::Input => 1 << 2,
            _ => 1 << 1,
        }
    }

    /// Bits of `ct state`.
    pub(super) fn state(&self) -> u32 {
        match self.connection {
            CtState::New => 8,
            CtState::Established | CtState::Ongoing => 2,
        }
    }

    /// `IP_CT_DIR_ORIGINAL`, `IP_CT_DIR_REPLY`
    pub(super) fn direction(&self) -> u32 {
        u32::from(self.connection == CtState::Established)
    }

    /// The network header, without the fields that a rule cannot rely on.
    pub(super) fn network_header(&self) -> Vec<Option<u8>> {
        let some = |bytes: &[u8]| bytes.iter().copied().map(Some).collect::<Vec<_>>();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![None; 9];
                header[0] = Some(0x45);
                // Not a fragment.
                header[6] = Some(0);
                header[7] = Some(0);
                header.extend([Some(self.transport()), None, None]);
                header.extend(some(&source.octets()));
                header.extend(some(&destination.octets()));
                header
            }
            (source, destination) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let mut header = vec![None; 6];
                header.extend([Some(self.transport()), None]);
                header.extend(some(&octets(source)));
                header.extend(some(&octets(destination)));
                header
            }
        }
    }

    /// The ports, or the type and code of an echo. The client's port is known for DHCP only; the
    /// rest of the transport header is not known.
    pub(super) fn transport_header(&self) -> Vec<Option<u8>> {
        if self.carries == Carried::Echo {
            let kind = match (self.source.is_ipv4(), self.connection) {
                (true, CtState::Established) => 0,
                (true, _) => 8,
                (false, CtState::Established) => 129,
                (false, _) => 128,
            };
            return vec![Some(kind), Some(0)];
        }
        let udp = self.carries == Carried::Udp;
        let source = match self.port {
            67 if udp => Some(68),
            68 if udp => Some(67),
            546 if udp => Some(547),
            547 if udp => Some(546),
            _ => None,
        };
        let both = |port: Option<u16>| match port.map(u16::to_be_bytes) {
            Some([high, low]) => [Some(high), Some(low)],
            None => [None, None],
        };
        let (from, to) = match self.connection {
            CtState::New | CtState::Ongoing => (source, Some(self.port)),
            CtState::Established => (Some(self.port), source),
        };
        [both(from), both(to)].concat()
    }
}
