//! The folder of receipts, and the lock on it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use vnet_types::{InterfaceName, KnownNetwork, KnownPort, NetworkName};

use crate::journal::{self, Receipt};
use crate::subject::PORTS;
use crate::{Error, Header, PortHeader, Subject};

const RECEIPT: &str = "receipt";
/// Stands in a folder that vnet made, so that it goes when it is empty.
const MARK: &str = ".made-by-vnet";

/// Where receipts are kept: a folder for each network and each port.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// The right to change networks and ports, until it is dropped. Only one process has it at a time, so what was decided
/// with it in hand, out of what the host and the receipts say, still holds when it is done.
#[derive(Debug)]
pub struct Lock {
    store: Store,
    _file: Flock<File>,
}

impl Store {
    /// A store in a folder, which is made when it is needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of a network: its receipt, and the files of its programs.
    pub fn directory(&self, network: &NetworkName) -> PathBuf {
        self.root.join(network.file_name())
    }

    /// The folder of a port: its receipt and its definition.
    pub fn port_directory(&self, port: &InterfaceName) -> PathBuf {
        self.folder::<PortHeader>(port)
    }

    /// The receipt of a network, where it has one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where it cannot be read.
    pub fn receipt(&self, network: &NetworkName) -> Result<Option<Receipt>, Error> {
        self.read(network)
    }

    /// The receipt of a port, where it has one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where it cannot be read.
    pub fn port_receipt(&self, port: &InterfaceName) -> Result<Option<Receipt<PortHeader>>, Error> {
        self.read(port)
    }

    /// The receipts of all networks, in order of their folders' names. One that is stopped meanwhile is left out.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where one cannot be read.
    pub fn receipts(&self) -> Result<Vec<Receipt>, Error> {
        all_in(&self.root, journal::read)
    }

    /// The receipts of all ports, in order of their names. One that is detached meanwhile is left out.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where one cannot be read.
    pub fn port_receipts(&self) -> Result<Vec<Receipt<PortHeader>>, Error> {
        all_in(&self.root.join(PORTS), journal::read)
    }

    /// The networks that run.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn networks(&self) -> Result<Vec<KnownNetwork>, Error> {
        Ok(self.headers::<Header>()?.into_iter().map(Header::into_known).collect())
    }

    /// The ports that are attached.
    ///
    /// # Errors
    /// Those of [`Store::port_receipts`].
    pub fn ports(&self) -> Result<Vec<KnownPort>, Error> {
        Ok(self.headers::<PortHeader>()?.into_iter().map(|header| header.port).collect())
    }

    /// What the receipts of one kind are about.
    pub(crate) fn headers<S: Subject>(&self) -> Result<Vec<S>, Error> {
        all_in(&self.root.join(S::parent()), journal::header)
    }

    pub(crate) fn read<S: Subject>(&self, name: &S::Name) -> Result<Option<Receipt<S>>, Error> {
        journal::read(&self.receipt_path::<S>(name))
    }

    pub(crate) fn receipt_path<S: Subject>(&self, name: &S::Name) -> PathBuf {
        self.folder::<S>(name).join(RECEIPT)
    }

    fn folder<S: Subject>(&self, name: &S::Name) -> PathBuf {
        self.root.join(S::folder(name))
    }

    /// Makes the folder of a network or a port.
    pub(crate) fn make<S: Subject>(&self, name: &S::Name) -> Result<(), Error> {
        let directory = self.folder::<S>(name);
        let outer = directory.parent().filter(|parent| *parent != self.root);
        let made = outer.map_or(Ok(false), make).and_then(|_| make(&directory));
        made.map(drop).map_err(Error::file("make the folder", &directory))
    }

    /// Removes the receipt of a network or a port and its folder, unless someone keeps something else there.
    pub(crate) fn remove<S: Subject>(&self, name: &S::Name) -> Result<(), Error> {
        let (directory, receipt) = (self.folder::<S>(name), self.receipt_path::<S>(name));
        // What a process that was killed was about to put in its place.
        let _ = fs::remove_file(journal::beside(&receipt));
        fs::remove_file(&receipt).map_err(Error::file("remove", &receipt))?;
        match fs::remove_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => result.map_err(Error::file("remove", &directory)),
        }
    }

    /// Waits for the right to change networks and ports.
    ///
    /// # Errors
    /// [`Error::File`] where the folder cannot be made or locked.
    pub fn lock(&self) -> Result<Lock, Error> {
        let failed = |error| Error::file("lock the folder", &self.root)(error);
        loop {
            if !self.root.exists() {
                if let Some(parent) = self.root.parent() {
                    fs::create_dir_all(parent).map_err(failed)?;
                }
                if make(&self.root).map_err(failed)? {
                    File::create(self.root.join(MARK)).map_err(failed)?;
                }
            }
            let folder = match File::open(&self.root) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                folder => folder.map_err(failed)?,
            };
            let file = Flock::lock(folder, FlockArg::LockExclusive).map_err(|(_, errno)| failed(errno.into()))?;
            // The folder may have gone, and come anew, while we waited.
            let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            let same = fs::metadata(&self.root).map(identity).ok() == file.metadata().map(identity).ok();
            if same {
                return Ok(Lock { store: self.clone(), _file: file });
            }
        }
    }
}

impl Lock {
    /// What it locks.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// Reads the receipts in the folders of a folder.
fn all_in<T>(root: &Path, read: impl Fn(&Path) -> Result<Option<T>, Error>) -> Result<Vec<T>, Error> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", root)(error)),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join(RECEIPT)).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.iter().filter_map(|path| read(path).transpose()).collect()
}

/// Makes a folder that everyone may look into. False where it was there.
fn make(folder: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

impl Drop for Lock {
    /// Takes the folder away when we made it and nothing is left in it but empty folders, of starts that were killed.
    /// Failing to do so loses nothing.
    fn drop(&mut self) {
        let root = &self.store.root;
        let mark = root.join(MARK);
        if !mark.is_file() {
            return;
        }
        let inside = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        inside(&root.join(PORTS)).for_each(|path| drop(fs::remove_dir(path)));
        if inside(root).filter(|path| *path != mark).all(|path| fs::remove_dir(path).is_ok()) {
            let _ = fs::remove_file(mark);
            let _ = fs::remove_dir(root);
        }
    }
}
