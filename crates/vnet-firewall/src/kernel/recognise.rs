//! Reads expressions back as statements. It guesses a statement; the guess is right if it encodes
//! to what was read.

use vnet_types::{AddressRange, Family, IpNet, PortRange};

use super::attribute::text_of;
use super::expression::{
    BITWISE, COUNTER, CT, Expression, FIB, FLOW_OFFLOAD, IMMEDIATE, LOOKUP, MASQUERADE, META, NAT, PAYLOAD, REJECT,
};
use super::statement::{
    self, AT_LEAST, CT_DIRECTION, CT_STATUS, ICMP, ICMPV6, META_IIF, META_IIFNAME, META_L4PROTO, META_NFPROTO,
    META_OIF, META_OIFNAME, NETWORK_HEADER, NEW, NOT_EQUAL, NameOf, REGISTER, REJECT_ICMPX, TCP_FLAGS,
    TRANSPORT_HEADER, interface, ip, l4proto, nfproto, offset, port_offset, reject_with,
};
use crate::ruleset::{Direction, Field, Statement, Subject, Transport};

/// Expressions as statements. What vnet does not make becomes [`Statement::Unknown`].
pub(super) fn statements(mut expressions: &[Expression], name_of: NameOf<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    while let Some(first) = expressions.first() {
        let (statement, len) =
            recognise(expressions, name_of).unwrap_or_else(|| (Statement::Unknown(first.name.clone()), 1));
        statements.push(statement);
        expressions = &expressions[len..];
    }
    statements
}

fn recognise(expressions: &[Expression], name_of: NameOf<'_>) -> Option<(Statement, usize)> {
    if expressions.first()?.is(&COUNTER) {
        return Some((Statement::Counter, 1));
    }
    let statement = guess(expressions, name_of)?;
    let index = expressions.get(1).and_then(|next| next.bytes(3)).and_then(|bytes| bytes.try_into().ok());
    let index = index.map(u32::from_ne_bytes);
    let encoded = statement::expressions(&statement, &|_| index).ok()?;
    expressions.starts_with(&encoded).then_some((statement, encoded.len()))
}

/// The statements that the expressions may begin with. It looks only at what distinguishes the
/// statements.
fn guess(expressions: &[Expression], name_of: NameOf<'_>) -> Option<Statement> {
    let first = expressions.first()?;
    let next = expressions.get(1);
    if let Some(lookup) = guess_lookup(expressions) {
        return Some(lookup);
    }
    if first.is(&META) {
        return guess_transport(expressions).or_else(|| guess_meta(first.u32(2)?, next?.bytes(3)?, name_of));
    }
    if first.is(&PAYLOAD) {
        let masked = next.filter(|next| next.is(&BITWISE));
        let compared = expressions.get(if masked.is_some() { 2 } else { 1 })?;
        let prefix = match masked {
            Some(mask) => mask.bytes(4)?.iter().map(|byte| byte.count_ones()).sum(),
            None => first.u32(4)?.checked_mul(8)?,
        };
        let (family, field) = header_field(first)?;
        let net = IpNet::new(ip(family, compared.bytes(3)?)?, u8::try_from(prefix).ok()?).ok()?;
        return Some(Statement::Address { field, negated: compared.u32(2)? == NOT_EQUAL, net });
    }
    if first.is(&CT) {
        return Some(match first.u32(2) {
            Some(CT_STATUS) => Statement::Redirected,
            Some(CT_DIRECTION) => Statement::Reply,
            _ if next.and_then(|mask| mask.bytes(4)) == Some(&NEW.to_ne_bytes()) => Statement::New,
            _ => Statement::Established,
        });
    }
    if first.is(&FIB) {
        return Some(Statement::LocalDestination);
    }
    if first.is(&FLOW_OFFLOAD) {
        return Some(Statement::Offload(first.text(1)?.to_owned()));
    }
    if first.is(&REJECT) {
        return Some(Statement::Reject(match (first.u32(1)?, first.clone()) {
            (REJECT_ICMPX, _) => None,
            (_, reject) if reject == reject_with(Family::Ipv6) => Some(Family::Ipv6),
            _ => Some(Family::Ipv4),
        }));
    }
    if let Some(verdict) = first.verdict(2) {
        return Some(Statement::Verdict(verdict.clone()));
    }
    guess_translation(expressions)
}

/// A field of the transport header, with the protocol before it.
fn guess_transport(expressions: &[Expression]) -> Option<Statement> {
    let [protocol, is, load, compared, ..] = expressions else { return None };
    if protocol.u32(2) != Some(META_L4PROTO) || !load.is(&PAYLOAD) || load.u32(2) != Some(TRANSPORT_HEADER) {
        return None;
    }
    if load.u32(3) == Some(TCP_FLAGS) {
        return Some(Statement::Midway);
    }
    if is.bytes(3)? == [ICMPV6] {
        let [kind] = compared.bytes(3)? else { return None };
        return Some(Statement::Icmpv6Type(*kind));
    }
    let port = |it: &Expression| Some(u16::from_be_bytes(it.bytes(3)?.try_into().ok()?));
    let start = port(compared)?;
    let end = match compared.u32(2) {
        Some(AT_LEAST) => port(expressions.get(4)?)?,
        _ => start,
    };
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|it| is.bytes(3) == Some(&[l4proto(*it)]))?;
    Some(Statement::Port(transport, PortRange::new(start, end).ok()?))
}

