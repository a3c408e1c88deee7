//! The lock on a state folder, and the removal of the folder.

use std::fs::{self, DirBuilder, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc::O_NOFOLLOW;

use crate::subject::PORTS;
use crate::{Error, Store, hint, trust};

/// The locked file, with the process number of its holder. Only the owner can open it.
const FILE: &str = ".made-by-vnet";
/// Its mode.
const MODE: u32 = 0o600;
/// The mode of a folder that vnet made and removes again. The sticky bit marks it as ours: it has
/// no effect on a folder that only its owner writes to, and `mkdir` sets it in the same step.
const MADE: u32 = 0o1755;
/// The temporary file that becomes the receipt.
pub(crate) const NEW_RECEIPT: &str = ".receipt.new";
/// How long to wait until the caller is told who has the lock.
const SILENCE: Duration = Duration::from_secs(1);
/// The search for empty folders stops after this many that are in use.
const IN_USE: usize = 64;

/// The lock on networks and ports, held until it is dropped. Only one process holds it at a time,
/// so decisions made under it stay valid.
#[derive(Debug)]
pub struct Lock {
    store: Store,
    file: Flock<File>,
    /// Whether the holder before was killed, so that it may have left something.
    was_killed: bool,
}

impl Store {
    /// Waits for the lock on networks and ports.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others can write to the folder; [`Error::File`] when it cannot be
    /// created or locked.
    pub fn lock(&self) -> Result<Lock, Error> {
        self.lock_or_tell(None, |_| Ok(()))
    }

    /// Like [`Store::lock`], but calls `tell` after one second of waiting with the process number
    /// of the holder, if known. It goes on waiting, up to a limit, unless `tell` returns an error.
    ///
    /// # Errors
    /// Those of [`Store::lock`]; [`Error::File`] with the error that `tell` returned;
    /// [`Error::Locked`] when the limit is reached.
    pub fn lock_or_tell(
        &self,
        limit: Option<Duration>,
        tell: impl FnOnce(Option<u32>) -> io::Result<()>,
    ) -> Result<Lock, Error> {
        // A folder that was made for a lock that cannot be taken is of no use.
        self.wait_for_lock(limit, Some(tell)).inspect_err(|_| remove_made(self.root()))
    }

    /// Whether somebody holds the lock now. Says no where the file cannot be opened.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(self.root().join(FILE)) else {
            return false;
        };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }

    fn wait_for_lock(
        &self,
        limit: Option<Duration>,
        mut tell: Option<impl FnOnce(Option<u32>) -> io::Result<()>>,
    ) -> Result<Lock, Error> {
        let root = self.root();
        let path = root.join(FILE);
        let failed = |error| Error::file("lock", &path)(error);
        loop {
            match trust::folder(root) {
                Err(error @ Error::File { .. }) => {
                    make_all(root).map_err(Error::file("make the folder", root))?;
                    // It was not there, or was just removed.
                    if !is_missing(&error) {
                        return Err(error);
                    }
                    continue;
                }
                trusted => trusted?,
            }
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(MODE).custom_flags(O_NOFOLLOW);
            let file = match options.open(&path) {
                // The folder was just removed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.map_err(failed)?,
            };
            let mut file = match wait(file, &mut tell, limit).map_err(failed)? {
                Waited::Locked(file) => file,
                Waited::InVain { holder, limit } => {
                    return Err(Error::Locked { folder: root.to_owned(), holder, seconds: limit.as_secs() });
                }
            };
            // The folder may have been removed and created anew meanwhile.
            let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
            let about = file.metadata().map_err(failed)?;
            if !fs::metadata(&path).is_ok_and(|there| identity(&there) == identity(&about)) {
                continue;
            }
            if about.mode() & 0o7777 != MODE {
                file.set_permissions(Permissions::from_mode(MODE)).map_err(failed)?;
            }
            // Whoever gives the lock back takes its number out.
            let was_killed = about.len() > 0;
            let _ = name_holder(&mut file, was_killed);
            self.networks.begin(root, was_killed);
            self.ports.begin(root, was_killed);
            return Ok(Lock { store: self.clone(), file, was_killed });
        }
    }
}

/// Whether nobody has the lock on a folder, or was killed with it.
pub(crate) fn is_free(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(FILE)).is_ok_and(|about| about.len() == 0)
}

/// The end of a wait for a lock.
enum Waited {
    Locked(Flock<File>),
    InVain { holder: Option<u32>, limit: Duration },
}

