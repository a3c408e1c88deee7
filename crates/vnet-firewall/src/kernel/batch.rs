//! A change of one network's rules as one transaction: all of it or nothing.

use std::collections::BTreeSet;

use vnet_types::InterfaceName;

use super::attribute::Writer;
use super::element;
use super::message::{
    self, APPEND, CREATE, DELETE_CHAIN, DELETE_ELEMENT, DELETE_RULE, DELETE_SET, DELETE_TABLE, NEW_CHAIN, NEW_ELEMENT,
    NEW_RULE, NEW_SET, NEW_TABLE, NOT_RECURSIVE, TABLE,
};
use super::statement::{IndexOf, expressions};
use super::table::{Table, target};
use crate::compile::{base_chains, empty_maps};
use crate::name::{COMMENT_MAX, Role};
use crate::ruleset::{Chain, Element, Key, KeyType, Map, Rule, Ruleset};

/// The type number that stands for a verdict as data (`NFT_DATA_VERDICT`).
const DATA_VERDICT: u32 = 0xffff_ff00;
const LIST_ELEMENT: u16 = 1;

/// A transaction, encoded: for a netlink socket of protocol `NETLINK_NETFILTER`.
///
/// It touches only the chains and map elements of its network. What all networks share is made with the first, repaired where it
/// has drifted, and removed with the last. Made for what was installed when it was read: where any rule of the host has changed
/// since, the kernel refuses the transaction as a whole (`ERESTART`); read again then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The messages; none when there is nothing to change. Only the last but the closing one asks for an answer.
    pub bytes: Vec<u8>,
    subjects: Vec<String>,
}

/// Why rules cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The interface is matched by index, so it has to be there.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceName),
    /// Some packets belong to another network already.
    #[error("{key} is taken: {taken} leads to chain `{chain}` of another network")]
    Taken {
        /// The bridge or subnet that was to be added.
        key: Key,
        /// What the other network has.
        taken: Key,
        /// The other network's chain.
        chain: String,
    },
}

impl Batch {
    /// The transaction that takes a network from what is installed to what is wanted. `from` and `to` name the network; what
    /// is installed of it counts, not what `from` says. `index_of` tells the index of an interface.
    ///
    /// # Errors
    /// [`EncodeError`]: a bridge that is not there; a bridge, or addresses to translate, that another network has.
    pub fn new(
        installed: &Table,
        from: Option<&Ruleset>,
        to: Option<&Ruleset>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
    ) -> Result<Self, EncodeError> {
        let networks = from.into_iter().chain(to).map(|ruleset| ruleset.network.as_str());
        let own: BTreeSet<String> = networks.flat_map(|name| Role::ALL.map(|role| role.chain(name))).collect();
        let mut transaction = Transaction { index_of: &index_of, bytes: Vec::new(), subjects: Vec::new(), last: 0 };
        message::begin(&mut transaction.bytes, 0, installed.generation);
        transaction.subjects.push("the transaction".to_owned());
        match to {
            Some(to) => transaction.install(installed, &own, to)?,
            None => transaction.remove(installed, &own)?,
        }
        Ok(transaction.finish())
    }

    /// What the message of a sequence number is about, so that a refusal can be told: `rule … of chain …`.
    pub fn describe(&self, sequence: u32) -> Option<&str> {
        self.subjects.get(usize::try_from(sequence).ok()?).map(String::as_str)
    }

    /// Is there nothing to change?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

struct Transaction<'a> {
    index_of: IndexOf<'a>,
    bytes: Vec<u8>,
    subjects: Vec<String>,
    /// Where the last message starts.
    last: usize,
}

