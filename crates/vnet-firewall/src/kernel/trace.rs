//! Tracing of packets (`meta nftrace set 1`): the table that arms it, and the messages in which the
//! kernel tells a packet's way through all rules (`NFT_MSG_TRACE`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use vnet_types::{Family, InterfaceName, MacAddr};

use super::attribute::{Writer, attribute, attributes, text_of, u32_of, u64_of};
use super::expression::{self, CMP, Expression, IMMEDIATE, META, PAYLOAD, Value, read_data};
use super::foreign::{family_word, open};
use super::message::{
    self, APPEND, CREATE, DUMP, EXCLUSIVE, GET_CHAIN, GET_RULE, HEADER, NEW_CHAIN, NEW_RULE, NEW_TABLE, OWNER,
};
use super::recognise::statements;
use super::table::Counts;
use crate::ruleset::{Rule, Verdict};

const TRACE: u8 = 17;
const INET: u8 = 1;
const BRIDGE: u8 = 7;
const REGISTER: u32 = 1;
const LINK_HEADER: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const META_PROTOCOL: u32 = 1;
const META_NFTRACE: u32 = 12;
const META_L4PROTO: u32 = 16;
/// Before every other chain.
const FIRST: i32 = i32::MIN;
/// After connection tracking has looked (`NF_IP_PRI_CONNTRACK` is -200).
const KNOWN: i32 = -199;
/// After every other chain but the confirmation of connections.
const LAST: i32 = i32::MAX - 1;

/// The packets to follow: those of a guest, and the answers to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFlow {
    /// The guest, by its MAC address.
    pub mac: Option<MacAddr>,
    /// The guest, by its address. Answers are followed only where it is known.
    pub address: Option<IpAddr>,
    /// Where packets go to; anywhere if `None`.
    pub to: Option<IpAddr>,
    /// The number of the protocol; any if `None`.
    pub protocol: Option<u8>,
    /// The destination port; any if `None`.
    pub port: Option<u16>,
}

/// What the kernel tells of a packet at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEvent {
    /// The packet.
    pub id: u32,
    /// The family and the name of the table, as in `ip filter`.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The hook of the chain, if it is a base chain.
    pub hook: Option<&'static str>,
    /// The rule, with its handle; `None` at the end of a chain.
    pub rule: Option<String>,
    /// The counts of the rule, this packet among them, if it has a counter of its own.
    pub counts: Option<Counts>,
    /// What is done with the packet.
    pub verdict: Option<Verdict>,
    /// Whether it is the policy of a base chain.
    pub is_policy: bool,
    /// Whether it is a place of the trace itself, and not of a rule to be shown.
    pub is_own: bool,
    /// Whether it is the last place of a hook: the packet has passed it.
    pub is_passed: bool,
    /// The packet, when it enters a base chain.
    pub packet: Option<TracedPacket>,
    /// The indexes of the interfaces that it comes in and goes out by.
    pub links: [Option<u32>; 2],
}

/// A packet as it is at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TracedPacket {
    /// Its source.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// The number of its protocol.
    pub protocol: u8,
    /// Its ports.
    pub ports: Option<(u16, u16)>,
}

/// The rules and the chains of all tables, by name, to print what a message refers to.
#[derive(Clone, Debug, Default)]
pub struct RuleTexts {
    rules: BTreeMap<(u8, String, u64), (String, Option<Counts>)>,
    hooks: BTreeMap<(u8, String, String), u32>,
}

