//! A change of one network's rules, or of several networks' at once, as one transaction.

use std::collections::BTreeSet;

use vnet_types::InterfaceName;

use super::attribute::Writer;
use super::message::{
    self, APPEND, CREATE, DELETE_CHAIN, DELETE_ELEMENT, DELETE_FLOWTABLE, DELETE_RULE, DELETE_SET, DELETE_TABLE,
    EXCLUSIVE, NEW_CHAIN, NEW_ELEMENT, NEW_FLOWTABLE, NEW_RULE, NEW_SET, NEW_TABLE, NOT_RECURSIVE, TABLE,
};
use super::own::{Owner, is_idle, is_own, network_of, owners};
use super::statement::{IndexOf, expressions};
use super::table::Table;
use super::{element, expression, flowtable};
use super::{set, user_data};
use crate::ruleset::{Chain, Element, Flowtable, Key, Rule, Ruleset, Set};
use crate::shared::{ACCELERATE, Share};

/// A transaction, encoded: for a netlink socket of protocol `NETLINK_NETFILTER`.
///
/// It changes only the chains and map elements of its networks. It creates the shared parts with
/// the first network that needs them, repairs them if they have drifted, and removes them with the
/// last. The transaction is for the rules as they were read: if any rule of the host has changed
/// since, the kernel refuses the whole transaction (`ERESTART`), and the caller has to read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The messages; empty when there is nothing to change. Only the last message before the
    /// closing one asks for an answer.
    pub bytes: Vec<u8>,
    subjects: Vec<String>,
    removed: Vec<Share>,
}

/// Why rules cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// An interface that is matched by index does not exist.
    #[error("there is no interface `{0}`")]
    NoInterface(InterfaceName),
    /// Another network has the bridge or the addresses already.
    #[error("{key} is taken: {taken} is of network `{network}`")]
    Taken {
        /// The bridge or subnet that was to be added.
        key: Key,
        /// The bridge or subnet of the other network.
        taken: Key,
        /// The other network, by its name in comments.
        network: String,
    },
}

impl Batch {
    /// The transaction that changes a network from the installed rules to the wanted ones. `from`
    /// and `to` name the network; the installed rules count, even where `from` differs. `index_of`
    /// returns the index of an interface.
    ///
    /// # Errors
    /// [`EncodeError`]: the bridge does not exist, or another network has the bridge or translates
    /// the addresses.
    pub fn new(
        installed: &Table,
        from: Option<&Ruleset>,
        to: Option<&Ruleset>,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
    ) -> Result<Self, EncodeError> {
        let own = owners(installed, from.into_iter().chain(to));
        Self::of(installed, &index_of, |transaction| match to {
            Some(to) => transaction.install(installed, &own, to),
            None => transaction.remove(installed, &own),
        })
    }

    /// The transaction that adds networks to a table that has the shared parts that they need.
    #[cfg(feature = "netlink")]
    pub(crate) fn adding(installed: &Table, all: &[&Ruleset], index_of: IndexOf<'_>) -> Result<Self, EncodeError> {
        let install = |transaction: &mut Transaction<'_>, ruleset: &Ruleset| {
            transaction.install(installed, &owners(installed, [ruleset]), ruleset)
        };
        Self::of(installed, index_of, |transaction| all.iter().try_for_each(|it| install(transaction, it)))
    }

    /// The transaction that removes networks.
    #[cfg(feature = "netlink")]
    pub(crate) fn removing(installed: &Table, all: &[&Ruleset], index_of: IndexOf<'_>) -> Result<Self, EncodeError> {
        let own = owners(installed, all.iter().copied());
        Self::of(installed, index_of, |transaction| transaction.remove(installed, &own))
    }

    fn of(
        installed: &Table,
        index_of: IndexOf<'_>,
        fill: impl FnOnce(&mut Transaction<'_>) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let (mut bytes, subjects) = (Vec::new(), vec!["the transaction".to_owned()]);
        message::begin(&mut bytes, 0, installed.generation);
        let mut transaction = Transaction { index_of, bytes, subjects, last: 0, removed: Vec::new() };
        fill(&mut transaction)?;
        Ok(transaction.finish())
    }

    /// The object of the message with a sequence number, for the text of a refusal: `rule … of
    /// chain …`.
    pub fn describe(&self, sequence: u32) -> Option<&str> {
        self.subjects.get(usize::try_from(sequence).ok()?).map(String::as_str)
    }

    /// Whether it removes a shared part.
    #[cfg(feature = "netlink")]
    pub(crate) fn removes(&self, share: Share) -> bool {
        self.removed.contains(&share)
    }

    /// Whether there is nothing to change.
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
    removed: Vec<Share>,
}

