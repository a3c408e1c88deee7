//! Sleeps until something may have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use vnet_netlink::Monitor;

use crate::error::Error;

/// What is watched in every folder.
const CHANGES: inotify::WatchFlags = inotify::WatchFlags::CREATE
    .union(inotify::WatchFlags::DELETE)
    .union(inotify::WatchFlags::MOVE)
    .union(inotify::WatchFlags::MODIFY)
    .union(inotify::WatchFlags::CLOSE_WRITE)
    .union(inotify::WatchFlags::DELETE_SELF)
    .union(inotify::WatchFlags::MOVE_SELF)
    .union(inotify::WatchFlags::ONLYDIR);

/// The end of a process is told by its own file, and by this mark.
const PROCESS: u64 = 1;

#[derive(Debug)]
pub(super) struct Watch {
    epoll: OwnedFd,
    inotify: OwnedFd,
    alarm: OwnedFd,
    /// Empty when the kernel's changes are of no interest, or cannot be heard.
    kernel: Vec<Monitor>,
    /// The folders that are watched, with their numbers at inotify.
    watched: BTreeMap<PathBuf, i32>,
    /// The processes whose end is told.
    processes: BTreeMap<i32, OwnedFd>,
}

/// What may have changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Happened {
    /// Something in a folder.
    pub(super) files: bool,
    /// Links, addresses, routes, traffic control, rules or processes.
    pub(super) kernel: bool,
}

impl Watch {
    /// `kernel`: whether changes of the kernel are of interest.
    pub(super) fn open(kernel: bool) -> Result<Self, Error> {
        let kernel = if kernel { hear_kernel()? } else { Vec::new() };
        let open = || -> io::Result<Self> {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            for fd in [inotify.as_fd(), alarm.as_fd()].into_iter().chain(kernel.iter().map(AsFd::as_fd)) {
                epoll::add(&epoll, fd, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
            }
            Ok(Self { epoll, inotify, alarm, kernel, watched: BTreeMap::new(), processes: BTreeMap::new() })
        };
        open().map_err(Error::watch)
    }

    /// Whether changes of the kernel are heard.
    pub(super) fn hears_kernel(&self) -> bool {
        !self.kernel.is_empty()
    }

    /// Watches these folders and no others; in place of one that does not exist, the nearest above
    /// it.
    pub(super) fn folders(&mut self, folders: BTreeSet<PathBuf>) -> Result<(), Error> {
        let mut watched = BTreeMap::new();
        for folder in &folders {
            let (nearest, number) = self.nearest(folder).map_err(Error::watch)?;
            watched.insert(nearest, number);
        }
        let kept: BTreeSet<i32> = watched.values().copied().collect();
        for number in self.watched.values().filter(|number| !kept.contains(number)) {
            // The folder may be gone.
            let _ = inotify::remove_watch(&self.inotify, *number);
        }
        self.watched = watched;
        Ok(())
    }

    fn nearest(&self, folder: &Path) -> io::Result<(PathBuf, i32)> {
        for nearest in folder.ancestors() {
            match inotify::add_watch(&self.inotify, nearest, CHANGES) {
                // It may have been made before the one above it was watched.
                Ok(number) if nearest == folder || !exists_below(nearest, folder) => {
                    return Ok((nearest.to_owned(), number));
                }
                Ok(_) => return self.nearest(folder),
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Tells the end of these processes, and of no others.
    pub(super) fn processes(&mut self, pids: BTreeSet<i32>) -> Result<(), Error> {
        self.processes.retain(|pid, _| pids.contains(pid));
        for number in pids {
            if self.processes.contains_key(&number) {
                continue;
            }
            let Some(pid) = Pid::from_raw(number) else { continue };
            let process = match pidfd_open(pid, PidfdFlags::empty()) {
                // It has ended already.
                Err(Errno::SRCH) => continue,
                process => process.map_err(Error::watch)?,
            };
            // A file stays readable after the end of its process: it is told once.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
            epoll::add(&self.epoll, &process, epoll::EventData::new_u64(PROCESS), flags).map_err(Error::watch)?;
            self.processes.insert(number, process);
        }
        Ok(())
    }

    /// Wakes up at this time.
    pub(super) fn set_alarm(&self, at: Option<Instant>) -> Result<(), Error> {
        let left = at.map(|at| at.saturating_duration_since(Instant::now()));
        // Zero would switch the alarm off.
        let left = left.map(|left| left.max(Duration::from_nanos(1)));
        let value = left.map_or(Ok(Timespec::default()), Timespec::try_from);
        let value = value.map_err(|_| Error::watch(Errno::OVERFLOW))?;
        let alarm = Itimerspec { it_interval: Timespec::default(), it_value: value };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &alarm).map_err(Error::watch)?;
        Ok(())
    }

    /// Sleeps until something may have changed. Returns false at the deadline.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Result<bool, Error> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(|_| Error::watch(Errno::OVERFLOW))?;
            match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::watch(errno)),
            }
        }
    }

    /// What has happened since the last call.
    pub(super) fn take(&mut self) -> Result<Happened, Error> {
        // The end of a process is told here, everything else by its own file. What does not fit is
        // told the next time.
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec::default())) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::watch(errno)),
        }
        let mut happened = Happened {
            files: drain(&self.inotify).map_err(Error::watch)?,
            kernel: events.iter().any(|event| event.data.u64() == PROCESS),
        };
        drain(&self.alarm).map_err(Error::watch)?;
        for monitor in &self.kernel {
            happened.kernel |= monitor.drain()?;
        }
        Ok(happened)
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// The kernel's notifications. Empty where the rules of a network cannot be watched.
fn hear_kernel() -> Result<Vec<Monitor>, Error> {
    let rules = match Monitor::rules() {
        Err(error) if error.is_permission_denied() => return Ok(Vec::new()),
        rules => rules?,
    };
    Ok(vec![Monitor::links()?, rules])
}

/// Whether the next folder on the way from one folder to one below exists.
fn exists_below(above: &Path, below: &Path) -> bool {
    let next = below.strip_prefix(above).ok().and_then(|rest| rest.components().next());
    next.is_some_and(|next| above.join(next).is_dir())
}

/// Reads what there is, and drops it. Returns whether there was something.
fn drain(fd: &OwnedFd) -> Result<bool, Errno> {
    let mut buffer = [0u8; 1 << 14];
    let mut read_some = false;
    loop {
        match rustix::io::read(fd, &mut buffer) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(read_some),
            Ok(_) => read_some = true,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
