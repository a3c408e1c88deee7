//! Scopes of systemd (systemd.scope(5)), one for each program that goes to the background. Without
//! one it stays in the cgroup of whoever ran vnet, and ends with that: with a service that is
//! stopped, or with a session.
//!
//! systemd removes a scope with its last process, so nothing about it is kept or cleaned up. A
//! program without a scope works. Where systemd runs and gave none, [`LinuxHost::unscoped`] says
//! why.

use std::fs;
use std::path::Path;

use super::LinuxHost;

/// A program in the background that has no scope of its own although systemd runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unscoped {
    /// The program: "dnsmasq".
    pub program: String,
    /// The cgroup that it shares with others: "/user.slice/user-0.slice/session-3.scope".
    pub cgroup: String,
    /// Why it has no scope.
    pub reason: String,
}

impl LinuxHost {
    /// The programs that were started since the last call and have no scope of their own although
    /// systemd runs.
    pub fn unscoped(&self) -> Vec<Unscoped> {
        self.unscoped.take()
    }
}

/// A process that has no scope.
pub(super) fn unscoped(program: &str, pid: i32, reason: String) -> Unscoped {
    Unscoped { program: program.to_owned(), cgroup: cgroup(pid).unwrap_or_default(), reason }
}

/// Whether systemd is the init of this process namespace. It may be that of the host only, with its
/// folder shown in a container.
pub(super) fn is_booted() -> bool {
    Path::new("/run/systemd/system").is_dir() && fs::read("/proc/1/comm").is_ok_and(|name| name == b"systemd\n")
}

/// The cgroup that systemd has put a process into (cgroups(7)): that of the only hierarchy of
/// version 2, or that of systemd's own hierarchy.
pub(super) fn cgroup(pid: i32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let of = |hierarchy: &str| text.lines().find_map(|line| line.split_once(hierarchy).map(|(_, path)| path));
    of(":name=systemd:").or_else(|| of("0::")).map(str::to_owned)
}
