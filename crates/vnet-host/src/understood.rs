//! What was understood of files, for as long as they stay the same.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The kernel dates files by a clock that ticks. A file may be written to again within a tick, so
/// what is younger than this is not remembered.
const TICKS: Duration = Duration::from_millis(100);

/// What was understood of files. It saves time and nothing else: each file is
/// looked at before what is remembered of it counts. Clones share it. Paths are compared as text:
/// there are hundreds of them.
#[derive(Clone, Debug)]
pub struct Understood<T>(Arc<Mutex<HashMap<OsString, (Version, T)>>>);

/// What tells a file from one that takes its place, and from itself before it was written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    inode: u64,
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl<T: Clone> Understood<T> {
    /// What a file says: as it is remembered, or by `read`.
    ///
    /// # Errors
    /// That of `read`, which is also asked when there is no file.
    pub fn of_file<E>(&self, path: &Path, read: impl Fn() -> Result<T, E>) -> Result<T, E> {
        match self.of(path, fs::metadata(path).ok().as_ref(), || read().map(Some))? {
            Some(known) => Ok(known),
            None => read(),
        }
    }

    /// What a file says: as it is remembered, or by `read`. `about` is `None` when it is not there.
    pub(crate) fn of<E>(
        &self,
        path: &Path,
        about: Option<&Metadata>,
        read: impl FnOnce() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = about.map(Version::from);
        let same = known()
            .get(path.as_os_str())
            .filter(|(same, _)| Some(same) == version.as_ref())
            .map(|(_, value)| value.clone());
        if same.is_some() {
            return Ok(same);
        }
        known().remove(path.as_os_str());
        let Some(version) = version else { return Ok(None) };
        let value = read()?;
        if let Some(value) = value.clone().filter(|_| version.is_settled()) {
            known().insert(path.as_os_str().to_owned(), (version, value));
        }
        Ok(value)
    }
}

// It is empty whatever it remembers.
impl<T> Default for Understood<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl Version {
    /// That of a file. `None` when it is not there.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().as_ref().map(Self::from)
    }

    /// Whether what is written to the file from now on is dated otherwise.
    fn is_settled(&self) -> bool {
        let parts = (u64::try_from(self.changed.0), u32::try_from(self.changed.1));
        let (Ok(seconds), Ok(nanoseconds)) = parts else { return false };
        let age = SystemTime::now().duration_since(UNIX_EPOCH + Duration::new(seconds, nanoseconds));
        age.is_ok_and(|age| age > TICKS)
    }
}

impl From<&Metadata> for Version {
    fn from(about: &Metadata) -> Self {
        let (written, changed) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
        Self { inode: about.ino(), size: about.size(), written, changed }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::cell::Cell;
    use std::fs;

    use super::*;

    /// A file is read again when it may be another one, and while it may change unseen.
    #[test]
    fn a_file_counts_as_it_is() {
        let path = std::env::temp_dir().join(format!("vnet-understood-{}", std::process::id()));
        let (understood, reads) = (Understood::default(), Cell::new(0));
        let say = || {
            let about = fs::symlink_metadata(&path).ok();
            let read = || {
                reads.set(reads.get() + 1);
                fs::read_to_string(&path).map(Some)
            };
            understood.of(&path, about.as_ref(), read).unwrap()
        };
        for text in ["one", "two"] {
            fs::write(&path, text).unwrap();
            assert_eq!(say().unwrap(), text);
            assert_eq!(say().unwrap(), text);
        }
        assert_eq!(reads.get(), 4, "a file of this moment is not remembered");
        let about = || fs::symlink_metadata(&path).unwrap();
        while !Version::from(&about()).is_settled() {
            std::thread::yield_now();
        }
        for _ in 0..3 {
            assert_eq!(say().unwrap(), "two");
        }
        assert_eq!(reads.get(), 5);
        fs::remove_file(&path).unwrap();
        assert_eq!(say(), None);
    }
}