impl Transaction<'_> {
    fn install(&mut self, installed: &Table, own: &BTreeSet<String>, to: &Ruleset) -> Result<(), EncodeError> {
        if !installed.exists || installed.dormant {
            self.message(NEW_TABLE, CREATE, format!("table inet {TABLE}"), |table| {
                table.text(1, TABLE).u32(2, 0);
            });
        }
        for (number, map) in to.maps.iter().enumerate().filter(|(_, map)| installed.map(&map.name).is_none()) {
            self.make_map(map, u32::try_from(number).expect("four") + 1);
        }
        for map in &to.maps {
            let here = installed.map(&map.name).map_or(&[][..], |map| &map.elements);
            for element in here.iter().filter(|element| !map.elements.contains(element)) {
                let led = target(&element.verdict);
                if led.is_some_and(|chain| own.contains(chain)) {
                    self.element(DELETE_ELEMENT, map, element)?;
                } else if let Some(met) = map.elements.iter().find(|wanted| element::meet(&wanted.key, &element.key)) {
                    if let Some(chain) = led.filter(|chain| Role::ALL.iter().any(|role| role.is_of(chain))) {
                        let (key, taken, chain) = (met.key.clone(), element.key.clone(), chain.to_owned());
                        return Err(EncodeError::Taken { key, taken, chain });
                    }
                    self.element(DELETE_ELEMENT, map, element)?;
                }
            }
        }
        for chain in &to.chains {
            let here = installed.chain(&chain.name);
            if here.is_some_and(|here| !same_place(here, chain)) {
                self.delete_rules(&chain.name);
                self.delete_chain(&chain.name);
            }
            if here.is_none_or(|here| here.base != chain.base) {
                self.make_chain(chain);
            }
        }
        for chain in &to.chains {
            let here = installed.chain(&chain.name).filter(|here| same_place(here, chain));
            if here.is_some_and(|here| here.rules == chain.rules) {
                continue;
            }
            // Also where no rule is to be seen: someone else may have made them meanwhile.
            self.delete_rules(&chain.name);
            for rule in &chain.rules {
                self.rule(&chain.name, rule)?;
            }
        }
        for map in &to.maps {
            let here = installed.map(&map.name).map_or(&[][..], |map| &map.elements);
            for element in map.elements.iter().filter(|element| !here.contains(element)) {
                self.element(NEW_ELEMENT, map, element)?;
            }
        }
        let kept = |name: &String| to.chain(name).is_some();
        self.delete_chains(installed, own.iter().filter(|name| !kept(name)));
        Ok(())
    }

    fn remove(&mut self, installed: &Table, own: &BTreeSet<String>) -> Result<(), EncodeError> {
        let base: Vec<String> = base_chains().into_iter().map(|chain| chain.name).collect();
        let shared = |name: &String| base.contains(name) || own.contains(name);
        let last = installed.exists && installed.is_whole() && installed.chains.iter().all(|c| shared(&c.name));
        for map in &installed.maps {
            let leads_here =
                |element: &&Element| last || target(&element.verdict).is_some_and(|chain| own.contains(chain));
            for element in map.elements.iter().filter(leads_here) {
                self.element(DELETE_ELEMENT, map, element)?;
            }
        }
        if last {
            self.delete_chains(installed, base.iter().chain(own));
            for map in empty_maps().iter().filter(|map| installed.map(&map.name).is_some()) {
                self.message(DELETE_SET, 0, format!("removal of map {}", map.name), |set| {
                    set.text(1, TABLE).text(2, &map.name);
                });
            }
            // Not recursive: where another network has come meanwhile, the kernel refuses.
            self.message(DELETE_TABLE, NOT_RECURSIVE, format!("removal of table inet {TABLE}"), |table| {
                table.text(1, TABLE);
            });
        } else {
            self.delete_chains(installed, own.iter());
        }
        Ok(())
    }

    fn make_map(&mut self, map: &Map, number: u32) {
        self.message(NEW_SET, CREATE, format!("map {}", map.name), |set| {
            set.text(1, TABLE)
                .text(2, &map.name)
                .u32(3, map.key.flags())
                .u32(4, map.key.number())
                .u32(5, map.key.len())
                .u32(6, DATA_VERDICT)
                .u32(7, 0)
                .u32(10, number)
                .bytes(13, &map.key.user_data());
        });
    }

    fn make_chain(&mut self, chain: &Chain) {
        self.message(NEW_CHAIN, CREATE, format!("chain {}", chain.name), |attributes| {
            attributes.text(1, TABLE).text(3, &chain.name);
            if let Some(base) = &chain.base {
                attributes
                    .nest(4, |hook| {
                        hook.u32(1, base.hook).u32(2, base.priority.cast_unsigned());
                    })
                    .u32(5, base.policy)
                    .text(7, &base.kind);
            }
        });
    }

    fn delete_chains<'a>(&mut self, installed: &Table, names: impl Iterator<Item = &'a String>) {
        let here: Vec<&String> = names.filter(|name| installed.chain(name).is_some()).collect();
        for name in &here {
            self.delete_rules(name);
        }
        for name in here {
            self.delete_chain(name);
        }
    }

    fn delete_rules(&mut self, chain: &str) {
        self.message(DELETE_RULE, 0, format!("removal of the rules of chain {chain}"), |rule| {
            rule.text(1, TABLE).text(2, chain);
        });
    }

    fn delete_chain(&mut self, name: &str) {
        self.message(DELETE_CHAIN, 0, format!("removal of chain {name}"), |chain| {
            chain.text(1, TABLE).text(3, name);
        });
    }

    fn rule(&mut self, chain: &str, rule: &Rule) -> Result<(), EncodeError> {
        let mut encoded = Vec::new();
        for statement in &rule.statements {
            encoded.extend(expressions(statement, self.index_of).map_err(missing)?);
        }
        self.message(NEW_RULE, CREATE | APPEND, format!("rule `{rule}` of chain {chain}"), |attributes| {
            attributes.text(1, TABLE).text(2, chain).nest(4, |list| {
                for expression in &encoded {
                    list.nest(LIST_ELEMENT, |element| expression.write(element));
                }
            });
            if let Some(comment) = &rule.comment {
                attributes.bytes(7, &user_data(comment));
            }
        });
        Ok(())
    }

    fn element(&mut self, kind: u8, map: &Map, element: &Element) -> Result<(), EncodeError> {
        let encoded = element::write(element, self.index_of).map_err(missing)?;
        let (flags, act) = if kind == DELETE_ELEMENT { (0, "removal of ") } else { (CREATE, "") };
        self.message(kind, flags, format!("{act}element `{element}` of map {}", map.name), |attributes| {
            attributes.text(1, TABLE).text(2, &map.name).nest(3, |list| list.raw(&encoded));
        });
        Ok(())
    }

    fn message(&mut self, kind: u8, flags: u16, subject: String, fill: impl FnOnce(&mut Writer<'_>)) {
        self.last = self.bytes.len();
        let sequence = self.sequence();
        message::write(&mut self.bytes, kind, flags, sequence, fill);
        self.subjects.push(subject);
    }

    fn sequence(&self) -> u32 {
        u32::try_from(self.subjects.len()).expect("far fewer messages")
    }

    fn finish(mut self) -> Batch {
        if self.subjects.len() == 1 {
            return Batch { bytes: Vec::new(), subjects: Vec::new() };
        }
        message::acknowledge(&mut self.bytes, self.last);
        let sequence = self.sequence();
        message::end(&mut self.bytes, sequence);
        Batch { bytes: self.bytes, subjects: self.subjects }
    }
}

