//! The folder of receipts, and the lock on it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use vnet_types::{KnownNetwork, NetworkName};

use crate::Error;
use crate::journal::{self, Receipt};

const RECEIPT: &str = "receipt";
/// Stands in a folder that vnet made, so that it goes when it is empty.
const MARK: &str = ".made-by-vnet";

/// Where receipts are kept: a folder for each network.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// The right to change networks. Only one process has it at a time.
pub(crate) struct Lock {
    root: PathBuf,
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

    /// The receipt of a network, where it has one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where it cannot be read.
    pub fn receipt(&self, network: &NetworkName) -> Result<Option<Receipt>, Error> {
        journal::read(&self.receipt_path(network))
    }

    /// The receipts of all networks, in order of their folders' names.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Receipt`] where one cannot be read.
    pub fn receipts(&self) -> Result<Vec<Receipt>, Error> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file("read", &self.root)(error)),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join(RECEIPT)).collect();
        paths.retain(|path| path.is_file());
        paths.sort();
        paths.iter().filter_map(|path| journal::read(path).transpose()).collect()
    }

    /// The networks that run.
    ///
    /// # Errors
    /// Those of [`Store::receipts`].
    pub fn networks(&self) -> Result<Vec<KnownNetwork>, Error> {
        let known = |Receipt { header, .. }: Receipt| KnownNetwork {
            name: header.network,
            uuid: header.uuid,
            bridge: header.bridge,
        };
        Ok(self.receipts()?.into_iter().map(known).collect())
    }

    pub(crate) fn receipt_path(&self, network: &NetworkName) -> PathBuf {
        self.directory(network).join(RECEIPT)
    }

    /// Makes the folder of a network.
    pub(crate) fn make(&self, network: &NetworkName) -> Result<(), Error> {
        let directory = self.directory(network);
        make(&directory).map(drop).map_err(Error::file("make the folder", &directory))
    }

    /// Removes the receipt of a network and its folder, unless someone keeps something else there.
    pub(crate) fn remove(&self, network: &NetworkName) -> Result<(), Error> {
        let (directory, receipt) = (self.directory(network), self.receipt_path(network));
        fs::remove_file(&receipt).map_err(Error::file("remove", &receipt))?;
        match fs::remove_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            result => result.map_err(Error::file("remove", &directory)),
        }
    }

    /// Waits for the right to change networks.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
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
                return Ok(Lock { root: self.root.clone(), _file: file });
            }
        }
    }
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
        let mark = self.root.join(MARK);
        if !mark.is_file() {
            return;
        }
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten().map(|entry| entry.path());
        if entries.filter(|path| *path != mark).all(|path| fs::remove_dir(path).is_ok()) {
            let _ = fs::remove_file(mark);
            let _ = fs::remove_dir(&self.root);
        }
    }
}