/// Waits for a lock. Tells the caller once.
fn wait(
    mut file: File,
    tell: &mut Option<impl FnOnce(Option<u32>) -> io::Result<()>>,
    limit: Option<Duration>,
) -> io::Result<Waited> {
    let begin = Instant::now();
    while tell.is_some() || limit.is_some() {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(Waited::Locked(locked)),
            Err((back, Errno::EWOULDBLOCK)) => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        let waited = begin.elapsed();
        if let Some(tell) = tell.take_if(|_| waited >= SILENCE) {
            tell(holder(&mut file)?)?;
        } else if let Some(limit) = limit.filter(|limit| waited >= *limit) {
            return Ok(Waited::InVain { holder: holder(&mut file)?, limit });
        } else {
            thread::sleep(Duration::from_millis(2));
        }
    }
    loop {
        match Flock::lock(file, FlockArg::LockExclusive) {
            Ok(locked) => return Ok(Waited::Locked(locked)),
            Err((back, Errno::EINTR)) => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
    }
}

/// The process number of the holder, if known.
fn holder(file: &mut File) -> io::Result<Option<u32>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    file.rewind()?;
    Ok(text.trim().parse().ok())
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// Writes the number of this process into the file, in the place of another one.
fn name_holder(file: &mut File, has_another: bool) -> io::Result<()> {
    let text = format!("{}\n", std::process::id());
    file.write_all(text.as_bytes())?;
    if has_another { file.set_len(text.len() as u64) } else { Ok(()) }
}

/// Creates a folder and its parents, if they are missing.
fn make_all(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    make(folder, MADE)
}

/// Creates a folder, if it is missing.
pub(crate) fn make(folder: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

impl Lock {
    /// The locked folder.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The file of the lock, for another process. If this one is killed, the lock is held until the
    /// other has ended, too; who drops the lock frees it for all.
    pub(crate) fn share(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl Drop for Lock {
    /// Removes what a process left that was killed before it wrote anything: an incomplete receipt
    /// and empty folders. When nothing else is left, removes the lock file, and the folder if vnet
    /// made it. A failure here loses nothing.
    fn drop(&mut self) {
        let root = self.store.root();
        if self.was_killed {
            let _ = fs::remove_file(root.join(NEW_RECEIPT));
        }
        let [networks, ports] = [self.store.networks.changed(), self.store.ports.changed()];
        // Who has a receipt and lost none has no new empty folders, and is in use.
        let has_one = networks.0 + ports.0 > 0 || self.store.networks.knows_one();
        let is_in_use = has_one && networks.1 + ports.1 == 0 && !self.was_killed;
        if is_in_use || self.take_empty() > 0 {
            self.store.networks.end(root);
            self.store.ports.end(root);
            let _ = self.file.set_len(0);
            return;
        }
        self.store.networks.forget();
        self.store.ports.forget();
        for file in hint::ALL.into_iter().chain([FILE]) {
            let _ = fs::remove_file(root.join(file));
        }
        remove_made(root);
    }
}

impl Lock {
    /// Removes empty folders, and counts what else there is, up to a limit.
    fn take_empty(&self) -> usize {
        let root = self.store.root();
        let in_ports = take_empty(&root.join(PORTS), &[], self.was_killed);
        in_ports + take_empty(root, &[&[FILE][..], &hint::ALL].concat(), self.was_killed)
    }
}

/// Removes a folder that vnet made, when it is empty.
fn remove_made(folder: &Path) {
    if fs::metadata(folder).is_ok_and(|about| about.mode() & 0o7777 == MADE) {
        let _ = fs::remove_dir(folder);
    }
}

/// Removes the empty folders in a folder, and counts what else is in it, up to a limit. Each
/// operation removes the folder of its network or port: only after a process that was killed are
/// empty ones looked for beside one that is in use.
fn take_empty(folder: &Path, but: &[&str], was_killed: bool) -> usize {
    let is_shared = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"@");
    let mut is_used = false;
    let is_in_use = |entry: &DirEntry| {
        let may_be_empty = was_killed || !is_used || is_shared(entry);
        let stays = !may_be_empty || fs::remove_dir(entry.path()).is_err();
        is_used |= stays;
        stays
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let others = entries.filter(|entry| !but.iter().any(|name| entry.file_name() == *name));
    others.filter(is_in_use).take(IN_USE).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_wait_has_a_limit() {
        let folder = std::env::temp_dir().join(format!("vnet-lock-{}", std::process::id()));
        let store = Store::new(&folder);
        let limit = Some(Duration::from_millis(20));
        let held = store.lock().unwrap();
        match store.lock_or_tell(limit, |_| panic!("nobody waits for a second")) {
            Err(Error::Locked { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
            other => panic!("{other:?}"),
        }
        drop(held);
        drop(store.lock_or_tell(limit, |_| Ok(())).unwrap());
        assert!(!folder.exists());
    }
}
