//! Links whose deletion is under way.
//!
//! The kernel tells everybody that a link is removed, and its name is free, long before it answers
//! the request: it then waits for all readers of the link (`rcu_barrier` in `netdev_run_todo`,
//! `net/core/dev.c`). So another sends the request, and who has asked goes on at the notification.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vnet_netlink::{Monitor, Netlink};
use vnet_types::{InterfaceName, Link};

use super::LinuxHost;
use crate::Lock;

/// The first argument of a program that is to delete links. The others are their indexes.
const DELETES: &str = "@delete-links";

/// Who sends a request that the kernel takes long to answer.
#[derive(Clone, Debug, Default)]
pub(super) enum Deputy {
    /// A thread. A process does not end before its threads.
    #[default]
    Thread,
    /// A process of this program.
    Program(PathBuf),
}

/// Links that are being deleted.
#[derive(Debug)]
pub(super) struct Leaving {
    /// Those that are not known to be gone, by the names that they had.
    links: BTreeMap<InterfaceName, u32>,
    monitor: Monitor,
    /// Ends with the deputy.
    pipe: PipeReader,
    /// The deputy, if it is a process that was not waited for.
    child: Option<Child>,
    /// Links that are gone, by their indexes.
    gone: BTreeSet<u32>,
    has_ended: bool,
}

impl Deputy {
    /// Begins to delete links. `None` where nobody can be sent.
    ///
    /// Another process has the lock, too, until it has sent the request: who comes after a process
    /// that was killed finds all of the links or none.
    pub(super) fn delete(&self, links: BTreeMap<InterfaceName, u32>, lock: &Lock) -> Option<Leaving> {
        let monitor = Monitor::removals().ok()?;
        let (pipe, its) = io::pipe().ok()?;
        let indexes: Vec<u32> = links.values().copied().collect();
        let child = match self {
            Self::Thread => {
                let work = move || {
                    delete(&indexes);
                    drop(its);
                };
                thread::Builder::new().name("links".to_owned()).spawn(work).ok()?;
                None
            }
            Self::Program(program) => Some(run(program, &indexes, its, lock).ok()?),
        };
        Some(Leaving { links, monitor, pipe, child, gone: BTreeSet::new(), has_ended: false })
    }
}

fn run(program: &Path, indexes: &[u32], its: PipeWriter, lock: &Lock) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.arg(DELETES).args(indexes.iter().map(u32::to_string));
    command.stdin(lock.share()?).stdout(its).stderr(Stdio::null()).spawn()
}

/// Deletes links. Whoever waits for those that are left finds out why.
fn delete(indexes: &[u32]) {
    let Ok(netlink) = Netlink::open() else { return };
    let _ = match indexes {
        [index] => netlink.delete_link(*index),
        _ => netlink.delete_links(indexes),
    };
}

/// Takes over when another process of this program has links to delete, and does not return then.
/// Call it first in `main` of a program that is named by
/// [`LinuxHost::with_deputy`](super::LinuxHost::with_deputy).
pub fn delete_links_for_another() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != *DELETES) {
        return;
    }
    let index = |argument: OsString| argument.to_str()?.parse().ok();
    if let Some(indexes) = arguments.map(index).collect::<Option<Vec<u32>>>() {
        delete(&indexes);
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

    /// Begins to delete links, by their names and indexes.
    pub(super) fn begin_to_delete(&self, links: BTreeMap<InterfaceName, u32>, lock: &Lock) {
        let indexes: Vec<u32> = links.values().copied().collect();
        let leaving = self.deputy.delete(links, lock);
        if leaving.is_none() && indexes.len() > 1 {
            // Those that are left are deleted one by one.
            let _ = self.netlink.delete_links(&indexes);
        }
        self.leaving.replace(leaving);
    }

    /// Waits until a link is gone whose deletion was begun. Returns whether it is gone.
    pub(super) fn waits_for_end_of(&self, link: &Link) -> bool {
        self.leaving.borrow_mut().as_mut().is_some_and(|leaving| leaving.wait_for(&link.name))
    }
}

impl Leaving {
    /// Waits until a link is gone. Returns `false` for a link that is not being deleted, or was
    /// not.
    pub(super) fn wait_for(&mut self, link: &InterfaceName) -> bool {
        let Some(index) = self.links.remove(link) else { return false };
        loop {
            let has_ended = self.has_ended;
            match self.monitor.removed() {
                Ok(removed) => self.gone.extend(removed),
                Err(_) => self.has_ended = true,
            }
            if self.gone.contains(&index) || has_ended {
                return self.gone.contains(&index);
            }
            self.listen();
        }
    }

    /// Waits until something is told, or the deputy has ended.
    fn listen(&mut self) {
        let mut files = [self.monitor.as_fd(), self.pipe.as_fd()].map(|file| PollFd::new(file, PollFlags::POLLIN));
        match poll(&mut files, PollTimeout::NONE) {
            Ok(_) if files[1].any() != Some(true) => {}
            Err(Errno::EINTR) => {}
            _ => {
                self.has_ended = true;
                let _ = self.child.as_mut().map(Child::wait);
            }
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // One that still waits for the kernel is reaped by who comes after this process.
        let _ = self.child.as_mut().map(Child::try_wait);
    }
}
