//! Mounts that make fresh namespaces usable for programs. They cannot be seen outside.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use crate::Error;

/// How to start a container whose programs may create namespaces and mounts.
pub const CONTAINER_OPTIONS: &str = "`docker run --security-opt seccomp=unconfined --security-opt \
    apparmor=unconfined --security-opt systempaths=unconfined` or `podman run --security-opt unmask=ALL`";
/// The file that names the name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Mounts a file system of this thread's namespaces: `proc`, `sysfs` or an empty `tmpfs`.
///
/// # Errors
/// [`io::Error`] when mount(2) fails.
pub fn mount_new(kind: &str, folder: impl AsRef<Path>) -> io::Result<()> {
    let exec = if kind == "tmpfs" { MsFlags::empty() } else { MsFlags::MS_NOEXEC };
    mount(Some(kind), folder.as_ref(), Some(kind), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | exec, None::<&str>)?;
    Ok(())
}

/// Covers each of these folders that exists with an empty one.
///
/// # Errors
/// [`Error::System`] when mount(2) fails.
pub fn empty(folders: &[&str]) -> Result<(), Error> {
    folders.iter().try_for_each(|folder| match mount_new("tmpfs", folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::doing(format!("mount a tmpfs on {folder}"))(error))
        }
        _ => Ok(()),
    })
}

/// Shows a folder at the place of another one, too.
///
/// # Errors
/// [`Error::System`] when mount(2) fails.
pub fn show(folder: &Path, at: &str) -> Result<(), Error> {
    mount(Some(folder), at, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(Error::doing(format!("show {} at {at}", folder.display())))
}

/// The path of the name server configuration, with links followed; `None` when there is no such
/// file. Call it before [`empty`] covers the target of a link.
pub fn resolv_conf() -> Option<PathBuf> {
    fs::canonicalize(RESOLV_CONF).ok()
}

/// Sets the name server that programs ask. `resolv_conf` is the path that they read; `/run` must be
/// our empty folder.
///
/// # Errors
/// [`Error::System`] when the file cannot be written or covered.
pub fn ask_at(name_server: IpAddr, resolv_conf: &Path) -> Result<(), Error> {
    let text = format!("nameserver {name_server}\n");
    if !resolv_conf.exists() {
        // It was a link into a folder that is now empty.
        if let Some(folder) = resolv_conf.parent() {
            fs::create_dir_all(folder).map_err(Error::doing(format!("make {}", folder.display())))?;
        }
        return fs::write(resolv_conf, text).map_err(Error::doing(format!("write {}", resolv_conf.display())));
    }
    let ours = Path::new("/run/resolv.conf");
    fs::write(ours, text).map_err(Error::doing("write /run/resolv.conf"))?;
    mount(Some(ours), resolv_conf, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(Error::doing(format!("cover {}", resolv_conf.display())))
}
