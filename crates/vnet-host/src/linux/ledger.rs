//! What is known of the rules of all networks, kept for the next process. Each copy is true of the
//! one generation of rules that it names.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use vnet_firewall::{Firewall, Ledger};

use crate::understood::Version;
use crate::{Namespace, Store, hint};

/// The ledger that a store has read or written last. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLedger(Arc<Mutex<Option<Last>>>);

#[derive(Clone, Debug)]
struct Last {
    /// That of the file.
    version: Version,
    namespace: Namespace,
    ledger: Arc<Ledger>,
}

/// The file of a ledger, and what it had.
pub(super) struct LedgerFile {
    path: PathBuf,
    namespace: Namespace,
    had: OnceCell<Option<Arc<Ledger>>>,
    last: LastLedger,
}

impl LastLedger {
    /// The ledger, if the file has not changed since.
    fn of(&self, version: &Version) -> Option<Last> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|last| last.version == *version)
    }

    fn set(&self, last: Option<Last>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

impl LedgerFile {
    /// The file of a ledger of this namespace.
    pub(super) fn new(store: &Store, namespace: Namespace) -> Self {
        Self { path: store.ledger_path(), namespace, had: OnceCell::new(), last: store.last_ledger.clone() }
    }

    /// Gives a firewall the ledger in the file, if it is of this namespace.
    pub(super) fn read(&self, firewall: &Firewall) {
        let had = self.had.get_or_init(|| {
            let version = Version::of(&self.path)?;
            let last = self.last.of(&version).or_else(|| {
                let (namespace, ledger) = hint::read(&self.path)?;
                let last = Last { version, namespace, ledger: Arc::new(ledger) };
                self.last.set(Some(last.clone()));
                Some(last)
            });
            last.filter(|last| last.namespace == self.namespace).map(|last| last.ledger)
        });
        had.iter().cloned().for_each(|known| firewall.remember(known));
    }

    /// Writes what a firewall knows now.
    pub(super) fn save(&self, firewall: &Firewall) {
        let now = firewall.ledger().filter(|known| !known.is_empty());
        match &now {
            _ if self.had.get() == Some(&now) => {}
            Some(known) => {
                hint::write(&self.path, &(self.namespace, &**known));
                let last = |version| Last { version, namespace: self.namespace, ledger: Arc::clone(known) };
                self.last.set(Version::of(&self.path).map(last));
            }
            None => drop(fs::remove_file(&self.path)),
        }
    }
}
