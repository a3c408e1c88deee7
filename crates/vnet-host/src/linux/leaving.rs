//! Links whose deletion is under way.
//!
//! The kernel tells everybody that a link is removed, and its name is free, long before it answers
//! the request: it then waits for all readers of the link (`rcu_barrier` in `netdev_run_todo`,
//! `net/core/dev.c`). So another sends the request, and who has asked goes on at the notification.
//!
//! For some that is earlier still. Once the kernel has taken the index of a link out of its tables
//! (`unlist_netdevice`), the link is down, nobody finds it any more, and nothing stops its
//! deletion. The kernel holds the lock on links until the rest is done, so whoever makes or looks
//! at a link afterwards waits for that; `/sys` alone shows the link until then. That is when a pair
//! is gone, as nobody but us uses its end on the host. It is also enough of several bridges, which
//! the kernel takes long for: it waits for the readers of each alone (`br_multicast_dev_del`,
//! `net/bridge/br_multicast.c`).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, send, sendmsg};
use nix::sys::time::TimeSpec;
use vnet_netlink::{Monitor, Netlink};
use vnet_types::{InterfaceName, Link, LinkKind};

use super::LinuxHost;
use crate::Lock;

/// The only argument of a program that is to delete links.
const DELETES: &str = "@delete-links";
/// What ends the list of indexes that it is told.
const END: &str = "\n";
/// How often to look whether a link is still there. Nothing tells of it.
const GLANCE: Duration = Duration::from_micros(100);
/// How long to wait for the notification of one of several bridges.
const PATIENCE: Duration = Duration::from_millis(50);

/// Who sends a request that the kernel takes long to answer.
#[derive(Clone, Debug, Default)]
pub(super) enum Deputy {
    /// A thread. A process does not end before its threads.
    #[default]
    Thread,
    /// A process of this program.
    Program(PathBuf),
}

/// A process that is told the indexes of links, deletes them and ends.
#[derive(Debug)]
struct Ready {
    child: Child,
    line: UnixStream,
}

/// Such a process while it is started. The thread that starts it waits until it runs.
#[derive(Debug)]
pub(super) struct Starting(JoinHandle<io::Result<Ready>>);

/// Links that are being deleted.
#[derive(Debug)]
pub(super) struct Leaving {
    /// Those that are not known to be gone, by the names that they had.
    links: BTreeMap<InterfaceName, u32>,
    /// Until when only a notification tells that they are gone. `None` for ever.
    patience: Option<Instant>,
    monitor: Monitor,
    /// Ends with the deputy.
    line: UnixStream,
    /// The deputy, if it is a process.
    child: Option<Child>,
    has_ended: bool,
    /// Links that are gone, by their indexes.
    gone: BTreeSet<u32>,
}

impl Deputy {
    /// Begins to delete links. `None` where nobody can be sent.
    ///
    /// Another process has the lock, too, until it has sent the request: who comes after a process
    /// that was killed finds all of the links or none.
    fn delete(
        &self,
        links: BTreeMap<InterfaceName, u32>,
        are_bridges: bool,
        ready: Option<Starting>,
        lock: &Lock,
    ) -> Option<Leaving> {
        let monitor = Monitor::removals().ok()?;
        let (line, child) = match self {
            Self::Thread => {
                let (line, its) = UnixStream::pair().ok()?;
                thread::Builder::new().name("links".to_owned()).spawn(move || delete_told(its)).ok()?;
                (line, None)
            }
            Self::Program(program) => {
                let ready = ready.and_then(Starting::wait);
                let run = || run(program, lock.share().ok()?.into()).ok();
                let Ready { child, line } = ready.or_else(run)?;
                (line, Some(child))
            }
        };
        let words: String = links.values().map(|index| format!("{index} ")).collect();
        send(line.as_raw_fd(), format!("{words}{END}").as_bytes(), MsgFlags::MSG_NOSIGNAL).ok()?;
        let patience = are_bridges.then(|| Instant::now() + PATIENCE);
        Some(Leaving { links, patience, monitor, line, child, has_ended: false, gone: BTreeSet::new() })
    }
}

/// Starts a process that waits to be told. It ends when this one does.
fn run(program: &Path, lock: OwnedFd) -> io::Result<Ready> {
    let (line, its) = UnixStream::pair()?;
    let mut command = Command::new(program);
    command.arg(DELETES).stdin(lock).stdout(OwnedFd::from(its)).stderr(Stdio::null());
    Ok(Ready { child: command.spawn()?, line })
}

/// Deletes the links whose indexes it is told. Whoever waits for those that are left finds out why.
fn delete_told(line: UnixStream) {
    let Ok(netlink) = Netlink::open() else { return };
    let mut text = String::new();
    let _ = BufReader::new(&line).read_line(&mut text);
    // Whoever was killed has told nothing, or a part.
    let Some(words) = text.strip_suffix(END) else { return };
    let Ok(indexes) = words.split_whitespace().map(str::parse).collect::<Result<Vec<u32>, _>>() else { return };
    let _ = match indexes[..] {
        [] => Ok(()),
        [index] => netlink.delete_link(index),
        _ => netlink.delete_links(&indexes),
    };
}

