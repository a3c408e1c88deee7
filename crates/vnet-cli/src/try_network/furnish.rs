//! Fresh namespaces become the host that programs expect: file systems, and a name server to ask.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::mount::{MsFlags, mount};

/// Where programs look for a name server.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where programs keep what lives while they run, and longer: empty inside.
const EMPTY: [&str; 3] = ["/run", "/var/lib", "/tmp"];

/// Mounts what belongs to the new namespaces, and empty folders for all that programs write. Nothing of it is seen
/// outside. Answers whether programs will ask `name_server`, which takes a resolv.conf to be there already.
pub(crate) fn furnish(name_server: IpAddr) -> anyhow::Result<bool> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("the mounts inside cannot be made private")?;
    let resolv_conf = fs::canonicalize(RESOLV_CONF).ok();
    mount_new("proc", Path::new("/proc"))?;
    mount_new("sysfs", Path::new("/sys"))?;
    EMPTY.iter().try_for_each(|folder| mount_new("tmpfs", Path::new(folder)))?;
    resolv_conf.map(|file| ask_at(name_server, &file)).transpose().map(|asked| asked.is_some())
}

fn ask_at(name_server: IpAddr, resolv_conf: &Path) -> anyhow::Result<()> {
    let text = format!("nameserver {name_server}\n");
    let ours = PathBuf::from("/run/resolv.conf");
    if EMPTY.iter().any(|folder| resolv_conf.starts_with(folder)) {
        // It was a link into a folder that is empty now.
        if let Some(folder) = resolv_conf.parent() {
            fs::create_dir_all(folder).with_context(|| format!("no folder {} inside", folder.display()))?;
        }
        return fs::write(resolv_conf, text).context("no resolv.conf can be written inside");
    }
    fs::write(&ours, text).context("no resolv.conf can be written inside")?;
    mount(Some(&ours), resolv_conf, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("{} cannot be covered inside", resolv_conf.display()))
}

fn mount_new(kind: &str, folder: &Path) -> anyhow::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match mount(Some(kind), folder, Some(kind), flags, None::<&str>).map_err(io::Error::from) {
        // Not every system has every folder.
        Err(error) if kind == "tmpfs" && error.kind() == io::ErrorKind::NotFound => Ok(()),
        mounted => mounted.with_context(|| format!("{kind} cannot be mounted on {} inside", folder.display())),
    }
}
