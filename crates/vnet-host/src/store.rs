//! The folder of receipts.

use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, available_parallelism};

use vnet_types::{InterfaceName, KnownNetwork, KnownPort, NetworkName};

use crate::headers::Headers;
use crate::hint::Digest;
use crate::journal::{self, Receipt};
use crate::linux::file::write_new;
use crate::linux::ledger::LastLedger;
use crate::lock::{Lock, NEW_RECEIPT, make};
use crate::{Error, Header, Named, Owner, PortHeader, Subject, Understood, hint, trust};

pub(crate) const RECEIPT: &str = "receipt";
/// The file that tells of two changes, and its name while it is written.
const PAIR: &str = ".pair";
const NEW_PAIR: &str = ".pair.new";
/// So many receipts are worth a thread.
const PER_THREAD: usize = 32;

/// The folder of receipts, with one folder for each network and each port.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    pub(crate) networks: Headers<Header>,
    pub(crate) ports: Headers<PortHeader>,
    /// Receipts of networks without their rules.
    but_rules: Understood<Arc<Receipt>>,
    pub(crate) last_ledger: LastLedger,
}

/// A receipt that cannot be read. Its network or port may still be on the host.
#[derive(Debug, thiserror::Error)]
#[error("{of} cannot be read")]
#[non_exhaustive]
pub struct Unreadable {
    /// The network or port, by the name of the folder.
    pub of: Named,
    /// The network that a port is on, where the first line of the receipt says so.
    pub network: Option<NetworkName>,
    /// The cause.
    #[source]
    pub error: Error,
}

/// A receipt, or the reason why it cannot be read.
pub type Listed<T> = Result<T, Unreadable>;

