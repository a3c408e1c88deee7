//! Rules as libnftables JSON (libnftables-json(5)), by the schema of the crate `nftables`.
//!
//! The table, chains, rules and elements are that crate's types. Its schema (0.6.3) cannot declare
//! our sets: it knows neither the key types `iface_index` and `nf_proto`, nor verdict maps with a
//! name, nor sets whose elements count. [`Declaration`] adds these. A set contains its elements,
//! because nft 1.0.6 cannot add elements to an interval set that the same transaction declares.

mod value;

use std::collections::HashSet;

use nftables::expr::{
    BinaryOperation, CT, Elem, Expression, Fib, FibFlag, FibResult, Map, Meta, MetaKey, NamedExpression, Payload,
    PayloadField,
};
use nftables::schema::{self, NfListObject, NfObject};
use nftables::stmt::{self, Flow, Match, NAT, NATFamily, Operator, Reject, RejectType, SetOp, VerdictMap};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook, RejectCode};
use serde::Serialize;
use vnet_types::Family;

use value::{addresses, interface, ports, range, subnet, target, text};

use crate::ruleset::{
    Base, Chain, Direction, Element, Field, Flowtable, Holds, Part, Rule, Ruleset, Set, Statement, Subject, Transport,
    Verdict,
};
use crate::shared::size;

/// The whole table with one network only, for `nft -j -f` on a host without such a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Json {
    /// The commands, in order.
    #[serde(rename = "nftables")]
    pub objects: Vec<Object>,
}

/// An object to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Object {
    /// An object that the schema of the crate `nftables` has.
    Schema(Box<NfObject<'static>>),
    /// The declaration of a set or of a verdict map.
    Set(Declaration),
}

/// The declaration of a set or of a verdict map, with its elements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Declaration {
    /// A set, whose elements may count.
    Set(Keys),
    /// A verdict map.
    Map(Keys),
}

/// The fields of both kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keys {
    family: NfFamily,
    table: &'static str,
    name: String,
    #[serde(rename = "type")]
    key: KeyTypes,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<KeyTypes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    #[serde(rename = "stmt", skip_serializing_if = "Vec::is_empty")]
    statements: Vec<stmt::Statement<'static>>,
    #[serde(rename = "elem", skip_serializing_if = "Vec::is_empty")]
    elements: Vec<Expr>,
}

