//! libvirt's rules in the kernel: the tables `ip` and `ip6 libvirt_network` of its backend
//! `nftables`, and the chains `LIBVIRT_*` that its backend `iptables` makes in the tables of
//! iptables-nft.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vnet_nlattr::{MESSAGE_HEADER, Writer};
use vnet_types::IpNet;

use super::attribute::{attribute, attributes, text_of, u32_of};
use super::expression::{BITWISE, CMP, Expression, META, PAYLOAD};
use super::message::{
    self, DELETE_CHAIN, DELETE_RULE, DELETE_TABLE, DUMP, GET_CHAIN, GET_RULE, GET_TABLE, HEADER, NEW_CHAIN,
    NEW_GENERATION, NEW_RULE, NEW_TABLE,
};
use crate::LibvirtRules;
use crate::ruleset::Verdict;

const IPV4: u8 = 2;
const IPV6: u8 = 10;
const OWN_TABLE: &str = "libvirt_network";
const CHAIN_PREFIX: &str = "LIBVIRT_";

/// Family, table and chain.
type Place = (u8, String, String);

/// What libvirt has in the kernel, seen by one of its networks.
#[derive(Default)]
pub(crate) struct Installed {
    generation: Option<u32>,
    tables: BTreeSet<(u8, String)>,
    chains: BTreeSet<Place>,
    /// The rules of the network, by handle.
    own: Vec<(Place, Vec<u8>)>,
    /// The rules that send packets to libvirt's chains in the tables of iptables.
    jumps: Vec<(Place, Vec<u8>)>,
    /// Whether other networks, or anybody else, have rules in libvirt's chains.
    others: bool,
}

impl Installed {
    pub(crate) fn requests() -> [Vec<u8>; 3] {
        [GET_TABLE, GET_CHAIN, GET_RULE].map(|kind| {
            let mut bytes = Vec::new();
            message::write(&mut bytes, kind, DUMP, 0, |_| {});
            // Of every family.
            bytes[MESSAGE_HEADER] = 0;
            bytes
        })
    }

    /// Reads the answers to [`requests`](Self::requests) and to that for the generation. `index` is
    /// that of the network's bridge.
    pub(crate) fn decode(messages: &[Vec<u8>], network: &LibvirtRules, index: Option<u32>) -> Self {
        let mut installed = Self::default();
        for message in messages {
            let Some((header, message)) = message.split_first_chunk::<HEADER>() else { continue };
            let (family, [_, kind]) =
                (header[MESSAGE_HEADER], u16::from_ne_bytes([header[4], header[5]]).to_be_bytes());
            if kind == NEW_GENERATION {
                installed.generation = attribute(message, 1).and_then(u32_of);
            }
            let Some(table) = attribute(message, 1).and_then(text_of).filter(|_| [IPV4, IPV6].contains(&family)) else {
                continue;
            };
            match kind {
                NEW_TABLE if table == OWN_TABLE => drop(installed.tables.insert((family, table))),
                NEW_CHAIN => {
                    let Some(chain) = attribute(message, 3).and_then(text_of) else { continue };
                    if is_of_libvirt(&table, &chain) {
                        installed.chains.insert((family, table, chain));
                    }
                }
                NEW_RULE => {
                    let chain = attribute(message, 2).and_then(text_of);
                    let (Some(chain), Some(handle)) = (chain, attribute(message, 3)) else { continue };
                    installed.add((family, table, chain), handle, message, network, index);
                }
                _ => {}
            }
        }
        installed
    }

    fn add(&mut self, place: Place, handle: &[u8], rule: &[u8], network: &LibvirtRules, index: Option<u32>) {
        let (_, table, chain) = &place;
        let list = attribute(rule, 4).unwrap_or_default();
        let expressions: Vec<_> = attributes(list).map(|(_, expression)| Expression::read(expression)).collect();
        let target = expressions.iter().find_map(|expression| match expression.verdict(2)? {
            Verdict::Jump(target) => Some(target),
            _ => None,
        });
        let is_jump = target.is_some_and(|target| is_of_libvirt(table, target));
        if !is_of_libvirt(table, chain) {
            if is_jump {
                self.jumps.push((place, handle.to_vec()));
            }
        } else if is_about(&expressions, network, index) {
            self.own.push((place, handle.to_vec()));
        } else if !is_jump {
            self.others = true;
        }
    }

    /// Whether the network has rules.
    pub(crate) fn has_rules(&self) -> bool {
        !self.own.is_empty()
    }

