//! Starts a program in namespaces of its own (namespaces(7), user_namespaces(7)).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, pipe2, write};

/// A command that starts in its own user, network, mount, PID, IPC and UTS namespaces, as root in
/// them.
///
/// Its parent there is process 1, which reaps processes as init does and ends with the command.
/// Then the kernel kills whatever is left. The command ends with the thread that started it.
#[derive(Debug)]
pub struct Isolation {
    /// The pipe on which the new process names the failed step: std returns only its errno.
    failed: File,
}

/// A step on the way into the namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// unshare(2).
    Unshare = 1,
    /// Mapping the user to root: `/proc/self/uid_map` and its like.
    Map,
    /// Making the mounts private.
    Mount,
}

/// Why a command could not get its own namespaces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// A switch of this kernel forbids them.
    #[error(
        "`{switch}` is {value}, so users cannot have namespaces of their own; an administrator can allow them: sysctl -w {remedy}"
    )]
    Switch {
        /// The switch.
        switch: &'static str,
        /// Its value.
        value: String,
        /// The value that allows them.
        remedy: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// The rules of a container forbid them.
    #[error("this container refuses {step}; start it with {}", crate::mounts::CONTAINER_OPTIONS)]
    Container {
        /// The step that is refused.
        step: Step,
        /// The kernel's error.
        source: io::Error,
    },
    /// The process is behind chroot(2), where the kernel gives nobody a user namespace.
    #[error(
        "this process is in a chroot, and the kernel gives it no namespaces of its own; run it outside, or enter the \
         folder by pivot_root(2), as `systemd-nspawn` and `bwrap` do"
    )]
    Chroot {
        /// The kernel's error.
        source: io::Error,
    },
    /// The cause is unknown.
    #[error("this system refuses {step}; in a container, start that with {}", crate::mounts::CONTAINER_OPTIONS)]
    Refused {
        /// The step that is refused.
        step: Step,
        /// The kernel's error.
        source: io::Error,
    },
    /// The command did not start, for another reason.
    #[error("cannot start the program inside its namespaces")]
    Start(#[source] io::Error),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unshare => "namespaces of its own (unshare(2))",
            Self::Map => "root of its own (/proc/self/uid_map)",
            Self::Mount => "mounts of its own (mount(2))",
        })
    }
}

impl Isolation {
    /// Isolates a command that is not started yet.
    ///
    /// # Errors
    /// [`io::Error`] when no pipe can be created.
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let uid_map = map(geteuid().as_raw());
        let gid_map = map(getegid().as_raw());
        let (failed, tell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let tell = Arc::new(tell);
        let enter = move || {
            enter(&uid_map, &gid_map).map_err(|(step, errno)| {
                let _ = write(&*tell as &OwnedFd, &[step as u8]);
                errno.into()
            })
        };
        // SAFETY: between fork and exec of a program with threads, only async-signal-safe functions
        // may be called: `enter` makes system calls, and allocates and locks nothing.
        unsafe { command.pre_exec(enter) };
        Ok(Self { failed: failed.into() })
    }

    /// Explains why the command did not start.
    pub fn explain(mut self, source: io::Error) -> Unavailable {
        let mut told = [0];
        let step = match (self.failed.read(&mut told), told) {
            (Ok(1), [1]) => Step::Unshare,
            (Ok(1), [2]) => Step::Map,
            (Ok(1), [3]) => Step::Mount,
            _ => return Unavailable::Start(source),
        };
        let found = SWITCHES.into_iter().find_map(|(switch, forbids, remedy)| {
            let value = fs::read_to_string(format!("/proc/sys/{}", switch.replace('.', "/"))).ok()?;
            let value = value.trim().to_owned();
            (value == forbids).then_some((switch, value, remedy))
        });
        match found {
            Some((switch, value, remedy)) => Unavailable::Switch { switch, value, remedy, source },
            None if step == Step::Unshare && is_chroot() => Unavailable::Chroot { source },
            None if is_container() => Unavailable::Container { step, source },
            None => Unavailable::Refused { step, source },
        }
    }
}