impl Store {
    /// A store in a folder, which is created when it is needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            networks: Headers::default(),
            ports: Headers::default(),
            but_rules: Understood::default(),
            last_ledger: LastLedger::default(),
        }
    }

    /// The folder of a network: its receipt, and the files of its programs.
    pub fn directory(&self, network: &NetworkName) -> PathBuf {
        self.folder::<Header>(network)
    }

    /// Writes down that two changes are under way, of which one may be made without the other. The
    /// text is not understood here.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn begin_pair(&self, _: &Lock, text: &[u8]) -> Result<(), Error> {
        let (path, new) = (self.root.join(PAIR), self.root.join(NEW_PAIR));
        let written = write_new(&new, text, 0o600).and_then(|_| fs::rename(&new, &path));
        written.map_err(Error::file("write", &path))
    }

    /// What is written down of two changes that are under way, or whose process was killed.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others could have written it; [`Error::File`] when it cannot be
    /// read.
    pub fn pair(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.root.join(PAIR);
        trust::read(&path)
    }

    /// Removes what was written down of two changes: both were made, or neither.
    pub fn end_pair(&self) {
        let _ = fs::remove_file(self.root.join(PAIR));
    }

    /// The folder of a port: its receipt and its definition.
    pub fn port_directory(&self, port: &InterfaceName) -> PathBuf {
        self.folder::<PortHeader>(port)
    }

    /// The receipt of a network, if there is one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`], [`Error::Untrusted`] when it cannot be read.
    pub fn receipt(&self, network: &NetworkName) -> Result<Option<Receipt>, Error> {
        self.read(network)
    }

    /// The same without its rules, for who asks for something else: to read them takes longer than
    /// all the rest.
    pub(crate) fn receipt_but_rules(&self, network: &NetworkName) -> Result<Option<Arc<Receipt>>, Error> {
        let path = self.receipt_path::<Header>(network);
        let read = || Ok(journal::read_but(&path, |_, _| true)?.map(Arc::new));
        self.but_rules.of(&path, trust::look(&path)?.as_ref(), read)
    }

    /// The receipt of a port, if there is one.
    ///
    /// # Errors
    /// Those of [`Store::receipt`].
    pub fn port_receipt(&self, port: &InterfaceName) -> Result<Option<Receipt<PortHeader>>, Error> {
        self.read(port)
    }

    /// The header of a network's receipt, without the rest. `None` when there is no receipt.
    ///
    /// # Errors
    /// Those of [`Store::receipt`].
    pub fn header(&self, network: &NetworkName) -> Result<Option<Header>, Error> {
        if let Some(known) = self.networks.known(network) {
            return Ok(known);
        }
        let path = self.receipt_path::<Header>(network);
        self.networks.one.of(&path, trust::look(&path)?.as_ref(), || journal::header(&path))
    }

    /// Whether there is a receipt of a network. Reads its header only.
    ///
    /// # Errors
    /// Those of [`Store::receipt`].
    pub fn has(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.header(network)?.is_some())
    }

    /// The receipts of all networks, ordered by the names of their folders. Networks that are
    /// stopped meanwhile are left out.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read. A receipt that cannot be read is an entry.
    pub fn receipts(&self) -> Result<Vec<Listed<Receipt>>, Error> {
        self.all()
    }

    /// The same without those rules that are known, as [`journal::read_but`] reads each.
    pub(crate) fn receipts_but(
        &self,
        is_known: impl Fn(&Header, Digest) -> bool + Sync,
    ) -> Result<Vec<Listed<Receipt>>, Error> {
        self.all_but(&is_known)
    }

    /// Reads the receipts of some networks, by several threads, for a caller that has the lock and
    /// needs one after the other. Who needs one that cannot be read learns why then.
    pub fn read_ahead(&self, networks: &[NetworkName]) {
        let read = |network: &NetworkName| journal::read(&self.receipt_path::<Header>(network)).ok().flatten();
        for receipt in in_threads(networks, read) {
            self.networks.remember(receipt);
        }
    }

    /// The receipts of all ports, ordered by name. Ports that are detached meanwhile are left out.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn port_receipts(&self) -> Result<Vec<Listed<Receipt<PortHeader>>>, Error> {
        self.all()
    }

    /// The networks that run, as far as their receipts can be read.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn networks(&self) -> Result<Vec<KnownNetwork>, Error> {
        Ok(self.headers::<Header>()?.into_iter().map(Header::into_known).collect())
    }

    /// The ports that are attached, as far as their receipts can be read.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn ports(&self) -> Result<Vec<KnownPort>, Error> {
        Ok(self.headers::<PortHeader>()?.into_iter().map(|header| header.port).collect())
    }

    /// The networks and ports that a process owns, as far as their receipts can be read.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn owners(&self) -> Result<Vec<(Named, Owner)>, Error> {
        let (networks, ports) = (self.headers::<Header>()?, self.headers::<PortHeader>()?);
        Ok(owners(&networks).chain(owners(&ports)).collect())
    }

    /// Whether the last act of each network and port came to its end, as far as their receipts can
    /// be read.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn is_settled(&self) -> Result<bool, Error> {
        Ok(self.are_settled::<Header>()? && self.are_settled::<PortHeader>()?)
    }

    fn are_settled<S: Subject>(&self) -> Result<bool, Error> {
        let is_settled = |folder: &Path| journal::settled::is_settled::<S>(&folder.join(RECEIPT)).unwrap_or(true);
        Ok(self.folders::<S>()?.iter().all(|(_, _, folder)| is_settled(folder)))
    }

    /// The headers of the receipts of one kind, as far as they can be read.
    pub(crate) fn headers<S: Subject>(&self) -> Result<Vec<S>, Error> {
        S::headers(self).all(self)
    }

    /// Reads the receipts of one kind.
    fn all<S: Subject>(&self) -> Result<Vec<Listed<Receipt<S>>>, Error> {
        self.all_but(&|_: &S, _| false)
    }

    fn all_but<S: Subject>(
        &self,
        is_known: &(impl Fn(&S, Digest) -> bool + Sync),
    ) -> Result<Vec<Listed<Receipt<S>>>, Error> {
        let read = |(_, name, folder): &(String, S::Name, PathBuf)| {
            let path = folder.join(RECEIPT);
            let read = journal::read_but(&path, is_known).transpose()?;
            Some(read.map_err(|error| {
                let header = journal::header::<S>(&path).ok().flatten();
                let network = header.and_then(|header| header.network().cloned());
                Unreadable { of: S::named(name), network, error }
            }))
        };
        Ok(in_threads(&self.folders::<S>()?, read))
    }

    /// The folders of one kind: their names, whose they are, and their paths.
    pub(crate) fn folders<S: Subject>(&self) -> Result<Vec<(String, S::Name, PathBuf)>, Error> {
        let root = self.root.join(S::FOLDER);
        let entries = match fs::read_dir(&root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file("read", &root)(error)),
        };
        let mut names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        // Folders of the other kind do not have a name of this kind.
        let named = names.into_iter().filter_map(|name| Some((S::parse_folder(&name)?, root.join(&name), name)));
        Ok(named.map(|(subject, path, name)| (name, subject, path)).collect())
    }

    pub(crate) fn read<S: Subject>(&self, name: &S::Name) -> Result<Option<Receipt<S>>, Error> {
        S::headers(self).receipt(name, || journal::read(&self.receipt_path::<S>(name)))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn receipt_path<S: Subject>(&self, name: &S::Name) -> PathBuf {
        self.folder::<S>(name).join(RECEIPT)
    }

    /// The temporary file that becomes the receipt.
    pub(crate) fn new_receipt_path(&self) -> PathBuf {
        self.root.join(NEW_RECEIPT)
    }

    /// What is known of the rules of all networks.
    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.root.join(hint::RULES)
    }

    /// The rules that were seen to be as receipts say.
    pub(crate) fn seen_path(&self) -> PathBuf {
        self.root.join(hint::SEEN)
    }

    fn folder<S: Subject>(&self, name: &S::Name) -> PathBuf {
        self.root.join(S::FOLDER).join(S::folder(name))
    }

    /// Creates the folder of a network or a port.
    pub(crate) fn make<S: Subject>(&self, name: &S::Name) -> Result<(), Error> {
        let directory = self.folder::<S>(name);
        let made = match make(&directory, 0o755) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.root.join(S::FOLDER), 0o755).and_then(|()| make(&directory, 0o755))
            }
            made => made,
        };
        made.map_err(Error::file("make the folder", &directory))
    }

    /// Removes the receipt of a network or a port and its folder, unless the folder has other
    /// files.
    pub(crate) fn remove<S: Subject>(&self, name: &S::Name) -> Result<(), Error> {
        let (directory, receipt) = (self.folder::<S>(name), self.receipt_path::<S>(name));
        match fs::remove_file(&receipt) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::file("remove", &receipt)(error));
            }
            _ => {}
        }
        S::headers(self).note(name, None);
        match fs::remove_dir(&directory) {
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Ok(()),
            result => result.map_err(Error::file("remove", &directory)),
        }
    }
}

