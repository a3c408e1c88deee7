//! The network namespace of a container.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use vnet_host::{LinuxHost, Namespace};

use crate::error::Error;

/// The device number and inode of a container's network namespace.
pub(super) fn identity(path: &Path) -> Result<(u64, u64), Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::NoContainer(path.to_owned())),
        file => file.map_err(read)?,
    };
    let not = |what| Err(Error::NotAContainer { path: path.to_owned(), what });
    if fstatfs(&file).map_err(|errno| read(errno.into()))?.filesystem_type() != NSFS_MAGIC {
        return not("not a network namespace");
    }
    if Namespace::of(path)?.is(&LinuxHost::namespace()?) {
        return not("the network namespace of the host, not of a container");
    }
    // Files of namespaces of other kinds look the same.
    let entered = thread::scope(|scope| scope.spawn(|| setns(&file, CloneFlags::CLONE_NEWNET)).join());
    match entered.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
        Err(Errno::EINVAL) => return not("a namespace, but not one of the network"),
        entered => entered.map_err(|errno| read(errno.into()))?,
    }
    let about = file.metadata().map_err(read)?;
    Ok((about.dev(), about.ino()))
}
