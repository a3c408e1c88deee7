//! What happens to networks, whoever does it: told as it happens, without a daemon.
//!
//! Nothing is written for this. inotify and netlink tell that something may have changed; then the
//! folders and the host are read, and the difference to what was seen before is the news. So memory
//! is bounded by what the host has, and after an overflow nothing is told that is not so. What
//! begins and ends between two looks is not seen.

mod event;
mod noted;
mod seen;
mod watch;

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::driver::Driver;
use crate::error::Error;

pub use event::{Event, EventKind};
use seen::Seen;
use watch::Watch;

/// How long the host is left alone after a change before its drift is looked at: changes come in
/// crowds.
const SETTLE: Duration = Duration::from_millis(200);
/// The shortest time between two looks at the drift, on a host that never rests.
const SPACING: Duration = Duration::from_millis(500);

/// What happens to networks from now on. Iterating over it waits for the next event.
///
/// It works in the network namespace of the thread that opened it; use it from that thread. Its
/// file is readable when [`try_next`](Self::try_next) may have an event.
#[derive(Debug)]
pub struct Events {
    driver: Driver,
    watch: Watch,
    seen: Seen,
    /// Events that were not taken yet.
    news: VecDeque<Event>,
    /// When to look at the drift. `None`: when something changes.
    drift_due: Option<Instant>,
    /// The earliest time for that.
    not_before: Instant,
    looks_for_drift: bool,
}

impl Driver {
    /// Watches networks, ports, leases and drift. Drift that is there already is the first event.
    ///
    /// Without `CAP_NET_ADMIN` the rules of a network cannot be watched: then there is no event of
    /// drift, and [`Events::sees_drift`] is false.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder or the host cannot be read; [`Error::Watch`] when the kernel
    /// refuses to tell.
    pub fn events(&self) -> Result<Events, Error> {
        self.watch_for(true)
    }

    /// Watches networks, ports and leases. Nothing on the host is compared with what was made, so
    /// that there is no event of drift.
    ///
    /// # Errors
    /// Those of [`events`](Self::events).
    pub fn lifecycle_events(&self) -> Result<Events, Error> {
        self.watch_for(false)
    }

    pub(crate) fn watch_for(&self, drift: bool) -> Result<Events, Error> {
        let mut watch = Watch::open(drift)?;
        let looks_for_drift = drift && watch.hears_kernel();
        watch.folders(self.watched_folders(&Seen::default()))?;
        let seen = Seen::look(self, None)?;
        let mut events = Events {
            driver: self.clone(),
            watch,
            seen,
            news: VecDeque::new(),
            drift_due: looks_for_drift.then(Instant::now),
            not_before: Instant::now(),
            looks_for_drift,
        };
        // The folders of networks that run are known now.
        events.look_at_files()?;
        events.set_alarm()?;
        Ok(events)
    }
}

impl Events {
    /// Whether drift is an event. It is not where the rules cannot be read.
    pub fn sees_drift(&self) -> bool {
        self.looks_for_drift
    }

    /// The next event, if there is one already.
    ///
    /// # Errors
    /// [`Error::Host`] when a folder or the host cannot be read; [`Error::Watch`]. The next call
    /// looks again.
    pub fn try_next(&mut self) -> Result<Option<Event>, Error> {
        if self.news.is_empty() {
            self.look()?;
        }
        Ok(self.news.pop_front())
    }

    /// Waits for the next event. `None` when there is none before the deadline.
    ///
    /// # Errors
    /// Those of [`try_next`](Self::try_next).
    pub fn next_before(&mut self, deadline: Instant) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            if !self.watch.wait(Some(deadline))? {
                return Ok(None);
            }
        }
    }

    fn wait_for_next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            self.watch.wait(None)?;
        }
    }

    /// Looks at what may have changed.
    fn look(&mut self) -> Result<(), Error> {
        let happened = self.watch.take()?;
        let now = Instant::now();
        if self.looks_for_drift && (happened.files || happened.kernel) {
            let due = (now + SETTLE).max(self.not_before);
            self.drift_due.get_or_insert(due);
        }
        if happened.files || self.seen.is_due(now) {
            self.look_at_files()?;
        }
        if self.drift_due.is_some_and(|due| due <= now) {
            self.drift_due = None;
            self.not_before = now + SPACING;
            match self.seen.look_for_drift(&self.driver) {
                Ok(news) => self.news.extend(news),
                // The rules cannot be read without a privilege.
                Err(error) if error.missing_capability().is_some() => self.looks_for_drift = false,
                Err(error) => return Err(error),
            }
        }
        self.set_alarm()
    }

    fn look_at_files(&mut self) -> Result<(), Error> {
        // What is made in a folder before it is watched is seen by the look after that.
        self.watch.folders(self.driver.watched_folders(&self.seen))?;
        let now = Seen::look(&self.driver, Some(&self.seen))?;
        self.watch.folders(self.driver.watched_folders(&now))?;
        self.watch.processes(now.processes())?;
        self.news.extend(now.news_since(&self.seen));
        self.seen = now;
        Ok(())
    }

    fn set_alarm(&mut self) -> Result<(), Error> {
        let next = [self.drift_due, self.seen.due(Instant::now())].into_iter().flatten().min();
        self.watch.set_alarm(next)
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    /// Waits for the next event. It never ends.
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.wait_for_next())
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}