/// Maps many values in as many threads as the host has processors, in order.
fn in_threads<T: Sync, U: Send>(all: &[T], map: impl Fn(&T) -> Option<U> + Sync) -> Vec<U> {
    let threads = available_parallelism().map_or(1, usize::from).min(all.len() / PER_THREAD).max(1);
    let mut shares = all.chunks(all.len().div_ceil(threads).max(1));
    let own = shares.next().unwrap_or_default();
    let map_share = |share: &[T]| share.iter().filter_map(&map).collect::<Vec<U>>();
    thread::scope(|scope| {
        let begin = |share| (share, thread::Builder::new().spawn_scoped(scope, move || map_share(share)));
        let begun: Vec<_> = shares.map(begin).collect();
        let mut mapped = map_share(own);
        for (share, begun) in begun {
            // A host may allow no more threads.
            let here = |_| map_share(share);
            mapped.extend(begun.map_or_else(here, |it| it.join().unwrap_or_else(|panic| resume_unwind(panic))));
        }
        mapped
    })
}

/// The processes that own networks or ports.
pub(crate) fn owners<S: Subject>(headers: &[S]) -> impl Iterator<Item = (Named, Owner)> {
    headers.iter().filter_map(|header| Some((S::named(header.name()), header.owner()?)))
}

#[cfg(test)]
mod tests {
    use super::in_threads;

    #[test]
    fn threads_keep_the_order() {
        for count in [0, 1, 63, 64, 129, 1000] {
            let all: Vec<u32> = (0..count).collect();
            let odd: Vec<u32> = all.iter().copied().filter(|number| number % 2 == 1).collect();
            assert_eq!(in_threads(&all, |number| (number % 2 == 1).then_some(*number)), odd);
        }
    }
}
