//! The lock with which a daemon keeps others from its state.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::Error;

/// The lock of a daemon that does not run, held in its place until it is dropped. A daemon that is
/// started meanwhile refuses to touch its state.
///
/// It is libvirt's kind of lock (`virPidFileAcquirePath`): a record lock on the first byte of a
/// file that is removed with the lock.
#[derive(Debug)]
pub struct DaemonLock {
    path: PathBuf,
    _file: File,
}

impl DaemonLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::DaemonRuns`] when the daemon has it; [`Error::File`] when the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, Error> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o644).custom_flags(libc::O_NOFOLLOW);
            let file = options.open(path).map_err(Error::file("open", path))?;
            let mut wanted = record(libc::F_WRLCK);
            match fcntl(&file, FcntlArg::F_SETLK(&wanted)) {
                Err(Errno::EAGAIN | Errno::EACCES) => {
                    fcntl(&file, FcntlArg::F_GETLK(&mut wanted)).map_err(|errno| failed(path, errno))?;
                    return Err(Error::DaemonRuns { path: path.to_owned(), pid: wanted.l_pid });
                }
                locked => locked.map_err(|errno| failed(path, errno))?,
            };
            // A daemon that has just ended may have removed the file.
            let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            if fs::metadata(path).map(identity).ok() == file.metadata().map(identity).ok() {
                return Ok(Self { path: path.to_owned(), _file: file });
            }
        }
    }
}

impl Drop for DaemonLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn failed(path: &Path, errno: Errno) -> Error {
    Error::file("lock", path)(io::Error::from(errno))
}

/// A lock of the first byte.
fn record(kind: libc::c_int) -> libc::flock {
    let [kind, whence] = [kind, libc::SEEK_SET].map(|it| libc::c_short::try_from(it).expect("a small constant"));
    libc::flock { l_type: kind, l_whence: whence, l_start: 0, l_len: 1, l_pid: 0 }
}
