//! Encodes statements of nft(8) as expressions of the kernel, in the same way as nft, so that nft
//! shows them like its own.

use std::net::IpAddr;

use vnet_types::{AddressRange, Family, InterfaceName, IpNet, PortRange};

use super::expression::{
    BITWISE, CMP, COUNTER, CT, Expression, FIB, FLOW_OFFLOAD, IMMEDIATE, LOOKUP, MASQUERADE, META, NAT, PAYLOAD,
    REJECT, Value,
};
use crate::ruleset::{Direction, Field, Interface, Statement, Subject, Transport};

/// From a name to an interface's index.
pub(super) type IndexOf<'a> = &'a dyn Fn(&InterfaceName) -> Option<u32>;
/// From an interface's index to its name.
pub(super) type NameOf<'a> = &'a dyn Fn(u32) -> Option<InterfaceName>;

const REGISTER_VERDICT: u32 = 0;
pub(super) const REGISTER: u32 = 1;
const REGISTER_WORDS: u32 = 8;
pub(super) const EQUAL: u32 = 0;
pub(super) const NOT_EQUAL: u32 = 1;
pub(super) const META_IIF: u32 = 4;
pub(super) const META_OIF: u32 = 5;
pub(super) const META_IIFNAME: u32 = 6;
pub(super) const META_OIFNAME: u32 = 7;
pub(super) const META_NFPROTO: u32 = 15;
pub(super) const META_L4PROTO: u32 = 16;
pub(super) const NETWORK_HEADER: u32 = 1;
pub(super) const TRANSPORT_HEADER: u32 = 2;
const CT_STATE: u32 = 0;
pub(super) const CT_DIRECTION: u32 = 1;
pub(super) const CT_STATUS: u32 = 2;
/// `NF_CT_STATE_BIT(IP_CT_NEW)`
pub(super) const NEW: u32 = 8;
/// Where the flags are in the header of TCP, and their bits.
pub(super) const TCP_FLAGS: u32 = 13;
const FIN_SYN_RST_ACK: u8 = 0x17;
const SYN: u8 = 0x02;
/// `IP_CT_DIR_REPLY`
const DIRECTION_REPLY: u8 = 1;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;
pub(super) const AT_LEAST: u32 = 5;
const AT_MOST: u32 = 3;
/// `IPS_DST_NAT`
pub(super) const STATUS_DNAT: u32 = 0x20;
/// `NFT_FIB_RESULT_ADDRTYPE`
pub(super) const FIB_ADDRESS_TYPE: u32 = 3;
/// `NFTA_FIB_F_DADDR`
pub(super) const FIB_DESTINATION: u32 = 2;
/// `RTN_LOCAL`
const ADDRESS_LOCAL: u32 = 2;
/// `NFT_NAT_DNAT`
pub(super) const DESTINATION_NAT: u32 = 1;
/// `NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED)`
const ESTABLISHED_RELATED: u32 = 2 | 4;
pub(super) const REJECT_ICMP: u32 = 0;
pub(super) const REJECT_ICMPX: u32 = 2;
/// `NF_NAT_RANGE_MAP_IPS`
const RANGE_ADDRESSES: u32 = 1;
/// `NF_NAT_RANGE_PROTO_SPECIFIED`
const RANGE_PORTS: u32 = 2;