/// The types of a key. nft reads a list with one item as a concatenation, which is another type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum KeyTypes {
    One(&'static str),
    Several(Vec<&'static str>),
}

const TABLE: &str = "vnet";
const FAMILY: NfFamily = NfFamily::INet;

type Expr = Expression<'static>;

impl Ruleset {
    /// The rules as libnftables JSON. Parts that vnet never makes, such as [`Statement::Unknown`],
    /// are left out.
    pub fn json(&self) -> Json {
        let schema = |object| Object::Schema(Box::new(NfObject::ListObject(object)));
        let table = schema::Table { family: FAMILY, name: TABLE.into(), handle: None };
        let mut objects = vec![schema(NfListObject::Table(table))];
        // Chains come before the elements that jump to them.
        objects.extend(self.chains.iter().map(|it| schema(NfListObject::Chain(chain(it)))));
        objects.extend(self.sets.iter().map(|set| Object::Set(declaration(set))));
        objects.extend(self.flowtable.iter().map(|it| schema(NfListObject::FlowTable(flowtable(it)))));
        for chain in &self.chains {
            objects.extend(chain.rules.iter().map(|it| schema(NfListObject::Rule(rule(&chain.name, it)))));
        }
        Json { objects }
    }
}

fn declaration(set: &Set) -> Declaration {
    let map = match set.holds {
        Holds::Verdict => Some(KeyTypes::One("verdict")),
        Holds::Target(Family::Ipv4) => Some(KeyTypes::Several(vec!["ipv4_addr", "inet_service"])),
        Holds::Target(Family::Ipv6) => Some(KeyTypes::Several(vec!["ipv6_addr", "inet_service"])),
        Holds::Nothing | Holds::Counter => None,
    };
    let is_map = map.is_some();
    let counter = stmt::Statement::Counter(stmt::Counter::Anonymous(None));
    let keys = Keys {
        family: FAMILY,
        table: TABLE,
        name: set.name.clone(),
        key: match set.key.as_slice() {
            [one] => KeyTypes::One(one.word()),
            several => KeyTypes::Several(several.iter().map(|kind| kind.word()).collect()),
        },
        map,
        size: size(&set.name),
        flags: set.interval.then_some("interval").into_iter().collect(),
        statements: (set.holds == Holds::Counter).then_some(counter).into_iter().collect(),
        elements: set.elements.iter().map(|it| element(it, set.holds)).collect(),
    };
    if is_map { Declaration::Map(keys) } else { Declaration::Set(keys) }
}

fn chain(chain: &Chain) -> schema::Chain<'static> {
    let empty =
        schema::Chain { family: FAMILY, table: TABLE.into(), name: chain.name.clone().into(), ..Default::default() };
    let Some(Base { kind, hook, priority, policy }) = &chain.base else { return empty };
    let hooks = [NfHook::Prerouting, NfHook::Input, NfHook::Forward, NfHook::Output, NfHook::Postrouting];
    schema::Chain {
        _type: Some(match kind.as_str() {
            "nat" => NfChainType::NAT,
            "route" => NfChainType::Route,
            _ => NfChainType::Filter,
        }),
        hook: usize::try_from(*hook).ok().and_then(|hook| hooks.get(hook).copied()),
        prio: Some(*priority),
        policy: Some(if *policy == 0 { NfChainPolicy::Drop } else { NfChainPolicy::Accept }),
        ..empty
    }
}

fn flowtable(flowtable: &Flowtable) -> schema::FlowTable<'static> {
    schema::FlowTable {
        family: FAMILY,
        table: TABLE.into(),
        name: flowtable.name.clone().into(),
        handle: None,
        hook: Some(NfHook::Ingress),
        // The schema knows no negative priority, which vnet never makes.
        prio: u32::try_from(flowtable.priority).ok(),
        dev: Some(flowtable.devices.iter().map(|device| device.to_string().into()).collect::<Vec<_>>().into()),
    }
}

fn element(element: &Element, holds: Holds) -> Expr {
    let mut parts: Vec<Expr> = element.key.0.iter().map(part).collect();
    let key = if parts.len() == 1 { parts.remove(0) } else { named(NamedExpression::Concat(parts)) };
    let counter = stmt::Counter::Anonymous(Some(stmt::AnonymousCounter { packets: Some(0), bytes: Some(0) }));
    let key = named(NamedExpression::Elem(Elem {
        val: Box::new(key),
        timeout: None,
        expires: None,
        comment: element.comment.clone().map(Into::into),
        counter: (holds == Holds::Counter).then_some(counter),
    }));
    match &element.verdict {
        Some(Verdict::Jump(chain)) => {
            Expression::List(vec![key, Expression::Verdict(nftables::expr::Verdict::Jump(target(chain)))])
        }
        Some(Verdict::Goto(chain)) => {
            Expression::List(vec![key, Expression::Verdict(nftables::expr::Verdict::Goto(target(chain)))])
        }
        _ => match element.target {
            Some(target) => {
                let target = vec![text(&target.ip()), Expression::Number(target.port().into())];
                Expression::List(vec![key, named(NamedExpression::Concat(target))])
            }
            None => key,
        },
    }
}

fn part(part: &Part) -> Expr {
    match part {
        Part::Word(word) => text(word),
        Part::Family(family) => text(family),
        Part::Interface(it) => interface(it),
        Part::Address(address) => text(address),
        Part::Subnet(net) => subnet(*net),
        Part::Range(first, last) => range([text(first), text(last)]),
        Part::Protocol(transport) => text(transport),
        Part::Port(port) => Expression::Number((*port).into()),
    }
}