/// The transaction that arms a trace. The table is removed by the kernel when the socket is closed.
pub(crate) fn arm(table: &str, flow: &TraceFlow) -> Vec<u8> {
    let mut batch = Arming { bytes: Vec::new(), last: 0, sequence: 1, table };
    message::begin(&mut batch.bytes, 0, None);
    batch.table(INET);
    batch.chain(INET, "first", 0, FIRST);
    batch.rule(INET, "first", &there(flow));
    if let Some(address) = flow.address {
        // Answers, whatever translation does to them.
        for (chain, hook) in [("answers", 0), ("own_answers", 3)] {
            batch.chain(INET, chain, hook, KNOWN);
            batch.answers(chain, address, flow);
        }
    }
    for (hook, name) in HOOKS.iter().enumerate().filter(|(_, name)| **name != "output") {
        batch.chain(INET, name, u32::try_from(hook).unwrap_or(0), LAST);
    }
    if flow.mac.is_some() {
        batch.table(BRIDGE);
        batch.chain(BRIDGE, "first", 0, FIRST);
        batch.rule(BRIDGE, "first", &there(flow));
    }
    let Arming { mut bytes, last, sequence, .. } = batch;
    message::acknowledge(&mut bytes, last);
    message::end(&mut bytes, sequence);
    bytes
}

const HOOKS: [&str; 5] = ["prerouting", "input", "forward", "output", "postrouting"];

struct Arming<'a> {
    bytes: Vec<u8>,
    last: usize,
    sequence: u32,
    table: &'a str,
}

impl Arming<'_> {
    fn message(&mut self, family: u8, kind: u8, flags: u16, fill: impl FnOnce(&mut Writer<'_>)) {
        self.last = self.bytes.len();
        message::write(&mut self.bytes, kind, flags, self.sequence, fill);
        self.bytes[self.last + HEADER - 4] = family;
        self.sequence += 1;
    }

    fn table(&mut self, family: u8) {
        let name = self.table.to_owned();
        self.message(family, NEW_TABLE, CREATE | EXCLUSIVE, |table| {
            table.text(1, &name).be32(2, OWNER);
        });
    }

    fn chain(&mut self, family: u8, name: &str, hook: u32, priority: i32) {
        let table = self.table.to_owned();
        self.message(family, NEW_CHAIN, CREATE, |chain| {
            chain.text(1, &table).text(3, name).nest(4, |of| {
                of.be32(1, hook).be32(2, priority.cast_unsigned());
            });
            chain.be32(5, 1).text(7, "filter");
        });
    }

    fn rule(&mut self, family: u8, chain: &str, expressions: &[Expression]) {
        let table = self.table.to_owned();
        self.message(family, NEW_RULE, CREATE | APPEND, |rule| {
            rule.text(1, &table).text(2, chain);
            expression::write_all(expressions.iter().chain(&trace()), rule);
        });
    }

    /// A rule for packets whose connection the guest has begun.
    fn answers(&mut self, chain: &str, guest: IpAddr, flow: &TraceFlow) {
        let table = self.table.to_owned();
        self.message(INET, NEW_RULE, CREATE | APPEND, |rule| {
            rule.text(1, &table).text(2, chain).nest(4, |list| {
                let mut is = |key: u32, original: bool, value: Vec<u8>| {
                    list.nest(1, |item| {
                        item.text(1, "ct").nest(2, |data| {
                            data.be32(1, REGISTER).be32(2, key);
                            if original {
                                data.bytes(3, &[0]);
                            }
                        });
                    });
                    list.nest(1, |item| compare(value).write(item));
                };
                let (source, destination) = if guest.is_ipv4() { (19, 20) } else { (21, 22) };
                // The direction of an answer.
                is(1, false, vec![1]);
                is(source, true, octets(guest));
                if let Some(to) = flow.to {
                    is(destination, true, octets(to));
                }
                for expression in &trace() {
                    list.nest(1, |item| expression.write(item));
                }
            });
        });
    }
}