/// A statement as expressions.
///
/// # Errors
/// The name of an interface without an index.
pub(super) fn expressions<'a>(
    statement: &'a Statement,
    index_of: IndexOf<'_>,
) -> Result<Vec<Expression>, &'a InterfaceName> {
    Ok(match statement {
        Statement::Family(family) => vec![meta(META_NFPROTO), compare(EQUAL, vec![nfproto(*family)])],
        Statement::Transport(transport) => vec![meta(META_L4PROTO), compare(EQUAL, vec![l4proto(*transport)])],
        Statement::Interface(direction, interface) => {
            let index = index(interface, index_of)?;
            vec![meta(interface_key(*direction)), compare(EQUAL, index.to_ne_bytes().to_vec())]
        }
        Statement::InterfaceName(direction, name) => {
            let mut padded = name.as_str().as_bytes().to_vec();
            padded.resize(16, 0);
            vec![meta(name_key(*direction)), compare(EQUAL, padded)]
        }
        Statement::Address { field, negated, net } => address(*field, *negated, *net),
        Statement::Established => vec![
            Expression::new(&CT, [(1, Value::U32(REGISTER)), (2, Value::U32(CT_STATE))]),
            mask(ESTABLISHED_RELATED.to_ne_bytes().to_vec()),
            compare(NOT_EQUAL, vec![0; 4]),
        ],
        Statement::Redirected => vec![
            Expression::new(&CT, [(1, Value::U32(REGISTER)), (2, Value::U32(CT_STATUS))]),
            mask(STATUS_DNAT.to_ne_bytes().to_vec()),
            compare(NOT_EQUAL, vec![0; 4]),
        ],
        Statement::New => vec![
            Expression::new(&CT, [(1, Value::U32(REGISTER)), (2, Value::U32(CT_STATE))]),
            mask(NEW.to_ne_bytes().to_vec()),
            compare(NOT_EQUAL, vec![0; 4]),
        ],
        Statement::Midway => vec![
            meta(META_L4PROTO),
            compare(EQUAL, vec![l4proto(Transport::Tcp)]),
            load_from(TRANSPORT_HEADER, TCP_FLAGS, 1),
            mask(vec![FIN_SYN_RST_ACK]),
            compare(NOT_EQUAL, vec![SYN]),
        ],
        Statement::Reply => vec![
            Expression::new(&CT, [(1, Value::U32(REGISTER)), (2, Value::U32(CT_DIRECTION))]),
            compare(EQUAL, vec![DIRECTION_REPLY]),
        ],
        Statement::Port(transport, ports) => {
            let port = |op, port: u16| compare(op, port.to_be_bytes().to_vec());
            let mut expressions = vec![
                meta(META_L4PROTO),
                compare(EQUAL, vec![l4proto(*transport)]),
                load_from(TRANSPORT_HEADER, port_offset(Field::Destination), 2),
            ];
            match ports.start() == ports.end() {
                true => expressions.push(port(EQUAL, ports.start())),
                false => expressions.extend([port(AT_LEAST, ports.start()), port(AT_MOST, ports.end())]),
            }
            expressions
        }
        Statement::Icmp(Family::Ipv4) => vec![meta(META_L4PROTO), compare(EQUAL, vec![ICMP])],
        Statement::Icmp(Family::Ipv6) => vec![meta(META_L4PROTO), compare(EQUAL, vec![ICMPV6])],
        Statement::Icmpv6Type(kind) => vec![
            meta(META_L4PROTO),
            compare(EQUAL, vec![ICMPV6]),
            load_from(TRANSPORT_HEADER, 0, 1),
            compare(EQUAL, vec![*kind]),
        ],
        Statement::LocalDestination => {
            let fib = [(1, REGISTER), (2, FIB_ADDRESS_TYPE), (3, FIB_DESTINATION)];
            let fib = Expression::new(&FIB, fib.map(|(number, value)| (number, Value::U32(value))));
            vec![fib, compare(EQUAL, ADDRESS_LOCAL.to_ne_bytes().to_vec())]
        }
        Statement::Counter => vec![Expression::new(&COUNTER, [(1, Value::U64(0)), (2, Value::U64(0))])],
        Statement::Verdict(verdict) => {
            vec![Expression::new(&IMMEDIATE, [(1, Value::U32(REGISTER_VERDICT)), (2, Value::Verdict(verdict.clone()))])]
        }
        Statement::Reject(family) => {
            let (kind, code) = match family {
                None => (REJECT_ICMPX, 1),
                Some(Family::Ipv4) => (REJECT_ICMP, 3),
                Some(Family::Ipv6) => (REJECT_ICMP, 4),
            };
            vec![Expression::new(&REJECT, [(1, Value::U32(kind)), (2, Value::U8(code))])]
        }
        Statement::Masquerade(ports) => {
            let (mut expressions, registers) = load_ports(*ports, REGISTER);
            let flags = registers.map(|_| (1, Value::U32(RANGE_PORTS)));
            let ports = registers.map(|[first, last]| [(2, Value::U32(first)), (3, Value::U32(last))]);
            expressions.push(Expression::new(&MASQUERADE, flags.into_iter().chain(ports.into_iter().flatten())));
            expressions
        }
        Statement::Snat { addresses, ports } => translate(*addresses, *ports),
        Statement::Lookup { subjects, set, decides } => lookup(subjects, set, decides.then_some(REGISTER_VERDICT)),
        Statement::Dnat { family, subjects, map } => {
            let mut expressions = lookup(subjects, map, Some(REGISTER));
            let port = register(u32::from(family.bits() / 32));
            let flags = RANGE_ADDRESSES | RANGE_PORTS;
            let values = [DESTINATION_NAT, u32::from(nfproto(*family)), REGISTER, REGISTER, port, port, flags];
            let values = (1..).zip(values).map(|(number, value)| (number, Value::U32(value)));
            expressions.push(Expression::new(&NAT, values));
            expressions
        }
        Statement::Offload(flowtable) => vec![Expression::new(&FLOW_OFFLOAD, [(1, Value::Text(flowtable.clone()))])],
        Statement::Unknown(_) => Vec::new(),
    })
}

