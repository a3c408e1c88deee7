//! What is known of the rules of all networks, kept for the next process. Each copy is true of the
//! one generation of rules that it names.

use std::cell::OnceCell;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use vnet_firewall::{Firewall, Ledger};

use crate::{Namespace, hint};

/// The file of a ledger, and what it had.
pub(super) struct LedgerFile {
    path: PathBuf,
    namespace: Namespace,
    had: OnceCell<Option<Arc<Ledger>>>,
}

impl LedgerFile {
    /// The file of a ledger of this namespace.
    pub(super) fn new(path: PathBuf, namespace: Namespace) -> Self {
        Self { path, namespace, had: OnceCell::new() }
    }

    /// Gives a firewall the ledger in the file, if it is of this namespace.
    pub(super) fn read(&self, firewall: &Firewall) {
        let had = self.had.get_or_init(|| {
            let known = hint::read::<(Namespace, Ledger)>(&self.path).filter(|(of, _)| *of == self.namespace);
            known.map(|(_, ledger)| Arc::new(ledger))
        });
        had.iter().cloned().for_each(|known| firewall.remember(known));
    }

    /// Writes what a firewall knows now.
    pub(super) fn save(&self, firewall: &Firewall) {
        let now = firewall.ledger().filter(|known| !known.is_empty());
        match &now {
            _ if self.had.get() == Some(&now) => {}
            Some(known) => hint::write(&self.path, &(self.namespace, &**known)),
            None => drop(fs::remove_file(&self.path)),
        }
    }
}
