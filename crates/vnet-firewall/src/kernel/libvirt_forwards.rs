//! Rules of ours in libvirt's chains, which let packets to forwarded ports of guests through.
//!
//! In the tables of iptables-nft they consist of what every iptables-nft reads: it, and libvirt
//! with it, would refuse a table with anything else in it.

use vnet_nlattr::{MESSAGE_HEADER, Writer};
use vnet_types::Family;

use super::attribute::{attribute, attributes};
use super::expression::{self, COUNTER, Expression, Layout, Value};
use super::libvirt::is_about;
use super::message::{self, CREATE, DELETE_RULE, DUMP, GET_RULE, HEADER, NEW_GENERATION, NEW_RULE};
use super::statement::{self, EQUAL, META_OIFNAME, l4proto, nfproto};
use super::table::Table;
use super::user_data;
use crate::name::{comment, owner};
use crate::ruleset::{Direction, Field, Statement, Transport, Verdict};
use crate::{LibvirtForwards, LibvirtRules, ReachedPorts};

/// The chains of libvirt that are asked first: table and chain. There is one of each family.
const CHAINS: [(&str, &str); 2] = [("libvirt_network", "guest_cross"), (IPTABLES, "LIBVIRT_FWX")];
const IPTABLES: &str = "filter";
/// `name`, `revision`, `info`
const MATCH: Layout = Layout::unread("match");
/// `sizeof(struct xt_conntrack_mtinfo3)`, and where its flags are.
const CONNTRACK: usize = 168;
const CONNTRACK_FLAGS: usize = 146;
const CONNTRACK_STATES: usize = 150;
/// `XT_CONNTRACK_STATE`
const BY_STATE: u16 = 1;
/// `XT_CONNTRACK_STATE_DNAT`
const STATE_DNAT: u16 = 0x80;

/// What the chains have that concerns one network.
#[derive(Default)]
pub(crate) struct Passages {
    generation: Option<u32>,
    chains: Vec<Place>,
}

/// One chain.
struct Place {
    family: Family,
    table: &'static str,
    chain: &'static str,
    /// Whether libvirt has a rule for the network here.
    is_used: bool,
    /// Our rules, by handle, each with its expressions.
    ours: Vec<(Vec<u8>, Vec<Expression>)>,
}

impl Passages {
    pub(crate) fn requests() -> Vec<Vec<u8>> {
        let rules = places().map(|place| {
            let mut bytes = Vec::new();
            message::write(&mut bytes, GET_RULE, DUMP, 0, |rule| {
                rule.text(1, place.table).text(2, place.chain);
            });
            bytes[MESSAGE_HEADER] = nfproto(place.family);
            bytes
        });
        [Table::generation_request()].into_iter().chain(rules).collect()
    }

    /// Reads the answers to [`requests`](Self::requests). `index` is that of the network's bridge.
    pub(crate) fn decode(messages: &[Vec<u8>], network: &LibvirtForwards, index: Option<u32>) -> Self {
        let mut passages = Self { generation: None, chains: places().collect() };
        let (mark, theirs) =
            (owner(&network.network), LibvirtRules { bridge: network.bridge.clone(), subnets: Vec::new() });
        for message in messages {
            let Some((header, message)) = message.split_first_chunk::<HEADER>() else { continue };
            let [_, kind] = u16::from_ne_bytes([header[4], header[5]]).to_be_bytes();
            if kind == NEW_GENERATION {
                passages.generation = attribute(message, 1).and_then(super::attribute::u32_of);
            }
            if kind != NEW_RULE {
                continue;
            }
            let text = |number| attribute(message, number).and_then(super::attribute::text_of);
            let (Some(table), Some(chain), Some(handle)) = (text(1), text(2), attribute(message, 3)) else { continue };
            let is_here = |place: &&mut Place| {
                nfproto(place.family) == header[MESSAGE_HEADER] && (place.table, place.chain) == (&*table, &*chain)
            };
            let Some(place) = passages.chains.iter_mut().find(is_here) else { continue };
            let expressions = read(attribute(message, 4).unwrap_or_default());
            let told = attribute(message, 7).and_then(user_data::read_comment);
            if told.is_some_and(|comment| comment.starts_with(&mark)) {
                place.ours.push((handle.to_vec(), expressions));
            } else {
                place.is_used |= is_about(&expressions, &theirs, index);
            }
        }
        passages
    }

    /// Whether libvirt has rules for the network where these ports need one of ours.
    pub(crate) fn has_room_for(&self, network: &LibvirtForwards) -> bool {
        let has = |ports: &ReachedPorts| self.used(ports).next().is_some();
        network.ports.iter().all(has)
    }

    /// What is let through, in every chain that libvirt uses for the network.
    pub(crate) fn found(&self, network: &LibvirtForwards) -> Option<LibvirtForwards> {
        let is_there = |ports: &&ReachedPorts| {
            let has = |place: &Place| {
                let wanted = place.expressions(network, ports);
                place.ours.iter().any(|(_, rule)| *rule == wanted)
            };
            self.used(ports).next().is_some() && self.used(ports).all(has)
        };
        let ports: Vec<_> = network.ports.iter().filter(is_there).cloned().collect();
        let has_any = self.chains.iter().any(|place| !place.ours.is_empty());
        has_any.then(|| LibvirtForwards { ports, ..network.clone() })
    }