/// Matches the guest's own packets.
fn there(flow: &TraceFlow) -> Vec<Expression> {
    let mut all = Vec::new();
    if let Some(mac) = flow.mac {
        all.extend([load(LINK_HEADER, 6, 6), compare(mac.0.to_vec())]);
    }
    let family = flow.to.or(flow.address.filter(|_| flow.mac.is_none())).map(Family::of);
    if let Some(family) = family {
        let (kind, source, destination, length): (u16, _, _, _) = match family {
            Family::Ipv4 => (0x0800, 12, 16, 4),
            Family::Ipv6 => (0x86dd, 8, 24, 16),
        };
        all.extend([meta(META_PROTOCOL), compare(kind.to_be_bytes().to_vec())]);
        if let Some(address) = flow.address.filter(|_| flow.mac.is_none()) {
            all.extend([load(NETWORK_HEADER, source, length), compare(octets(address))]);
        }
        if let Some(to) = flow.to {
            all.extend([load(NETWORK_HEADER, destination, length), compare(octets(to))]);
        }
    }
    if let Some(protocol) = flow.protocol {
        all.extend([meta(META_L4PROTO), compare(vec![protocol])]);
    }
    if let Some(port) = flow.port {
        all.extend([load(TRANSPORT_HEADER, 2, 2), compare(port.to_be_bytes().to_vec())]);
    }
    all
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn meta(key: u32) -> Expression {
    Expression::new(&META, [(1, Value::U32(REGISTER)), (2, Value::U32(key))])
}

fn load(base: u32, offset: u32, length: u32) -> Expression {
    let values = [REGISTER, base, offset, length].map(Value::U32);
    Expression::new(&PAYLOAD, (1..).zip(values))
}

fn compare(value: Vec<u8>) -> Expression {
    Expression::new(&CMP, [(1, Value::U32(REGISTER)), (2, Value::U32(0)), (3, Value::Bytes(value))])
}

/// `meta nftrace set 1`
fn trace() -> [Expression; 2] {
    let one = Expression::new(&IMMEDIATE, [(1, Value::U32(REGISTER)), (2, Value::Bytes(vec![1]))]);
    [one, Expression::new(&META, [(2, Value::U32(META_NFTRACE)), (3, Value::U32(REGISTER))])]
}

impl RuleTexts {
    /// Reads the chains and rules of all tables. `dump` sends one request and returns all messages
    /// of the answer, each with its header; `name_of` returns the name of the interface with an
    /// index.
    ///
    /// # Errors
    /// Those of `dump`.
    pub fn read<E>(
        dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<Self, E> {
        let mut texts = Self::default();
        texts.read_again(dump, name_of).map(|()| texts)
    }

    /// Reads them again, for new rules and counts. What is gone is still known.
    ///
    /// # Errors
    /// Those of `dump`.
    pub(crate) fn read_again<E>(
        &mut self,
        mut dump: impl FnMut(&[u8]) -> Result<Vec<Vec<u8>>, E>,
        name_of: impl Fn(u32) -> Option<InterfaceName>,
    ) -> Result<(), E> {
        for kind in [GET_CHAIN, GET_RULE] {
            let mut request = Vec::new();
            message::write(&mut request, kind, DUMP, 0, |_| {});
            request[HEADER - 4] = 0;
            for message in dump(&request)? {
                self.learn(&message, &name_of);
            }
        }
        Ok(())
    }

    fn learn(&mut self, message: &[u8], name_of: &dyn Fn(u32) -> Option<InterfaceName>) {
        let Some((family, kind, message)) = open(message) else { return };
        let text = |number| attribute(message, number).and_then(text_of);
        match kind {
            NEW_CHAIN => {
                let hook = attribute(message, 4).and_then(|hook| attribute(hook, 1)).and_then(u32_of);
                if let (Some(table), Some(name), Some(hook)) = (text(1), text(3), hook) {
                    self.hooks.insert((family, table, name), hook);
                }
            }
            NEW_RULE => {
                let handle = attribute(message, 3).and_then(u64_of);
                let list = attribute(message, 4).unwrap_or_default();
                let expressions: Vec<_> =
                    attributes(list).map(|(_, expression)| Expression::read(expression)).collect();
                let comment = attribute(message, 7).and_then(super::user_data::read_comment);
                let rule = Rule { statements: statements(&expressions, name_of), comment };
                if let (Some(table), Some(handle)) = (text(1), handle) {
                    let counts = expressions.iter().find_map(Expression::counts);
                    self.rules.insert((family, table, handle), (format!("{rule} # handle {handle}"), counts));
                }
            }
            _ => {}
        }
    }

    /// Reads a message of the kernel about a packet. `own` is the name of the table that arms the
    /// trace. `None` for another message.
    pub fn event(&self, message: &[u8], own: &str) -> Option<TraceEvent> {
        let (_, TRACE, message) = open(message)? else { return None };
        let number = |kind| attribute(message, kind).and_then(u32_of);
        let text = |kind| attribute(message, kind).and_then(text_of);
        let family = u8::try_from(number(15)?).ok()?;
        // The family of the table is not told: `inet` or the packet's.
        let (table, chain) = (text(1)?, text(2)?);
        let of = |family| self.hooks.keys().any(|(of, name, _)| *of == family && *name == table);
        let kept = [family, INET, 2, 10, BRIDGE, 5].into_iter().find(|family| of(*family)).unwrap_or(family);
        let handle = attribute(message, 3).and_then(u64_of);
        let kind = number(4)?;
        let hook = self.hooks.get(&(kept, table.clone(), chain.clone()));
        let policy = number(16).map(|policy| if policy == 0 { Verdict::Drop } else { Verdict::Accept });
        let verdict = match read_data_of(attribute(message, 5)) {
            Some(verdict) => Some(verdict),
            None if kind == 1 => policy,
            None => None,
        };
        let words = family_word(kept);
        let rule = handle.and_then(|handle| self.rules.get(&(kept, table.clone(), handle)));
        let (is_own, packet) = (table == own, packet(attribute(message, 8), attribute(message, 9)));
        Some(TraceEvent {
            id: number(6)?,
            hook: hook.and_then(|hook| match kept {
                5 => Some("ingress"),
                _ => HOOKS.get(usize::try_from(*hook).ok()?).copied(),
            }),
            rule: handle.map(|handle| rule.map_or_else(|| format!("# handle {handle}"), |(text, _)| text.clone())),
            counts: rule.and_then(|(_, counts)| *counts),
            verdict,
            is_policy: kind == 1,
            is_own,
            // Only the first message of a chain has the packet.
            is_passed: is_own && packet.is_some() && HOOKS.contains(&chain.as_str()),
            packet,
            links: [number(10), number(12)],
            table: format!("{words} {table}"),
            chain,
        })
    }
}

/// The verdict in a message: its code and its chain, without the attribute around them.
fn read_data_of(verdict: Option<&[u8]>) -> Option<Verdict> {
    let mut wrapped = Vec::new();
    Writer::new(&mut wrapped).nest(2, |inner| inner.raw(verdict.unwrap_or_default()));
    match read_data(&wrapped)? {
        Value::Verdict(verdict) => Some(verdict),
        _ => None,
    }
}

fn packet(network: Option<&[u8]>, transport: Option<&[u8]>) -> Option<TracedPacket> {
    let network = network?;
    let (source, destination, protocol) = match network.first()? >> 4 {
        4 => {
            let at = |from: usize| <[u8; 4]>::try_from(network.get(from..from + 4)?).ok().map(IpAddr::from);
            (at(12)?, at(16)?, *network.get(9)?)
        }
        6 => {
            let at = |from: usize| <[u8; 16]>::try_from(network.get(from..from + 16)?).ok().map(IpAddr::from);
            (at(8)?, at(24)?, *network.get(6)?)
        }
        _ => return None,
    };
    let half = |from: usize| Some(u16::from_be_bytes(transport?.get(from..from + 2)?.try_into().ok()?));
    let has_ports = matches!(protocol, 6 | 17);
    Some(TracedPacket { source, destination, protocol, ports: half(0).zip(half(2)).filter(|_| has_ports) })
}
