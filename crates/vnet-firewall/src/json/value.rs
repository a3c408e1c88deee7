//! Values in rules and keys of sets.

use nftables::expr::{Expression, NamedExpression, Prefix, Range};
use nftables::stmt::JumpTarget;
use vnet_types::{AddressRange, IpNet, PortRange};

use super::{Expr, named};
use crate::ruleset::Interface;

pub(super) fn interface(interface: &Interface) -> Expr {
    match interface {
        Interface::Named(name) => text(name),
        Interface::Gone(index) => Expression::Number(*index),
        Interface::Absent => Expression::Number(0),
    }
}

/// A subnet of one address is written without its prefix.
pub(super) fn subnet(net: IpNet) -> Expr {
    if net.prefix_len() == net.max_prefix_len() {
        return text(&net.addr());
    }
    let addr = Box::new(text(&net.addr()));
    named(NamedExpression::Prefix(Prefix { addr, len: net.prefix_len().into() }))
}

pub(super) fn addresses(addresses: AddressRange) -> Expr {
    match (addresses.start(), addresses.end()) {
        (first, last) if first == last => text(&first),
        (first, last) => range([text(&first), text(&last)]),
    }
}

pub(super) fn ports(ports: PortRange) -> Expr {
    match [ports.start(), ports.end()].map(|port| Expression::Number(port.into())) {
        [first, last] if first == last => first,
        both => range(both),
    }
}

pub(super) fn range(range: [Expr; 2]) -> Expr {
    Expression::Range(Box::new(Range { range }))
}

pub(super) fn target(chain: &str) -> JumpTarget<'static> {
    JumpTarget { target: chain.to_owned().into() }
}

pub(super) fn text(value: &impl ToString) -> Expr {
    Expression::String(value.to_string().into())
}
