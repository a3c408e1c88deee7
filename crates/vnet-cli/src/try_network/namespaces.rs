//! The way into namespaces of one's own (user_namespaces(7), pid_namespaces(7)), without any privilege.

use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::stage::{self, Definition};
use crate::output::{Answer, Format};

/// Why there are no namespaces to be had.
#[derive(Debug, thiserror::Error)]
enum Unavailable {
    /// A switch of this kernel forbids them.
    #[error(
        "`{switch}` is {value} here, so that users cannot have namespaces of their own; as root: sysctl -w {remedy}"
    )]
    Switch { switch: &'static str, value: String, remedy: &'static str },
    /// Nothing says why; most likely a container.
    #[error("this system gives users no namespaces of their own (a container may forbid unshare(2))")]
    Refused(#[source] io::Error),
}

/// Tries inside of fresh namespaces, and answers what comes of it.
///
/// This process stays behind in the old PID and mount namespaces; the rest is new for it too. It must have no other
/// thread.
pub(crate) fn run(definitions: &[Definition], format: Format) -> anyhow::Result<Answer> {
    let (uid, gid) = (geteuid(), getegid());
    enter(uid.as_raw(), gid.as_raw()).map_err(unavailable)?;
    let mut inside = Command::new("/proc/self/exe")
        .args([stage::NAME, "--format", if format == Format::Json { "json" } else { "human" }])
        .stdin(Stdio::piped())
        .spawn()
        .context("the process inside cannot be started")?;
    let mut input = inside.stdin.take().expect("it is piped");
    let sent = serde_json::to_vec(definitions)?;
    // If it has died its exit code says more than the broken pipe.
    let _ = input.write_all(&sent);
    drop(input);
    let status = inside.wait().context("the process inside is lost")?;
    match status.code() {
        Some(0) => Ok(Answer::Yes),
        Some(1) => Ok(Answer::No),
        // It has said why.
        Some(2) => std::process::exit(2),
        _ => bail!("the process inside died: {status}"),
    }
}

fn enter(uid: u32, gid: u32) -> io::Result<()> {
    unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

fn unavailable(error: io::Error) -> anyhow::Error {
    let switches = [
        ("kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("user.max_user_namespaces", "0", "user.max_user_namespaces=10000"),
        ("user.max_net_namespaces", "0", "user.max_net_namespaces=10000"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ];
    let forbidden = [Errno::EPERM, Errno::EACCES, Errno::ENOSPC, Errno::EUSERS, Errno::EINVAL];
    if !forbidden.iter().any(|errno| error.raw_os_error() == Some(*errno as i32)) {
        return anyhow::Error::new(error).context("no namespaces can be made");
    }
    let found = switches.into_iter().find_map(|(switch, forbids, remedy)| {
        let value = fs::read_to_string(format!("/proc/sys/{}", switch.replace('.', "/"))).ok()?;
        let value = value.trim().to_owned();
        (value == forbids).then_some(Unavailable::Switch { switch, value, remedy })
    });
    found.unwrap_or(Unavailable::Refused(error)).into()
}
