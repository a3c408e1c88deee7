//! Namespaces for a program that is about to start, and their furniture (namespaces(7), user_namespaces(7)).
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{AccessFlags, ForkResult, Pid, access, fork, getegid, geteuid, getppid, write};

/// Where libvirt-like programs write: empty inside.
const PRIVATE: [&str; 2] = ["/run", "/var/lib"];

/// Makes the command start in namespaces of its own, as root of them.
pub(crate) fn enter(command: &mut Command) {
    let uid_map = map(geteuid().as_raw());
    let gid_map = map(getegid().as_raw());
    // SAFETY: between fork and exec of a program with threads, only async-signal-safe functions may be called:
    // what follows makes system calls, and allocates and locks nothing.
    unsafe { command.pre_exec(move || Ok(before_exec(&uid_map, &gid_map)?)) };
}

fn map(id: u32) -> CString {
    CString::new(format!("0 {id} 1")).expect("no NUL in numbers")
}

fn before_exec(uid_map: &CStr, gid_map: &CStr) -> Result<(), Errno> {
    unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )?;
    put(c"/proc/self/setgroups", c"deny")?;
    put(c"/proc/self/uid_map", uid_map)?;
    put(c"/proc/self/gid_map", gid_map)?;
    mount(None::<&CStr>, c"/", None::<&CStr>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&CStr>)?;
    die_with_parent()?;
    // The PID namespace begins with the next child. That one only reaps, as init does for daemons, so that a process
    // that has ended is gone; when it ends, the kernel kills whatever is left.
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

/// Forks and returns in the child; the parent ends as the child ends.
fn wait_as_parent(wait: impl Fn(Pid) -> Result<WaitStatus, Errno>) -> Result<(), Errno> {
    // SAFETY: the program has one thread here, the one that std forked.
    let child = match unsafe { fork() }? {
        ForkResult::Child => return die_with_parent(),
        ForkResult::Parent { child } => child,
    };
    // std waits until every copy of a pipe is closed, by exec or here. Standard input and output stay.
    // SAFETY: nothing is done with a file descriptor from here on.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    let code = loop {
        match wait(child) {
            Err(Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
            _ => break 125,
        }
    };
    // SAFETY: ends the process at once, without the handlers of the program it was forked from.
    unsafe { libc::_exit(code) }
}