fn rule(chain: &str, rule: &Rule) -> schema::Rule<'static> {
    let shown = rule.statements.iter().enumerate().filter(|(at, _)| !rule.is_implied(*at));
    let statements: Vec<_> = shown.filter_map(|(_, it)| statement(it)).collect();
    schema::Rule {
        family: FAMILY,
        table: TABLE.into(),
        chain: chain.to_owned().into(),
        expr: statements.into(),
        comment: rule.comment.clone().map(Into::into),
        ..Default::default()
    }
}

fn statement(statement: &Statement) -> Option<stmt::Statement<'static>> {
    use stmt::Statement as Nft;
    Some(match statement {
        Statement::Family(family) => matches(meta(MetaKey::Nfproto), Operator::EQ, text(family)),
        Statement::Transport(transport) => matches(meta(MetaKey::L4proto), Operator::EQ, text(transport)),
        Statement::Interface(direction, it) => matches(side(*direction), Operator::EQ, interface(it)),
        Statement::InterfaceName(direction, name) => {
            let key = match direction {
                Direction::In => MetaKey::Iifname,
                Direction::Out => MetaKey::Oifname,
            };
            // As in the language of nft(8), a star at the end that is not escaped stands for
            // anything.
            let name = match name.as_str().strip_suffix('*') {
                Some(front) => format!("{front}\\*"),
                None => name.to_string(),
            };
            matches(meta(key), Operator::EQ, text(&name))
        }
        Statement::Address { field, negated, net } => {
            let operator = if *negated { Operator::NEQ } else { Operator::EQ };
            matches(payload(Family::of(net.addr()), *field), operator, subnet(*net))
        }
        Statement::Established => {
            let state = named(NamedExpression::CT(CT { key: "state".into(), family: None, dir: None }));
            matches(state, Operator::IN, Expression::List(vec![text(&"established"), text(&"related")]))
        }
        Statement::Redirected => {
            let status = named(NamedExpression::CT(CT { key: "status".into(), family: None, dir: None }));
            matches(status, Operator::IN, text(&"dnat"))
        }
        Statement::LocalDestination => {
            let fib = Fib { result: FibResult::Type, flags: HashSet::from([FibFlag::Daddr]) };
            matches(named(NamedExpression::Fib(fib)), Operator::EQ, text(&"local"))
        }
        Statement::New => {
            let state = named(NamedExpression::CT(CT { key: "state".into(), family: None, dir: None }));
            matches(state, Operator::IN, text(&"new"))
        }
        Statement::Midway => {
            let flags = Expression::List(["fin", "syn", "rst", "ack"].map(|flag| text(&flag)).to_vec());
            let masked = BinaryOperation::AND(field_of("tcp", "flags"), flags);
            matches(Expression::BinaryOperation(Box::new(masked)), Operator::NEQ, text(&"syn"))
        }
        Statement::Reply => {
            let direction = named(NamedExpression::CT(CT { key: "direction".into(), family: None, dir: None }));
            matches(direction, Operator::EQ, text(&"reply"))
        }
        Statement::Port(transport, port) => {
            let protocol = if *transport == Transport::Tcp { "tcp" } else { "udp" };
            matches(field_of(protocol, "dport"), Operator::EQ, ports(*port))
        }
        Statement::Icmp(family) => {
            let protocol = if *family == Family::Ipv4 { "icmp" } else { "ipv6-icmp" };
            matches(meta(MetaKey::L4proto), Operator::EQ, text(&protocol))
        }
        Statement::Icmpv6Type(kind) => {
            matches(field_of("icmpv6", "type"), Operator::EQ, Expression::Number((*kind).into()))
        }
        Statement::Counter => Nft::Counter(stmt::Counter::Anonymous(None)),
        Statement::Verdict(Verdict::Accept) => Nft::Accept(None),
        Statement::Verdict(Verdict::Drop) => Nft::Drop(None),
        Statement::Verdict(Verdict::Return) => Nft::Return(None),
        Statement::Verdict(Verdict::Jump(chain)) => Nft::Jump(target(chain)),
        Statement::Verdict(Verdict::Goto(chain)) => Nft::Goto(target(chain)),
        Statement::Reject(family) => {
            let kind = match family {
                None => RejectType::ICMPX,
                Some(Family::Ipv4) => RejectType::ICMP,
                Some(Family::Ipv6) => RejectType::ICMPv6,
            };
            Nft::Reject(Some(Reject { _type: Some(kind), expr: Some(RejectCode::PortUnreach) }))
        }
        Statement::Masquerade(to) => {
            let nat = to.map(|to| NAT { addr: None, family: None, port: Some(ports(to)), flags: None });
            Nft::Masquerade(nat)
        }
        Statement::Snat { addresses: to, ports: port } => Nft::SNAT(Some(NAT {
            addr: Some(addresses(*to)),
            family: Some(NATFamily::IP),
            port: port.map(ports),
            flags: None,
        })),
        Statement::Lookup { subjects, set, decides } => {
            let key = key(subjects);
            let set = text(&format!("@{set}"));
            match decides {
                true => Nft::VerdictMap(VerdictMap { key, data: set }),
                false => matches(key, Operator::EQ, set),
            }
        }
        Statement::Dnat { family, subjects, map } => {
            let family = match family {
                Family::Ipv4 => NATFamily::IP,
                Family::Ipv6 => NATFamily::IP6,
            };
            let map = Map { key: key(subjects), data: text(&format!("@{map}")) };
            let addr = Some(named(NamedExpression::Map(Box::new(map))));
            Nft::DNAT(Some(NAT { addr, family: Some(family), port: None, flags: None }))
        }
        Statement::Offload(flowtable) => Nft::Flow(Flow { op: SetOp::Add, flowtable: format!("@{flowtable}").into() }),
        Statement::Verdict(Verdict::Other(_)) | Statement::Unknown(_) => return None,
    })
}