fn guess_lookup(expressions: &[Expression]) -> Option<Statement> {
    let is_load = |expression: &&Expression| expression.is(&META) || expression.is(&PAYLOAD) || expression.is(&BITWISE);
    let len = expressions.iter().take_while(is_load).count();
    let lookup = expressions.get(len).filter(|lookup| lookup.is(&LOOKUP))?;
    let mut subjects = Vec::new();
    for (at, load) in expressions[..len].iter().enumerate() {
        subjects.push(if load.is(&META) {
            match load.u32(2)? {
                META_IIF => Subject::Interface(Direction::In),
                META_OIF => Subject::Interface(Direction::Out),
                META_IIFNAME => Subject::InterfaceName(Direction::In),
                META_OIFNAME => Subject::InterfaceName(Direction::Out),
                META_NFPROTO => Subject::Family,
                META_L4PROTO => Subject::Protocol,
                _ => return None,
            }
        } else if load.is(&PAYLOAD) && load.u32(2) == Some(TRANSPORT_HEADER) {
            let is_it = |field: &Field| load.u32(3).unwrap_or(0) == port_offset(*field);
            Subject::Port([Field::Source, Field::Destination].into_iter().find(is_it)?)
        } else if load.is(&PAYLOAD) {
            let (family, field) = header_field(load)?;
            let mask = expressions.get(at + 1).filter(|next| next.is(&BITWISE));
            let prefix = mask.map_or(u32::from(family.bits()), |mask| {
                mask.bytes(4).unwrap_or_default().iter().map(|byte| byte.count_ones()).sum()
            });
            Subject::Address { field, family, prefix: u8::try_from(prefix).ok()? }
        } else {
            continue;
        });
    }
    let set = lookup.text(1)?.to_owned();
    if lookup.u32(3) == Some(REGISTER) {
        let nat = expressions.get(len + 1).filter(|next| next.is(&NAT))?;
        let family = [Family::Ipv4, Family::Ipv6].into_iter();
        let family = family.into_iter().find(|family| nat.u32(2) == Some(nfproto(*family).into()))?;
        return Some(Statement::Dnat { family, subjects, map: set });
    }
    Some(Statement::Lookup { subjects, set, decides: lookup.has(3) })
}

/// The address that this loads.
fn header_field(load: &Expression) -> Option<(Family, Field)> {
    [Family::Ipv4, Family::Ipv6]
        .into_iter()
        .flat_map(|family| [(family, Field::Source), (family, Field::Destination)])
        .filter(|_| load.u32(2) == Some(NETWORK_HEADER))
        .find(|(family, field)| load.u32(3) == Some(offset(*family, *field)))
}

fn guess_meta(key: u32, compared: &[u8], name_of: NameOf<'_>) -> Option<Statement> {
    let by_index = |direction| {
        let index = u32::from_ne_bytes(compared.try_into().ok()?);
        Some(Statement::Interface(direction, interface(index, name_of)))
    };
    let by_name = |direction| {
        let name = text_of(compared)?;
        Some(Statement::InterfaceName(direction, name.parse().ok()?))
    };
    match key {
        META_IIF => by_index(Direction::In),
        META_OIF => by_index(Direction::Out),
        META_IIFNAME => by_name(Direction::In),
        META_OIFNAME => by_name(Direction::Out),
        META_NFPROTO => [Family::Ipv4, Family::Ipv6]
            .into_iter()
            .find(|family| [nfproto(*family)] == compared)
            .map(Statement::Family),
        META_L4PROTO if compared == [ICMP] => Some(Statement::Icmp(Family::Ipv4)),
        META_L4PROTO if compared == [ICMPV6] => Some(Statement::Icmp(Family::Ipv6)),
        META_L4PROTO => [Transport::Tcp, Transport::Udp]
            .into_iter()
            .find(|transport| [l4proto(*transport)] == compared)
            .map(Statement::Transport),
        _ => None,
    }
}

/// Values are first loaded into registers, then used.
fn guess_translation(expressions: &[Expression]) -> Option<Statement> {
    let loads = expressions.iter().take_while(|expression| expression.is(&IMMEDIATE));
    let loads: Vec<&[u8]> = loads.filter_map(|load| load.bytes(2)).collect();
    let user = expressions.get(loads.len())?;
    let held = |register: Option<u32>| loads.get(usize::try_from(register?.checked_sub(REGISTER)?).ok()?).copied();
    let port = |register| held(register).and_then(|bytes| Some(u16::from_be_bytes(bytes.try_into().ok()?)));
    let ports = |first, last| PortRange::new(port(user.u32(first))?, port(user.u32(last))?).ok();
    if user.is(&MASQUERADE) {
        return Some(Statement::Masquerade(ports(2, 3)));
    }
    if user.is(&NAT) {
        let address = |number| ip(Family::Ipv4, held(user.u32(number))?);
        let addresses = AddressRange::new(address(3)?, address(4)?).ok()?;
        return Some(Statement::Snat { addresses, ports: ports(5, 6) });
    }
    None
}
