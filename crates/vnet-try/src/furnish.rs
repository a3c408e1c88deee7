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
/// A container may refuse a new `/proc`, because its own is partly covered. That one shows other
/// processes than those inside, and dnsmasq would not be found in it. No `/sys` is needed.
pub(crate) fn furnish() -> Result<()> {
    let mounted = mounts::mount_new("proc", "/proc");
    match OpenOptions::new().write(true).open(SWITCH) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Err(Failed::ReadOnly),
        _ => {}
    }
    if !shows_us() {
        return Err(Failed::OtherProcesses { source: mounted.err() });
    }
    let _ = mounts::mount_new("sysfs", "/sys");
    Ok(())
}

/// Whether `/proc` shows the processes of our process namespace.
fn shows_us() -> bool {
    let shown = fs::read_link("/proc/self").ok().and_then(|number| number.to_str()?.parse().ok());
    shown == Some(std::process::id())
}

/// Empties the folders that programs write to, and sets their name server. Returns whether they
/// will ask it, which requires an existing resolv.conf.
pub(crate) fn empty(name_server: IpAddr) -> Result<bool> {
    let resolv_conf = mounts::resolv_conf();
    mounts::empty(&EMPTY).map_err(Failed::of_mount)?;
    resolv_conf.iter().try_for_each(|file| mounts::ask_at(name_server, file)).map_err(Failed::of_mount)?;
    fs::create_dir_all("/run/vnet").map_err(vnet_lab::Error::doing("make /run/vnet"))?;
    Ok(resolv_conf.is_some())
}
