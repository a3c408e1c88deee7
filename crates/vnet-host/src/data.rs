//! The folder of what outlasts a stop: the leases of each network.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use vnet_types::NetworkName;

use crate::{Error, Header, Lock, Subject, trust};

/// The folder of what outlasts a stop, with one folder for each network.
#[derive(Clone, Debug)]
pub struct Data {
    folder: PathBuf,
}

impl Data {
    /// The data in a folder, which is created when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a network's leases. dnsmasq writes it.
    pub fn leases(&self, network: &NetworkName) -> PathBuf {
        self.of(network).join("leases")
    }

    /// Creates a network's folder, if it is missing.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others can write to it: dnsmasq opens its file as root;
    /// [`Error::File`] when it cannot be created.
    pub fn make(&self, _: &Lock, network: &NetworkName) -> Result<(), Error> {
        let folder = self.of(network);
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&folder);
        // The folder above it may have been made.
        made.inspect_err(|_| drop(fs::remove_dir(&self.folder))).map_err(Error::file("make the folder", &folder))?;
        trust::folder(&folder)
    }

    /// Removes what is kept of a network.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be removed.
    pub fn remove(&self, _: &Lock, network: &NetworkName) -> Result<(), Error> {
        let (leases, folder) = (self.leases(network), self.of(network));
        match fs::remove_file(&leases) {
            Err(error) if !is_gone(&error) => return Err(Error::file("remove", &leases)(error)),
            _ => {}
        }
        match fs::remove_dir(&folder) {
            Err(error) if !is_gone(&error) => return Err(Error::file("remove", &folder)(error)),
            _ => {}
        }
        // The folder is in use as long as it is not empty.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    /// The networks of which something is kept.
    pub fn names(&self) -> Vec<NetworkName> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| Header::parse_folder(entry.file_name().to_str()?)).collect()
    }

    fn of(&self, network: &NetworkName) -> PathBuf {
        self.folder.join(Header::folder(network))
    }
}

/// Whether it is gone, or in use by somebody else.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::DirectoryNotEmpty)
}