fn key(subjects: &[Subject]) -> Expr {
    let mut keys: Vec<Expr> = subjects.iter().map(subject).collect();
    if keys.len() == 1 { keys.remove(0) } else { named(NamedExpression::Concat(keys)) }
}

fn subject(subject: &Subject) -> Expr {
    match subject {
        Subject::Family => meta(MetaKey::Nfproto),
        Subject::Interface(direction) => side(*direction),
        Subject::InterfaceName(Direction::In) => meta(MetaKey::Iifname),
        Subject::InterfaceName(Direction::Out) => meta(MetaKey::Oifname),
        Subject::Protocol => meta(MetaKey::L4proto),
        Subject::Port(field) => field_of("th", if *field == Field::Source { "sport" } else { "dport" }),
        Subject::Address { field, family, .. } => {
            let address = payload(*family, *field);
            match subject.mask() {
                Some(mask) => Expression::BinaryOperation(Box::new(BinaryOperation::AND(address, text(&mask)))),
                None => address,
            }
        }
    }
}

fn matches(left: Expr, op: Operator, right: Expr) -> stmt::Statement<'static> {
    stmt::Statement::Match(Match { left, right, op })
}

fn named(expression: NamedExpression<'static>) -> Expr {
    Expression::Named(expression)
}

fn meta(key: MetaKey) -> Expr {
    named(NamedExpression::Meta(Meta { key }))
}

fn side(direction: Direction) -> Expr {
    meta(match direction {
        Direction::In => MetaKey::Iif,
        Direction::Out => MetaKey::Oif,
    })
}

fn payload(family: Family, field: Field) -> Expr {
    let protocol = match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    };
    field_of(protocol, &field.to_string())
}

fn field_of(protocol: &'static str, field: &str) -> Expr {
    let field = PayloadField { protocol: protocol.into(), field: field.to_owned().into() };
    named(NamedExpression::Payload(Payload::PayloadField(field)))
}
