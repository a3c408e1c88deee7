//! Where Open vSwitch of this host is asked.

use std::env;
use std::path::PathBuf;

/// The folder of Open vSwitch's sockets, unless `$OVS_RUNDIR` says otherwise, as for its own
/// programs.
const FOLDER: &str = "/var/run/openvswitch";

/// The socket of the database of this host's Open vSwitch.
pub fn switch_socket() -> PathBuf {
    let folder = env::var_os("OVS_RUNDIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.unwrap_or_else(|| FOLDER.into()).join("db.sock")
}
