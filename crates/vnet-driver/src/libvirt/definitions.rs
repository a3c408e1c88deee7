//! The definitions that libvirt keeps, and the networks that start with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::running::STATE;
use crate::error::Error;

/// libvirt's folders of networks.
///
/// They are found from the folder of definitions: those of a host in `/etc/libvirt/qemu/networks`
/// have their leases in `/var/lib/libvirt/dnsmasq`, and those of a copy of a host's files in the
/// copy. Other folders have definitions alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibvirtFolders {
    /// The kept definitions.
    pub(super) definitions: PathBuf,
    /// The state of networks that run here.
    pub(super) state: Option<PathBuf>,
    /// The files of dnsmasq.
    pub(super) dnsmasq: Option<PathBuf>,
}

/// The folder of kept definitions of a host.
pub(super) const DEFINITIONS: &str = "/etc/libvirt/qemu/networks";
/// The folder of the files of dnsmasq.
pub(super) const DNSMASQ: &str = "/var/lib/libvirt/dnsmasq";

impl LibvirtFolders {
    /// The folders of this host.
    pub fn system() -> Self {
        Self::with_definitions(DEFINITIONS)
    }

    /// The folders with these definitions.
    pub fn with_definitions(folder: impl Into<PathBuf>) -> Self {
        let definitions: PathBuf = folder.into();
        let root = definitions.to_str().and_then(|it| it.trim_end_matches('/').strip_suffix(DEFINITIONS));
        Self {
            state: root.filter(|root| root.is_empty()).map(|_| PathBuf::from(STATE)),
            dnsmasq: root.map(|root| PathBuf::from(format!("{root}{DNSMASQ}"))),
            definitions,
        }
    }

    /// The folder of definitions.
    pub fn definitions(&self) -> &Path {
        &self.definitions
    }

    /// The file with the definition of a network.
    pub fn file(&self, name: &str) -> PathBuf {
        file(&self.definitions, name, "xml")
    }

    /// The names of the defined networks, in order.
    ///
    /// # Errors
    /// [`Error::Read`] when the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let failed = |source: io::Error| Error::Read { path: self.definitions.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.definitions).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            names.extend(name.to_str().and_then(|name| name.strip_suffix(".xml")).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Whether libvirt starts the network at boot.
    pub(crate) fn starts_at_boot(&self, name: &str) -> bool {
        fs::symlink_metadata(self.autostart(name)).is_ok()
    }

    /// The link that makes libvirt start the network at boot.
    pub(super) fn autostart(&self, name: &str) -> PathBuf {
        file(&self.definitions.join("autostart"), name, "xml")
    }
}

/// The file of a network in a folder.
pub(super) fn file(folder: &Path, name: &str, extension: &str) -> PathBuf {
    folder.join(format!("{name}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_its_own_leases() {
        let host = LibvirtFolders::system();
        assert_eq!(host.dnsmasq.as_deref(), Some(Path::new("/var/lib/libvirt/dnsmasq")));
        assert_eq!(host.state.as_deref(), Some(Path::new("/run/libvirt/network")));
        let copy = LibvirtFolders::with_definitions("/mnt/old/etc/libvirt/qemu/networks/");
        assert_eq!(copy.dnsmasq.as_deref(), Some(Path::new("/mnt/old/var/lib/libvirt/dnsmasq")));
        assert_eq!(copy.state, None);
        let other = LibvirtFolders::with_definitions("/home/me/networks");
        assert_eq!((other.dnsmasq, other.state), (None, None));
    }
}
