//! Rules that were seen to be as their receipts say, so that lists need neither read them nor list
//! those of the kernel.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use vnet_firewall::Ruleset;
use vnet_plan::{Key, NetworkRules, Resource};
use vnet_types::{InterfaceName, NetworkName};

use super::LinuxHost;
use super::seen::Links;
use crate::hint::{self, Digest};
use crate::{Error, Header, Listed, Namespace, Receipt, Store};

/// What was seen of the rules of networks.
type Memory = BTreeMap<NetworkName, Sight>;

/// That the kernel had the rules of a receipt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sight {
    /// The line of the receipt.
    line: Digest,
    /// The rules, as the ledger tells them from others.
    rules: u64,
    /// The interfaces that they match by index.
    links: Vec<(InterfaceName, u32)>,
}

/// What is known of the rules of the receipts that were read.
pub(super) struct Known {
    path: PathBuf,
    namespace: Namespace,
    had: Memory,
    now: RefCell<Memory>,
    /// The rules that were not known, with their lines.
    read: BTreeMap<NetworkName, (Digest, Arc<Ruleset>)>,
}

impl LinuxHost {
    /// The receipts of all networks of a store, for who only looks. From now on the kernel is
    /// listed once, as after [`look_once`](Self::look_once). Receipts lack rules that are in the
    /// kernel as they were written down: nobody has changed rules since they were seen.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn receipts(&mut self, store: &Store) -> Result<Vec<Listed<Receipt>>, Error> {
        self.look_once();
        let namespace = Namespace::this()?;
        let had = hint::read::<(Namespace, Memory)>(&store.seen_path()).filter(|(of, _)| *of == namespace);
        let had = had.map(|(_, memory)| memory).unwrap_or_default();
        // Who may not read rules knows none.
        let ledger = self.firewall().ok().and_then(|firewall| firewall.current_ledger().ok().flatten());
        let has_rules = |network: &NetworkName, rules: u64| {
            ledger.as_ref().and_then(|ledger| ledger.digest(network.as_str())) == Some(rules)
        };
        let met = Mutex::new((Memory::new(), BTreeMap::new()));
        let mut receipts = store.receipts_but(|Header { network, namespace: of, .. }, line| {
            let sight = had.get(network).filter(|sight| sight.line == line && of.is(&namespace));
            let sight = sight.filter(|sight| has_rules(network, sight.rules));
            let (now, lines) = &mut *met.lock().unwrap_or_else(PoisonError::into_inner);
            match sight {
                Some(sight) => drop(now.insert(network.clone(), sight.clone())),
                None => drop(lines.insert(network.clone(), line)),
            }
            sight.is_some()
        })?;
        let (mut now, mut lines) = met.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Links are listed after the receipts: those of a network that has just been started are
        // among them.
        let links = self.seen.get_or_insert_default().links(&self.netlink)?;
        let mut read = BTreeMap::new();
        for receipt in receipts.iter_mut().flatten() {
            let name = receipt.header.network.clone();
            if now.get(&name).is_some_and(|sight| !sight.are_there(links)) {
                now.remove(&name);
                if let Ok(Some(whole)) = store.receipt(&name) {
                    *receipt = whole;
                }
            }
            let rules = receipt.owned.get(&Key::Ruleset(name.clone()));
            if let (Some(line), Some(Resource::Ruleset(rules))) = (lines.remove(&name), rules) {
                read.insert(name, (line, Arc::clone(&rules.ruleset)));
            }
        }
        self.known = Some(Known { path: store.seen_path(), namespace, had, now: now.into(), read });
        Ok(receipts)
    }

    /// Notes that the kernel has these rules, if they are those of a receipt.
    pub(super) fn has_seen(&self, rules: &NetworkRules) {
        let (Some(known), Some(seen)) = (&self.known, &self.seen) else { return };
        let read = known.read.get(&rules.network).filter(|(_, read)| Arc::ptr_eq(read, &rules.ruleset));
        let digest = self
            .firewall()
            .ok()
            .and_then(|firewall| firewall.ledger())
            .and_then(|ledger| ledger.digest(&rules.ruleset.network));
        let (Some((line, ruleset)), Some(rules_digest), Ok(links)) = (read, digest, seen.links(&self.netlink)) else {
            return;
        };
        let index = |name: &InterfaceName| links.named(name).map(|known| (name.clone(), known.index));
        if let Some(links) = ruleset.interfaces().map(index).collect() {
            let sight = Sight { line: *line, rules: rules_digest, links };
            known.now.borrow_mut().insert(rules.network.clone(), sight);
        }
    }
}

impl Sight {
    /// Whether the interfaces still have the same indexes.
    fn are_there(&self, links: &Links) -> bool {
        self.links.iter().all(|(name, index)| links.named(name).is_some_and(|known| known.index == *index))
    }
}

impl Known {
    /// Writes down what was seen.
    pub(super) fn save(&self) {
        let now = self.now.borrow();
        if *now != self.had {
            hint::write(&self.path, &(self.namespace, &*now));
        }
    }
}
