//! The network namespace of a network or a port.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use vnet_types::Uuid;

use crate::Error;

/// A network namespace, distinguished from all others of this host.
///
/// The first namespace has the same inode after each boot of the same kernel, so the boot is part
/// of the identity.
// Old receipts have it as a list of two numbers, which serde reads as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    device: u64,
    inode: u64,
    /// `/proc/sys/kernel/random/boot_id`. `None` in old receipts that did not note it.
    #[serde(default)]
    boot: Option<Uuid>,
}

/// The boot of this host, which lasts as long as this process. It is read once.
fn boot() -> Result<Option<Uuid>, Error> {
    static BOOT: OnceLock<Option<Uuid>> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(*known);
    }
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let read = fs::read_to_string(path).map_err(Error::file("read", path))?.parse().ok();
    Ok(*BOOT.get_or_init(|| read))
}

impl Namespace {
    /// A namespace with a made-up boot, for hosts in memory.
    pub const fn new(device: u64, inode: u64) -> Self {
        Self { device, inode, boot: None }
    }

    /// The namespace of this thread.
    ///
    /// # Errors
    /// [`Error::File`] where `/proc` cannot be read.
    pub(crate) fn this() -> Result<Self, Error> {
        Self::of(Path::new("/proc/thread-self/ns/net"))
    }

    /// The namespace of a file such as `/proc/PID/ns/net`.
    ///
    /// # Errors
    /// [`Error::File`] where the file cannot be read.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let metadata = fs::metadata(path).map_err(Error::file("look at", path))?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), boot: boot()? })
    }

    /// The identity from the target of a link in `/proc`.
    pub(crate) fn link(&self) -> String {
        format!("net:[{}]", self.inode)
    }

    /// Whether it belongs to an earlier boot than `now` does.
    pub fn is_of_an_earlier_boot(&self, now: &Self) -> bool {
        self.boot.zip(now.boot).is_some_and(|(one, other)| one != other)
    }

    /// Whether both are the same. A namespace without a noted boot counts as one of this boot.
    pub fn is(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode) && !self.is_of_an_earlier_boot(other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_namespace_is_of_its_boot() {
        let this = Namespace::this().unwrap();
        let text = serde_json::to_string(&this).unwrap();
        assert_eq!(serde_json::from_str::<Namespace>(&text).unwrap(), this);
        let old: Namespace = serde_json::from_str(&format!("[{},{}]", this.device, this.inode)).unwrap();
        assert!(old.is(&this) && this.is(&old));
        let before = Namespace { boot: Some(Uuid([1; 16])), ..this };
        assert!(!before.is(&this) && before.is_of_an_earlier_boot(&this));
        assert!(!Namespace::new(this.device, this.inode + 1).is(&this));
    }
}