/// The index of an interface; an error with its name if it has none.
pub(super) fn index<'a>(interface: &'a Interface, index_of: IndexOf<'_>) -> Result<u32, &'a InterfaceName> {
    match interface {
        Interface::Named(name) => index_of(name).ok_or(name),
        Interface::Gone(index) => Ok(*index),
        Interface::Absent => Ok(0),
    }
}

/// The interface with an index.
pub(super) fn interface(index: u32, name_of: NameOf<'_>) -> Interface {
    if index == 0 {
        return Interface::Absent;
    }
    name_of(index).map_or(Interface::Gone(index), Interface::Named)
}

/// Loads each part of a key into the registers behind those of the part before, then looks the key
/// up. What is found goes into a register.
fn lookup(subjects: &[Subject], set: &str, found: Option<u32>) -> Vec<Expression> {
    let mut words = 0;
    let mut expressions = Vec::new();
    for subject in subjects {
        let (len, load) = match *subject {
            Subject::Family => (1, vec![meta(META_NFPROTO)]),
            Subject::Interface(direction) => (1, vec![meta(interface_key(direction))]),
            Subject::InterfaceName(direction) => (4, vec![meta(name_key(direction))]),
            Subject::Protocol => (1, vec![meta(META_L4PROTO)]),
            Subject::Port(field) => (1, vec![load_from(TRANSPORT_HEADER, port_offset(field), 2)]),
            Subject::Address { field, family, .. } => {
                let mask = subject.mask().map(|bits| mask(octets(bits)));
                let load = load(offset(family, field), usize::from(family.bits() / 8));
                (u32::from(family.bits() / 32), [load].into_iter().chain(mask).collect())
            }
        };
        expressions.extend(load.into_iter().map(|load| load.in_register(register(words))));
        words += len;
    }
    let dreg = found.map(|register| (3, Value::U32(register)));
    let values = [(1, Value::Text(set.to_owned())), (2, Value::U32(REGISTER))];
    expressions.push(Expression::new(&LOOKUP, values.into_iter().chain(dreg)));
    expressions
}

/// The register that begins after this many words. At every fourth word a register of 16 bytes
/// begins, and has that register's number.
fn register(words: u32) -> u32 {
    if words.is_multiple_of(4) { REGISTER + words / 4 } else { REGISTER_WORDS + words }
}

pub(super) fn reject_with(family: Family) -> Expression {
    let code = if family == Family::Ipv4 { 3 } else { 4 };
    Expression::new(&REJECT, [(1, Value::U32(REJECT_ICMP)), (2, Value::U8(code))])
}

pub(super) fn meta(key: u32) -> Expression {
    Expression::new(&META, [(1, Value::U32(REGISTER)), (2, Value::U32(key))])
}

pub(super) fn compare(op: u32, data: Vec<u8>) -> Expression {
    Expression::new(&CMP, [(1, Value::U32(REGISTER)), (2, Value::U32(op)), (3, Value::Bytes(data))])
}

fn mask(mask: Vec<u8>) -> Expression {
    let len = u32::try_from(mask.len()).expect("at most 16");
    let xor = vec![0; mask.len()];
    Expression::new(
        &BITWISE,
        [
            (1, Value::U32(REGISTER)),
            (2, Value::U32(REGISTER)),
            (3, Value::U32(len)),
            (4, Value::Bytes(mask)),
            (5, Value::Bytes(xor)),
            (6, Value::U32(0)),
        ],
    )
}

fn load(offset: u32, len: usize) -> Expression {
    load_from(NETWORK_HEADER, offset, len)
}

