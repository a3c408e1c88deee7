//! Fresh namespaces become the host that programs expect: file systems, and a name server to ask.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::IpAddr;

use vnet_lab::mounts;

use crate::error::{Failed, Result};

/// Where programs keep what lives while they run, and longer: empty inside.
const EMPTY: [&str; 3] = ["/run", "/var/lib", "/tmp"];
/// A switch that every start of a network writes.
const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";

/// Mounts what belongs to the new namespaces, and empty folders for all that programs write.
///
/// A container may refuse a new `/proc`, because its own is covered in part. Then that one serves,
/// where its switches can be written. Nothing here needs a `/sys`.
pub(crate) fn furnish() -> Result<()> {
    let _ = mounts::mount_new("proc", "/proc");
    match OpenOptions::new().write(true).open(SWITCH) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Err(Failed::ReadOnly),
        _ => {}
    }
    let _ = mounts::mount_new("sysfs", "/sys");
    Ok(())
}

/// Empties the folders that programs write to, and has them ask `name_server`. Answers whether they
/// will, which takes a resolv.conf to be there already.
pub(crate) fn empty(name_server: IpAddr) -> Result<bool> {
    let resolv_conf = mounts::resolv_conf();
    mounts::empty(&EMPTY)?;
    resolv_conf.iter().try_for_each(|file| mounts::ask_at(name_server, file))?;
    fs::create_dir_all("/run/vnet").map_err(vnet_lab::Error::doing("make /run/vnet"))?;
    Ok(resolv_conf.is_some())
}