    /// The transaction that removes the rules of the network, with libvirt's chains and tables when
    /// nobody else has a rule in them. `None` when there is nothing to remove.
    pub(crate) fn removal(&self) -> Option<Vec<u8>> {
        let is_last = !self.others;
        if self.own.is_empty() && !(is_last && (!self.tables.is_empty() || !self.chains.is_empty())) {
            return None;
        }
        let mut batch = Removal { bytes: Vec::new(), sequence: 0, last: 0 };
        message::begin(&mut batch.bytes, 0, self.generation);
        // The table goes with all that is in it.
        let goes = |(family, table, _): &Place| is_last && self.tables.contains(&(*family, table.clone()));
        let rules = self.own.iter().chain(self.jumps.iter().filter(|_| is_last));
        for ((family, table, chain), handle) in rules.filter(|(place, _)| !goes(place)) {
            batch.message(DELETE_RULE, *family, |rule| {
                rule.text(1, table).text(2, chain).bytes(3, handle);
            });
        }
        for (family, table, chain) in self.chains.iter().filter(|place| is_last && !goes(place)) {
            batch.message(DELETE_CHAIN, *family, |attributes| {
                attributes.text(1, table).text(3, chain);
            });
        }
        for (family, table) in self.tables.iter().filter(|_| is_last) {
            batch.message(DELETE_TABLE, *family, |attributes| {
                attributes.text(1, table);
            });
        }
        Some(batch.finish())
    }
}

struct Removal {
    bytes: Vec<u8>,
    sequence: u32,
    /// Where the last message starts.
    last: usize,
}

impl Removal {
    fn message(&mut self, kind: u8, family: u8, fill: impl FnOnce(&mut Writer<'_>)) {
        self.last = self.bytes.len();
        self.sequence += 1;
        message::write(&mut self.bytes, kind, 0, self.sequence, fill);
        self.bytes[self.last + MESSAGE_HEADER] = family;
    }

    fn finish(mut self) -> Vec<u8> {
        message::acknowledge(&mut self.bytes, self.last);
        message::end(&mut self.bytes, self.sequence + 1);
        self.bytes
    }
}

fn is_of_libvirt(table: &str, chain: &str) -> bool {
    table == OWN_TABLE || ["filter", "nat", "mangle"].contains(&table) && chain.starts_with(CHAIN_PREFIX)
}

/// What a register holds.
#[derive(Clone, Copy)]
enum Loaded<'a> {
    Index,
    Name,
    /// The first bytes of the source address.
    Source(Option<&'a [u8]>),
}

/// Whether a rule names the network's bridge, or the source addresses of one of its subnets.
pub(super) fn is_about(expressions: &[Expression], network: &LibvirtRules, index: Option<u32>) -> bool {
    let mut loaded = None;
    for expression in expressions {
        if expression.is(&META) {
            loaded = match expression.u32(2) {
                Some(4 | 5) => Some(Loaded::Index),
                Some(6 | 7) => Some(Loaded::Name),
                _ => None,
            };
        } else if expression.is(&PAYLOAD) {
            let is_source = expression.u32(2) == Some(1) && matches!(expression.u32(3), Some(8 | 12));
            loaded = is_source.then_some(Loaded::Source(None));
        } else if expression.is(&BITWISE) {
            loaded = loaded.map(|it| if let Loaded::Source(_) = it { Loaded::Source(expression.bytes(4)) } else { it });
        } else if expression.is(&CMP) {
            let is_equal = expression.u32(2).unwrap_or(0) == 0;
            let Some(data) = expression.bytes(3).filter(|_| is_equal) else { continue };
            let names = match loaded {
                Some(Loaded::Index) => index.is_some_and(|index| data == index.to_ne_bytes()),
                Some(Loaded::Name) => text_of(data).as_deref() == Some(network.bridge.as_str()),
                Some(Loaded::Source(mask)) => network.subnets.iter().any(|subnet| is_subnet(subnet, data, mask)),
                None => false,
            };
            if names {
                return true;
            }
        }
    }
    false
}

/// Whether these leading bytes of an address, under a mask, are those of a subnet.
fn is_subnet(subnet: &IpNet, bytes: &[u8], mask: Option<&[u8]>) -> bool {
    let address = match subnet.trunc().addr() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bits = match mask {
        Some(mask) => mask.iter().map(|byte| byte.count_ones()).sum(),
        None => u32::try_from(bytes.len() * 8).unwrap_or(0),
    };
    bits == u32::from(subnet.prefix_len()) && address.starts_with(bytes)
}