/// Switches that forbid namespaces, with the forbidding value, and the value that allows them.
const SWITCHES: [(&str, &str, &str); 8] = [
    ("kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("user.max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("user.max_net_namespaces", "0", "user.max_net_namespaces=10000"),
    ("user.max_mnt_namespaces", "0", "user.max_mnt_namespaces=10000"),
    ("user.max_pid_namespaces", "0", "user.max_pid_namespaces=10000"),
    ("user.max_ipc_namespaces", "0", "user.max_ipc_namespaces=10000"),
    ("user.max_uts_namespaces", "0", "user.max_uts_namespaces=10000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
];

/// Whether this is a container of Docker or podman: each leaves a file.
fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists())
}

/// Whether `/` is another folder than the root of the mounts, as far as this can be seen.
fn is_chroot() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    match (place("/proc/1/root"), place("/")) {
        (Some(first), Some(ours)) if namespace("1") == namespace("self") => first != ours,
        // In a mount namespace of its own, or as a user who may not look at process 1: a folder
        // that is no mount is not the root of all mounts.
        _ => fs::read_to_string("/proc/self/mountinfo")
            .is_ok_and(|mounts| mounts.lines().all(|mount| mount.split(' ').nth(4) != Some("/"))),
    }
}

/// What tells a folder from all others: its mount, and its place in that.
fn place(folder: &str) -> Option<(String, u64, u64)> {
    let folder = File::from(open(folder, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok()?);
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd())).ok()?;
    let mount = info.lines().find(|line| line.starts_with("mnt_id:"))?.to_owned();
    folder.metadata().ok().map(|it| (mount, it.dev(), it.ino()))
}

fn map(id: u32) -> CString {
    CString::new(format!("0 {id} 1")).expect("no NUL in numbers")
}

fn enter(uid_map: &CStr, gid_map: &CStr) -> Result<(), (Step, Errno)> {
    let namespaces = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(namespaces).map_err(|errno| (Step::Unshare, errno))?;
    [(c"/proc/self/setgroups", c"deny"), (c"/proc/self/uid_map", uid_map), (c"/proc/self/gid_map", gid_map)]
        .into_iter()
        .try_for_each(|(path, text)| put(path, text))
        .map_err(|errno| (Step::Map, errno))?;
    mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&CStr>)
        .map_err(|errno| (Step::Mount, errno))?;
    settle().map_err(|errno| (Step::Unshare, errno))
}

/// Forks until this process is in the new PID namespace.
fn settle() -> Result<(), Errno> {
    die_with_parent()?;
    // The PID namespace begins with the next child. That child only reaps, as init does for
    // daemons, so that ended processes disappear. When it ends, the kernel kills whatever is left.
    wait_as_parent(|child| waitpid(child, None))?;
    wait_as_parent(|child| {
        loop {
            match wait() {
                Ok(status) if status.pid() != Some(child) => {}
                ended => return ended,
            }
        }
    })
}

fn put(path: &CStr, text: &CStr) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(&file, text.to_bytes()).map(drop)
}

/// Forks and returns in the child. The parent ends when the child ends.
fn wait_as_parent(wait: impl Fn(Pid) -> Result<WaitStatus, Errno>) -> Result<(), Errno> {
    // SAFETY: the process has one thread here, the one that std forked.
    let child = match unsafe { fork() }? {
        ForkResult::Child => return die_with_parent(),
        ForkResult::Parent { child } => child,
    };
    // std waits until every copy of a pipe is closed, by exec or here. Standard input and output
    // stay open. SAFETY: no file descriptor is used after this.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    let code = loop {
        match wait(child) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
            _ => break 125,
        }
    };
    // SAFETY: ends the process at once, without the exit handlers of the program that forked it.
    unsafe { libc::_exit(code) }
}

fn die_with_parent() -> Result<(), Errno> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
}
