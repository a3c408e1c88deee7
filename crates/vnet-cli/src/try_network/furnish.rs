//! Fresh namespaces become the host that programs expect: file systems, and a name server to ask.

use std::net::IpAddr;

use vnet_lab::mounts;

/// Where programs keep what lives while they run, and longer: empty inside.
const EMPTY: [&str; 3] = ["/run", "/var/lib", "/tmp"];

/// Mounts what belongs to the new namespaces, and empty folders for all that programs write. Answers whether programs
/// will ask `name_server`, which takes a resolv.conf to be there already.
pub(crate) fn furnish(name_server: IpAddr) -> anyhow::Result<bool> {
    let resolv_conf = mounts::resolv_conf();
    for (kind, folder) in [("proc", "/proc"), ("sysfs", "/sys")] {
        mounts::mount_new(kind, folder).map_err(vnet_lab::Error::doing(format!("mount {kind} on {folder}")))?;
    }
    mounts::empty(&EMPTY)?;
    resolv_conf.iter().try_for_each(|file| mounts::ask_at(name_server, file))?;
    Ok(resolv_conf.is_some())
}