/// Takes over when another process of this program has links to delete, and does not return then.
/// Call it first in `main` of a program that is named by
/// [`LinuxHost::with_deputy`](super::LinuxHost::with_deputy).
pub fn delete_links_for_another() {
    if std::env::args_os().nth(1).is_none_or(|first| first != *DELETES) {
        return;
    }
    if let Ok(line) = io::stdout().as_fd().try_clone_to_owned() {
        delete_told(line.into());
    }
    std::process::exit(0);
}

impl LinuxHost {
    /// Lets another process of this program wait for the kernel while it deletes links, for a
    /// program that ends with its call. That program calls [`delete_links_for_another`] first.
    #[must_use]
    pub fn with_deputy(mut self, program: impl Into<PathBuf>) -> Self {
        self.deputy = Deputy::Program(program.into());
        self
    }

    /// Starts the process that is to delete links, so that it runs when it is told which.
    pub(super) fn make_deputy_ready(&self, lock: &Lock) {
        if let (Deputy::Program(program), Ok(lock)) = (&self.deputy, lock.share()) {
            let program = program.clone();
            let start = move || run(&program, lock.into());
            self.ready.replace(thread::Builder::new().spawn(start).ok().map(Starting));
        }
    }

    /// Begins to delete links, by their names and indexes. `are_bridges` is whether several bridges
    /// are among them.
    pub(super) fn begin_to_delete(&self, links: BTreeMap<InterfaceName, u32>, are_bridges: bool, lock: &Lock) {
        let indexes: Vec<u32> = links.values().copied().collect();
        let leaving = self.deputy.delete(links, are_bridges, self.ready.take(), lock);
        if leaving.is_none() && indexes.len() > 1 {
            // Those that are left are deleted one by one.
            let _ = self.netlink.delete_links(&indexes);
        }
        self.leaving.replace(leaving);
    }

    /// Waits until a link is gone whose deletion was begun. Returns whether it is gone.
    pub(super) fn waits_for_end_of(&self, link: &Link) -> bool {
        self.leaving.borrow_mut().as_mut().is_some_and(|leaving| leaving.wait_for(link))
    }
}

impl Leaving {
    /// Waits until a link is gone. Returns `false` for a link that is not being deleted, or was
    /// not.
    fn wait_for(&mut self, link: &Link) -> bool {
        let Some(index) = self.links.remove(&link.name) else { return false };
        let is_pair = matches!(link.kind, LinkKind::Veth(_));
        loop {
            let has_ended = self.has_ended;
            let is_gone = self.is_gone(index, is_pair);
            if is_gone || has_ended {
                return is_gone;
            }
            self.listen(is_pair);
        }
    }

    fn is_gone(&mut self, index: u32, is_pair: bool) -> bool {
        if is_pair || self.patience.is_some_and(|until| until <= Instant::now()) {
            return self.monitor.is_gone(index);
        }
        match self.monitor.removed() {
            Ok(removed) => self.gone.extend(removed),
            Err(_) => self.has_ended = true,
        }
        self.gone.contains(&index)
    }

    /// Waits until something may have been removed, or the deputy has ended.
    fn listen(&mut self, is_pair: bool) {
        let [line, monitor] =
            [self.line.as_fd(), self.monitor.as_fd()].map(|file| PollFd::new(file, PollFlags::POLLIN));
        let mut files = [line, monitor];
        let until = if is_pair { Some(Instant::now()) } else { self.patience };
        let ready = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => ppoll(&mut files[..1], Some(GLANCE.into()), None),
            left => ppoll(&mut files, left.map(TimeSpec::from), None),
        };
        match ready {
            Ok(_) if files[0].any() != Some(true) => {}
            Err(Errno::EINTR) => {}
            _ => {
                self.has_ended = true;
                let _ = self.child.as_mut().map(Child::wait);
            }
        }
    }
}

impl Leaving {
    /// Lets another process close a socket of nf_tables, too: who closes it last after something
    /// was deleted waits for the kernel. The process gets it when it does not read any more, and
    /// has it until it ends.
    pub(super) fn pass_on(&self, socket: BorrowedFd<'_>) {
        let (text, file) = ([IoSlice::new(END.as_bytes())], [socket.as_raw_fd()]);
        let files = [ControlMessage::ScmRights(&file)];
        if self.child.is_some() {
            let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
            // One that has ended needs none.
            let _ = sendmsg::<UnixAddr>(self.line.as_raw_fd(), &text, &files, flags, None);
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // One that still waits for the kernel is reaped by who comes after this process.
        let _ = self.child.as_mut().map(Child::try_wait);
    }
}

impl Starting {
    fn wait(self) -> Option<Ready> {
        self.0.join().ok()?.ok()
    }

    /// Ends the process, as it is not needed.
    pub(super) fn dismiss(self) {
        if let Some(Ready { mut child, line }) = self.wait() {
            drop(line);
            let _ = child.wait();
        }
    }
}