    /// The transaction that removes our rules for the network, and makes others.
    pub(crate) fn replacement(&self, to: Option<&LibvirtForwards>) -> Option<Vec<u8>> {
        let (mut bytes, mut last, mut sequence) = (Vec::new(), 0, 0);
        message::begin(&mut bytes, 0, self.generation);
        let mut add = |kind, flags, place: &Place, fill: &dyn Fn(&mut Writer<'_>)| {
            last = bytes.len();
            sequence += 1;
            message::write(&mut bytes, kind, flags, sequence, |rule| {
                rule.text(1, place.table).text(2, place.chain);
                fill(rule);
            });
            bytes[last + MESSAGE_HEADER] = nfproto(place.family);
        };
        for place in &self.chains {
            for (handle, _) in &place.ours {
                add(DELETE_RULE, 0, place, &|rule| {
                    rule.bytes(3, handle);
                });
            }
        }
        let wanted = to.into_iter().flat_map(|network| network.ports.iter().map(move |ports| (network, ports)));
        for (network, ports) in wanted {
            for place in self.used(ports) {
                add(NEW_RULE, CREATE, place, &|rule| place.write(network, ports, rule));
            }
        }
        if last == 0 {
            return None;
        }
        message::acknowledge(&mut bytes, last);
        message::end(&mut bytes, sequence + 1);
        Some(bytes)
    }

    fn used(&self, ports: &ReachedPorts) -> impl Iterator<Item = &Place> {
        let family = Family::of(ports.guest);
        self.chains.iter().filter(move |place| place.is_used && place.family == family)
    }
}

impl Place {
    fn write(&self, network: &LibvirtForwards, ports: &ReachedPorts, rule: &mut Writer<'_>) {
        expression::write_all(&self.made(network, ports), rule);
        if self.table == IPTABLES {
            // Matches of a protocol's ports ask which protocol the rule is for.
            rule.nest(5, |compatible| {
                compatible.be32(1, u32::from(l4proto(ports.transport))).be32(2, 0);
            });
        }
        let what = format!("{} {}: a port that the host leads to", ports.guest, word(ports.transport));
        rule.bytes(7, &user_data::comment(&comment(&network.network, &what)));
    }

    /// The expressions of a rule as they are read back.
    fn expressions(&self, network: &LibvirtForwards, ports: &ReachedPorts) -> Vec<Expression> {
        let mut list = Vec::new();
        let mut writer = Writer::new(&mut list);
        for expression in self.made(network, ports) {
            writer.nest(1, |item| expression.write(item));
        }
        read(&list)
    }

    fn made(
        &self,
        network: &LibvirtForwards,
        ReachedPorts { guest, transport, ports }: &ReachedPorts,
    ) -> Vec<Expression> {
        let of = |statement: &Statement| {
            // Nothing here is matched by the index of an interface.
            statement::expressions(statement, &|_| None).unwrap_or_default()
        };
        let to = Statement::Address { field: Field::Destination, negated: false, net: (*guest).into() };
        let end = [Statement::Counter, Statement::Verdict(Verdict::Accept)];
        if self.table != IPTABLES {
            let out = Statement::InterfaceName(Direction::Out, network.bridge.clone());
            let matches = [out, to, Statement::Port(*transport, *ports), Statement::Redirected];
            return matches.iter().chain(&end).flat_map(of).collect();
        }
        let name = [network.bridge.as_str().as_bytes(), b"\0"].concat();
        let mut rule = vec![statement::meta(META_OIFNAME), statement::compare(EQUAL, name)];
        rule.extend(of(&Statement::Transport(*transport)));
        rule.extend(of(&to));
        rule.push(matched("conntrack", 3, redirected()));
        let range = [0, u16::MAX, ports.start(), ports.end()].map(u16::to_ne_bytes).concat();
        rule.push(matched(word(*transport), 0, [&range[..], &[0; 8]].concat()));
        rule.extend(end.iter().flat_map(of));
        rule
    }
}

fn places() -> impl Iterator<Item = Place> {
    [Family::Ipv4, Family::Ipv6].into_iter().flat_map(|family| {
        CHAINS.map(|(table, chain)| Place { family, table, chain, is_used: false, ours: Vec::new() })
    })
}

/// A list of expressions, without what packets have counted.
fn read(list: &[u8]) -> Vec<Expression> {
    let all = attributes(list).map(|(_, expression)| Expression::read(expression));
    all.filter(|expression| !expression.is(&COUNTER)).collect()
}

/// A match of iptables.
fn matched(name: &str, revision: u32, info: Vec<u8>) -> Expression {
    let values = [(1, Value::Text(name.to_owned())), (2, Value::U32(revision)), (3, Value::Raw(info))];
    Expression::new(&MATCH, values)
}

/// `--ctstate DNAT`: the destination of the connection was translated.
fn redirected() -> Vec<u8> {
    let mut info = vec![0; CONNTRACK];
    info[CONNTRACK_FLAGS..][..2].copy_from_slice(&BY_STATE.to_ne_bytes());
    info[CONNTRACK_STATES..][..2].copy_from_slice(&STATE_DNAT.to_ne_bytes());
    info
}

fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}
