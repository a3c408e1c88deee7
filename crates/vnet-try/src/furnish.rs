//! Gives fresh namespaces the file systems that programs expect, and a name server.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;

use vnet_lab::mounts;

use crate::error::{Failed, Result};

/// Folders that programs write to; they are empty inside.
const EMPTY: [&str; 3] = ["/run", "/var/lib", "/tmp"];
/// A switch that every start of a network writes.
const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";

/// Mounts the file systems of the new namespaces, and empty folders for everything that programs
/// write.
///
/// A container may refuse a new `/proc`, because its own is partly covered. Then its own is used if
/// its switches can be written. No `/sys` is needed.
pub(crate) fn furnish() -> Result<()> {
    let _ = mounts::mount_new("proc", "/proc");
    match OpenOptions::new().write(true).open(SWITCH) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Err(Failed::ReadOnly),
        _ => {}
    }
    let _ = mounts::mount_new("sysfs", "/sys");
    Ok(())
}

/// Empties the folders that programs write to, and sets their name server. Returns whether they
/// will ask it, which requires an existing resolv.conf.
pub(crate) fn empty(name_server: IpAddr) -> Result<bool> {
    let resolv_conf = mounts::resolv_conf();
    mounts::empty(&EMPTY)?;
    resolv_conf.iter().try_for_each(|file| mounts::ask_at(name_server, file))?;
    fs::create_dir_all("/run/vnet").map_err(vnet_lab::Error::doing("make /run/vnet"))?;
    Ok(resolv_conf.is_some())
}
