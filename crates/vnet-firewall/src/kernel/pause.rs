//! A pause for connections that are on their way, while the kernel begins to track them.
//!
//! The kernel tracks connections from the moment in which it is told the first rule that asks for
//! one, which is before that rule holds. What it sees in between has begun with whoever sends
//! first. So a table of its own drops the middle of connections to guests that are to be limited,
//! until the rules of their network hold.

use vnet_types::InterfaceName;

use super::Batch;
use super::expression::{self, Expression};
use super::message::{self, APPEND, CREATE, EXCLUSIVE, NEW_CHAIN, NEW_RULE, NEW_TABLE, OWNER};
use super::statement::{IndexOf, expressions};
use super::table::Table;
use crate::ruleset::{Direction, Interface, Part, Ruleset, Statement, Verdict};
use crate::shared::LIMITED;

/// `NF_INET_FORWARD`, and a priority before all others.
const FORWARD: (u32, i32) = (2, i32::MIN);
const CHAIN: &str = "forward";

/// The transaction that makes such a table, of a name that no other network's has; `None` if the
/// network limits no guests, or has no bridge yet.
pub(crate) fn pause(installed: &Table, network: &Ruleset, index_of: IndexOf<'_>) -> Option<Batch> {
    let limited = network.sets.iter().filter(|set| set.name == LIMITED).flat_map(|set| &set.elements);
    let bridges: Vec<&InterfaceName> = limited
        .filter_map(|element| match element.key.0.first() {
            Some(Part::Interface(Interface::Named(bridge))) => Some(bridge),
            _ => None,
        })
        .collect();
    let table = &format!("vnet_pause_{}", index_of(bridges.first()?)?);
    let rule = |bridge: &InterfaceName| {
        let leaves = Statement::Interface(Direction::Out, Interface::Named(bridge.clone()));
        let statements = [leaves, Statement::Midway, Statement::Verdict(Verdict::Drop)];
        let parts: Result<Vec<_>, _> =
            statements.iter().map(|statement| expressions(statement, index_of).map_err(drop)).collect();
        Some(parts.ok()?.concat())
    };
    let rules: Vec<Vec<Expression>> = bridges.into_iter().map(rule).collect::<Option<_>>()?;

    let mut bytes = Vec::new();
    message::begin(&mut bytes, 0, installed.generation);
    message::write(&mut bytes, NEW_TABLE, CREATE | EXCLUSIVE, 1, |attributes| {
        attributes.text(1, table).be32(2, OWNER);
    });
    message::write(&mut bytes, NEW_CHAIN, CREATE, 2, |attributes| {
        attributes.text(1, table).text(3, CHAIN).nest(4, |hook| {
            hook.be32(1, FORWARD.0).be32(2, FORWARD.1.cast_unsigned());
        });
        attributes.text(7, "filter");
    });
    let (mut last, mut sequence) = (0, 3);
    for rule in &rules {
        last = bytes.len();
        message::write(&mut bytes, NEW_RULE, CREATE | APPEND, sequence, |attributes| {
            attributes.text(1, table).text(2, CHAIN);
            expression::write_all(rule, attributes);
        });
        sequence += 1;
    }
    message::acknowledge(&mut bytes, last);
    message::end(&mut bytes, sequence);
    let mut batch = Batch::default();
    batch.bytes = bytes;
    Some(batch)
}