/// Do packets come to both in the same way? Of a chain that exists, the kernel changes nothing but the policy.
fn same_place(one: &Chain, other: &Chain) -> bool {
    let place = |chain: &Chain| chain.base.as_ref().map(|base| (base.kind.clone(), base.hook, base.priority));
    place(one) == place(other)
}

fn missing(name: &InterfaceName) -> EncodeError {
    EncodeError::NoInterface(name.clone())
}

/// A comment as nft(8) leaves it with a rule: type 0, length, text, NUL.
fn user_data(comment: &str) -> Vec<u8> {
    let text = &comment.as_bytes()[..comment.len().min(COMMENT_MAX)];
    let len = u8::try_from(text.len() + 1).expect("at most 129");
    [&[0, len], text, &[0]].concat()
}

impl KeyType {
    fn len(self) -> u32 {
        match self {
            Self::InterfaceIndex | Self::Ipv4Address => 4,
            Self::Ipv6Address => 16,
        }
    }

    /// What nft(8) notes with a map, and needs to show its keys: the byte order of keys (1 the host's, 2 the network's) and of
    /// data, and that no elements are to be merged.
    fn user_data(self) -> [u8; 18] {
        let order = if self == Self::InterfaceIndex { 1 } else { 2 };
        [0, 4, order, 0, 0, 0, 1, 4, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0]
    }
}