impl Transaction<'_> {
    fn install(&mut self, installed: &Table, own: &[Owner], to: &Ruleset) -> Result<(), EncodeError> {
        if !installed.exists || installed.dormant {
            self.message(NEW_TABLE, CREATE, format!("table inet {TABLE}"), |table| {
                table.text(1, TABLE).be32(2, 0);
            });
        }
        for (number, set) in to.sets.iter().enumerate().filter(|(_, set)| installed.set(&set.name).is_none()) {
            self.message(NEW_SET, CREATE, format!("set {}", set.name), |attributes| {
                set::write(set, u32::try_from(number).expect("some dozen") + 1, attributes);
            });
        }
        if let Some(flowtable) = to.flowtable.as_ref().filter(|_| installed.flowtable.is_none()) {
            self.make_flowtable(flowtable);
        }
        for set in &to.sets {
            let here = installed.set(&set.name).map_or(&[][..], |set| &set.elements);
            let wanted: BTreeSet<&Element> = set.elements.iter().collect();
            for element in here.iter().filter(|element| !wanted.contains(element)) {
                if is_own(own, element) {
                    self.element(DELETE_ELEMENT, set, element)?;
                } else if let Some(met) = set.elements.iter().find(|wanted| element::meet(&wanted.key, &element.key)) {
                    if let Some(network) = network_of(element) {
                        let (key, taken) = (met.key.clone(), element.key.clone());
                        return Err(EncodeError::Taken { key, taken, network: network.to_owned() });
                    }
                    self.element(DELETE_ELEMENT, set, element)?;
                }
            }
        }
        let wanted = |set: &&Set| to.sets.iter().any(|wanted| wanted.name == set.name);
        for set in installed.sets.iter().filter(|set| !wanted(set)) {
            for element in set.elements.iter().filter(|element| is_own(own, element)) {
                self.element(DELETE_ELEMENT, set, element)?;
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
            // Flush it even if no rule was read: somebody else may have added some since.
            self.delete_rules(&chain.name);
            for rule in &chain.rules {
                self.rule(&chain.name, rule)?;
            }
        }
        for set in &to.sets {
            let here = installed.set(&set.name).map_or(&[][..], |set| &set.elements);
            let here: BTreeSet<&Element> = here.iter().collect();
            for element in set.elements.iter().filter(|element| !here.contains(element)) {
                self.element(NEW_ELEMENT, set, element)?;
            }
        }
        let is_over = |share: &Share| {
            let is_there = share.chains().iter().any(|chain| installed.chain(&chain.name).is_some());
            let is_wanted = share.chains().iter().any(|chain| to.chain(&chain.name).is_some());
            is_there && !is_wanted && is_idle(*share, installed, own)
        };
        let over: Vec<Share> = Share::SOME.into_iter().filter(is_over).collect();
        for (name, element) in over.iter().flat_map(|share| share.elements()) {
            if let Some(set) = installed.set(name).filter(|set| set.elements.contains(element)) {
                self.element(DELETE_ELEMENT, set, element)?;
            }
        }
        self.flush(installed, own, Some(to))?;
        let own = own.iter().flat_map(|own| &own.chains);
        self.take_away(installed, &over, own.filter(|name| to.chain(name).is_none()));
        Ok(())
    }

    fn remove(&mut self, installed: &Table, own: &[Owner]) -> Result<(), EncodeError> {
        let own_chains: Vec<&String> = own.iter().flat_map(|own| &own.chains).collect();
        let shared = |share: Share| share.chains().iter().map(|chain| chain.name.clone());
        let base: Vec<String> = Share::ALL.into_iter().flat_map(shared).collect();
        let known = |chain: &Chain| base.contains(&chain.name) || own_chains.contains(&&chain.name);
        let last = installed.exists
            && installed.is_whole()
            && Share::ALL.into_iter().all(|share| is_idle(share, installed, own))
            && installed.chains.iter().all(known);
        let over: Vec<Share> = match last {
            true => Share::ALL.to_vec(),
            false => Share::SOME.into_iter().filter(|share| is_idle(*share, installed, own)).collect(),
        };
        let shared_elements: Vec<_> = over.iter().flat_map(|share| share.elements()).collect();
        for set in &installed.sets {
            let goes = |element: &&Element| {
                last || is_own(own, element)
                    || shared_elements.iter().any(|(name, it)| *name == set.name && it == *element)
            };
            for element in set.elements.iter().filter(goes) {
                self.element(DELETE_ELEMENT, set, element)?;
            }
        }
        self.flush(installed, own, None)?;
        self.take_away(installed, &over, own_chains.into_iter());
        if last {
            // Not recursive: if another network was added meanwhile, the kernel refuses.
            self.message(DELETE_TABLE, NOT_RECURSIVE, format!("removal of table inet {TABLE}"), |table| {
                table.text(1, TABLE);
            });
        }
        Ok(())
    }

    /// Removes the shared chains and sets that no network needs any more, and these chains.
    fn take_away<'a>(&mut self, installed: &Table, over: &[Share], chains: impl Iterator<Item = &'a String>) {
        let shared = over.iter().flat_map(|share| share.chains()).map(|chain| &chain.name);
        self.delete_chains(installed, shared.chain(chains));
        for set in over.iter().flat_map(|share| share.sets()).filter(|set| installed.set(&set.name).is_some()) {
            self.message(DELETE_SET, 0, format!("removal of set {}", set.name), |attributes| {
                attributes.text(1, TABLE).text(2, &set.name);
            });
        }
        self.removed = over.to_vec();
    }

    /// Ends the way past the rules for all connections if something changes for a network that has
    /// it: the kernel takes the connections out of a flowtable that it deletes, and each gets into
    /// the new one with the next packet that the new rules let through.
    fn flush(&mut self, installed: &Table, own: &[Owner], to: Option<&Ruleset>) -> Result<(), EncodeError> {
        let Some(here) = &installed.flowtable else { return Ok(()) };
        let wanted = installed.flowtable_with(own, to);
        let changes = self.subjects.len() > 1;
        let is_over = wanted.is_none() && is_idle(Share::Acceleration, installed, own);
        if is_over || changes && installed.accelerates(own) {
            let is_wanted = to.is_some_and(|to| to.chain(ACCELERATE).is_some());
            let has_chain = is_wanted || installed.chain(ACCELERATE).is_some();
            if has_chain {
                self.delete_rules(ACCELERATE);
            }
            self.message(DELETE_FLOWTABLE, 0, format!("removal of flowtable {}", here.name), |attributes| {
                attributes.text(1, TABLE).text(2, &here.name);
            });
            let Some(wanted) = wanted else { return Ok(()) };
            self.make_flowtable(&wanted);
            let rules = Share::Acceleration.chains().iter().filter(|_| has_chain).flat_map(|chain| &chain.rules);
            return rules.into_iter().try_for_each(|rule| self.rule(ACCELERATE, rule));
        }
        let new = wanted.into_iter().flat_map(|wanted| wanted.devices);
        let is_there = |device: &InterfaceName| (self.index_of)(device).is_some();
        let devices: Vec<InterfaceName> =
            new.filter(|device| !here.devices.contains(device) && is_there(device)).collect();
        if !devices.is_empty() {
            self.make_flowtable(&Flowtable { devices, ..here.clone() });
        }
        Ok(())
    }

    /// Makes a flowtable, or gives an existing one these devices, too. A device may be gone, such
    /// as one of before that a change which is taken back names: what then lacks is drift.
    fn make_flowtable(&mut self, flowtable: &Flowtable) {
        let devices = flowtable.devices.iter().filter(|device| (self.index_of)(device).is_some());
        let flowtable = &Flowtable { devices: devices.cloned().collect(), ..flowtable.clone() };
        self.message(NEW_FLOWTABLE, CREATE, format!("flowtable {}", flowtable.name), |attributes| {
            flowtable::write(flowtable, attributes);
        });
    }

    fn make_chain(&mut self, chain: &Chain) {
        self.message(NEW_CHAIN, CREATE, format!("chain {}", chain.name), |attributes| {
            attributes.text(1, TABLE).text(3, &chain.name);
            if let Some(base) = &chain.base {
                attributes
                    .nest(4, |hook| {
                        hook.be32(1, base.hook).be32(2, base.priority.cast_unsigned());
                    })
                    .be32(5, base.policy)
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
            attributes.text(1, TABLE).text(2, chain);
            expression::write_all(&encoded, attributes);
            if let Some(comment) = &rule.comment {
                attributes.bytes(7, &user_data::comment(comment));
            }
        });
        Ok(())
    }

    fn element(&mut self, kind: u8, set: &Set, element: &Element) -> Result<(), EncodeError> {
        let encoded = element::write(element, self.index_of).map_err(missing)?;
        let (flags, act) = match (kind, network_of(element)) {
            (DELETE_ELEMENT, _) => (0, "removal of "),
            (_, Some(_)) => (CREATE | EXCLUSIVE, ""),
            // Someone else may have created the shared element meanwhile.
            (_, None) => (CREATE, ""),
        };
        self.message(kind, flags, format!("{act}element `{element}` of set {}", set.name), |attributes| {
            attributes.text(1, TABLE).text(2, &set.name).nest(3, |list| list.raw(&encoded));
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
            return Batch::default();
        }
        message::acknowledge(&mut self.bytes, self.last);
        let sequence = self.sequence();
        message::end(&mut self.bytes, sequence);
        Batch { bytes: self.bytes, subjects: self.subjects, removed: self.removed }
    }
}

/// Whether both have the same type, hook and priority. Of an existing chain the kernel can change
/// only the policy.
fn same_place(one: &Chain, other: &Chain) -> bool {
    let place = |chain: &Chain| chain.base.as_ref().map(|base| (base.kind.clone(), base.hook, base.priority));
    place(one) == place(other)
}

fn missing(name: &InterfaceName) -> EncodeError {
    EncodeError::NoInterface(name.clone())
}