fn load_from(header: u32, offset: u32, len: usize) -> Expression {
    let len = u32::try_from(len).expect("at most 16");
    let at = [(1, Value::U32(REGISTER)), (2, Value::U32(header)), (3, Value::U32(offset)), (4, Value::U32(len))];
    Expression::new(&PAYLOAD, at)
}

/// For a prefix of whole bytes, only these are loaded; any other prefix needs a mask.
fn address(field: Field, negated: bool, net: IpNet) -> Vec<Expression> {
    let net = net.trunc();
    let octets = octets(net.addr());
    let prefix = usize::from(net.prefix_len());
    let op = if negated { NOT_EQUAL } else { EQUAL };
    let offset = offset(Family::of(net.addr()), field);
    if prefix > 0 && prefix.is_multiple_of(8) {
        let len = prefix / 8;
        return vec![load(offset, len), compare(op, octets[..len].to_vec())];
    }
    vec![load(offset, octets.len()), mask(self::octets(net.netmask())), compare(op, octets)]
}

fn translate(addresses: AddressRange, ports: Option<PortRange>) -> Vec<Expression> {
    let (first, last) = (addresses.start(), addresses.end());
    let mut expressions = vec![immediate(REGISTER, octets(first))];
    let mut last_register = REGISTER;
    if last != first {
        last_register += 1;
        expressions.push(immediate(last_register, octets(last)));
    }
    let (loads, registers) = load_ports(ports, last_register + 1);
    expressions.extend(loads);
    let source = 0;
    let mut values = vec![
        (1, Value::U32(source)),
        (2, Value::U32(u32::from(nfproto(Family::of(first))))),
        (3, Value::U32(REGISTER)),
        (4, Value::U32(last_register)),
    ];
    values.extend(registers.into_iter().flat_map(|[first, last]| [(5, Value::U32(first)), (6, Value::U32(last))]));
    values.push((7, Value::U32(RANGE_ADDRESSES | registers.map_or(0, |_| RANGE_PORTS))));
    expressions.push(Expression::new(&NAT, values));
    expressions
}

/// Loads ports, the first into a register, the last into the next one; a single port is loaded
/// once.
fn load_ports(ports: Option<PortRange>, register: u32) -> (Vec<Expression>, Option<[u32; 2]>) {
    let Some(ports) = ports else { return (Vec::new(), None) };
    let mut expressions = vec![immediate(register, ports.start().to_be_bytes().to_vec())];
    if ports.start() == ports.end() {
        return (expressions, Some([register; 2]));
    }
    expressions.push(immediate(register + 1, ports.end().to_be_bytes().to_vec()));
    (expressions, Some([register, register + 1]))
}

fn immediate(register: u32, data: Vec<u8>) -> Expression {
    Expression::new(&IMMEDIATE, [(1, Value::U32(register)), (2, Value::Bytes(data))])
}

fn interface_key(direction: Direction) -> u32 {
    match direction {
        Direction::In => META_IIF,
        Direction::Out => META_OIF,
    }
}

fn name_key(direction: Direction) -> u32 {
    match direction {
        Direction::In => META_IIFNAME,
        Direction::Out => META_OIFNAME,
    }
}

pub(super) fn port_offset(field: Field) -> u32 {
    match field {
        Field::Source => 0,
        Field::Destination => 2,
    }
}

pub(super) fn nfproto(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

pub(super) fn l4proto(transport: Transport) -> u8 {
    match transport {
        Transport::Tcp => 6,
        Transport::Udp => 17,
    }
}

pub(super) fn offset(family: Family, field: Field) -> u32 {
    match (family, field) {
        (Family::Ipv4, Field::Source) => 12,
        (Family::Ipv4, Field::Destination) => 16,
        (Family::Ipv6, Field::Source) => 8,
        (Family::Ipv6, Field::Destination) => 24,
    }
}

/// The bytes of an address.
pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// An address from its first bytes; the rest are zero.
pub(super) fn ip(family: Family, bytes: &[u8]) -> Option<IpAddr> {
    fn padded<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
        let mut octets = [0; N];
        octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(octets)
    }
    Some(match family {
        Family::Ipv4 => IpAddr::from(padded::<4>(bytes)?),
        Family::Ipv6 => IpAddr::from(padded::<16>(bytes)?),
    })
}
