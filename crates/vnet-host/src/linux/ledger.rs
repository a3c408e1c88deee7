//! What is known of the rules of all networks, kept for the next process. Each copy is true of the
//! one generation of rules that it names.

use std::fs;
use std::path::PathBuf;

use vnet_firewall::{Firewall, Ledger};

use crate::{Namespace, hint};

/// The file of a ledger, and what it had.
pub(super) struct LedgerFile {
    path: PathBuf,
    namespace: Namespace,
    had: Option<Ledger>,
}

impl LedgerFile {
    /// Gives a firewall the ledger in a file, if it is of this namespace.
    pub(super) fn open(path: PathBuf, namespace: Namespace, firewall: &Firewall) -> Self {
        let known = hint::read::<(Namespace, Ledger)>(&path).filter(|(of, _)| *of == namespace);
        let had = known.map(|(_, ledger)| ledger);
        had.iter().cloned().for_each(|known| firewall.remember(known));
        Self { path, namespace, had }
    }

    /// Writes what a firewall knows now.
    pub(super) fn save(&self, firewall: &Firewall) {
        let now = firewall.ledger().filter(|known| !known.is_empty());
        match &now {
            _ if now == self.had => {}
            Some(known) => hint::write(&self.path, &(self.namespace, known)),
            None => drop(fs::remove_file(&self.path)),
        }
    }
}