fn die_with_parent() -> Result<(), Errno> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Explains why a command with namespaces did not start.
pub(crate) fn what_is_missing(error: &io::Error) -> String {
    let switches = [
        ("/proc/sys/user/max_user_namespaces", "0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
    ];
    let off = switches.iter().filter(|(path, off)| fs::read_to_string(path).is_ok_and(|value| value.trim() == *off));
    let off: Vec<_> = off.map(|(path, value)| format!("{path} is {value}")).collect();
    match off.is_empty() {
        true => format!("{error} (a container may forbid them: it needs unshare(2) and mount(2))"),
        false => format!("{error} ({})", off.join(", ")),
    }
}

/// Makes fresh namespaces usable, after a look that they are fresh.
pub(crate) fn furnish() {
    assert_eq!(getppid().as_raw(), 1, "not started by the harness: refusing to mount over a real host");
    // A container that masks parts of its /proc gets no new one; the old one serves but for the PIDs.
    let _ = mount_new("proc", "/proc");
    mount_new("sysfs", "/sys").unwrap_or_else(|error| panic!("sysfs on /sys: {error}"));
    let links = links();
    assert_eq!(links, ["lo"], "the network namespace is not fresh: refusing to touch what may be a real host");
    let needed = needed_folders();
    open_up(&workspace());
    for folder in PRIVATE.iter().chain(&["/tmp"]) {
        match needed.iter().find(|needed| needed.starts_with(folder)) {
            None => mount_new("tmpfs", folder).unwrap_or_else(|error| panic!("tmpfs on {folder}: {error}")),
            Some(_) if *folder == "/tmp" => {}
            Some(needed) => panic!("tests need an empty {folder}, and {} is in it", needed.display()),
        }
    }
    private_etc(&needed).unwrap_or_else(|error| panic!("an /etc of its own: {error}"));
    lo_up().unwrap_or_else(|error| panic!("setting lo up: {error}"));
}

/// Gives the test an `/etc` to write to: what is there stays readable by links, what is new is in memory.
fn private_etc(needed: &[PathBuf]) -> io::Result<()> {
    let is_free = |folder: &&Path| folder.is_dir() && !needed.iter().any(|needed| needed.starts_with(folder));
    let folder = ["/mnt", "/media", "/srv"].map(Path::new).into_iter().find(is_free);
    let folder = folder.ok_or_else(|| io::Error::other("/mnt, /media and /srv are missing or in use"))?;
    let old = folder.join("etc");
    mount_new("tmpfs", folder)?;
    fs::create_dir(&old)?;
    mount(Some("/etc"), &old, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    mount_new("tmpfs", "/etc")?;
    for entry in fs::read_dir(&old)? {
        let name = entry?.file_name();
        if name != "vnet" {
            symlink(old.join(&name), Path::new("/etc").join(&name))?;
        }
    }
    Ok(())
}

/// Mounts a file system of this thread's namespaces.
pub(crate) fn mount_new(kind: &str, folder: impl AsRef<Path>) -> nix::Result<()> {
    let exec = if kind == "tmpfs" { MsFlags::empty() } else { MsFlags::MS_NOEXEC };
    mount(Some(kind), folder.as_ref(), Some(kind), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | exec, None::<&str>)
}

/// Links but for `ifb0` and the like, which a kernel with the module puts into every new namespace.
fn links() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").expect("sysfs is mounted");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with("ifb")).collect()
}

/// What has to stay visible: the program under test and its test data.
fn needed_folders() -> Vec<PathBuf> {
    [std::env::current_exe(), std::env::current_dir(), Ok(workspace())].into_iter().flatten().collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace").to_owned()
}

/// Makes the workspace readable where it is in a folder that is closed to our user, such as `/root`.
///
/// Outside, a capability may have led past that folder; in a user namespace none does. The working directory is
/// still held: it is mounted where it was, below an empty folder in place of the closed one.
fn open_up(workspace: &Path) {
    let closed = |folder: &&Path| access(*folder, AccessFlags::X_OK).is_err();
    let ancestors = workspace.ancestors().collect::<Vec<_>>();
    let Some(closed) = ancestors.into_iter().rev().find(closed) else { return };
    let working = std::env::current_dir().expect("a working directory");
    let below = working.strip_prefix(workspace).unwrap_or_else(|_| {
        panic!("{} is closed to this user: run the tests with a working directory below it", closed.display())
    });
    let up = below.iter().fold(PathBuf::from("."), |up, _| up.join(".."));
    std::env::set_current_dir(up).expect("the workspace is readable from within");
    mount_new("tmpfs", closed).unwrap_or_else(|error| panic!("tmpfs on {}: {error}", closed.display()));
    fs::create_dir_all(workspace).expect("a new folder is ours");
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some("."), workspace, None::<&str>, bind, None::<&str>)
        .unwrap_or_else(|error| panic!("the workspace on {}: {error}", workspace.display()));
    std::env::set_current_dir(working).expect("the workspace is where it was");
}

/// Sets `lo` up in this thread's network namespace, by the ioctl of netdevice(7).
pub(crate) fn lo_up() -> nix::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: a C structure of numbers and a union of them, for which zeros are a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`, which lives through the call.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request) }).map(drop)
}

/// Runs a closure in a thread that has no capability, as that of an ordinary user.
///
/// # Panics
/// When the closure does.
pub fn without_capabilities<T: Send>(inside: impl FnOnce() -> T + Send) -> T {
    let give_up = || {
        // `struct __user_cap_header_struct` of version 3 for this thread, and three sets of 64 bits without any.
        let (header, none) = ([0x2008_0522_u32, 0], [0_u32; 6]);
        // SAFETY: capset(2) reads the two, which are as large as it takes them to be.
        let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
        Errno::result(result).expect("anybody may give up capabilities");
        inside()
    };
    let ended = std::thread::scope(|scope| scope.spawn(give_up).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
