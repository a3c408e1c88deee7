//! What waits to be done on a connection: calls in their order, and events between them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use vnet_rpc::{Frame, FrameHeader, RemoteEvent};

use crate::budget::Share;

/// How many calls may wait. The reader waits with the next one.
const CALLS: usize = 8;
/// How many events may wait for a client that does not read.
const EVENTS: usize = 1024;

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Job {
    /// Answer a call.
    Call(Frame, Share),
    /// Refuse a call that is too long to be read.
    TooLong(FrameHeader),
    /// Tell of an event.
    Event(RemoteEvent),
}

/// The jobs of a connection.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There is something to do, or nothing any more.
    changed: Condvar,
    /// There is room for a call.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    calls: usize,
    /// Something is being done.
    is_busy: bool,
    /// No call comes any more.
    has_ended: bool,
    /// Nobody does what waits.
    is_abandoned: bool,
}

impl Queue {
    /// Adds a call, when there is room for it. Whether somebody will answer it.
    pub(crate) fn call(&self, job: Job) -> bool {
        let is_full = |state: &mut State| state.calls >= CALLS && !state.is_abandoned;
        let mut state = self.room.wait_while(self.state(), is_full).unwrap_or_else(PoisonError::into_inner);
        state.calls += 1;
        state.jobs.push_back(job);
        self.changed.notify_all();
        !state.is_abandoned
    }

    /// Whether nothing waits and nothing is being done. Until the caller adds a call, nothing but
    /// events come.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state();
        state.jobs.is_empty() && !state.is_busy && !state.is_abandoned
    }

    /// Adds an event. A client that leaves too many unread is given up.
    pub(crate) fn event(&self, event: RemoteEvent) {
        let mut state = self.state();
        if state.jobs.len() >= CALLS + EVENTS {
            state.is_abandoned = true;
            self.room.notify_all();
        }
        state.jobs.push_back(Job::Event(event));
        self.changed.notify_all();
    }

    /// Waits for the next job. `None` when there is nothing more to do.
    pub(crate) fn next(&self) -> Option<Job> {
        let is_idle = |state: &mut State| state.jobs.is_empty() && !state.has_ended && !state.is_abandoned;
        let mut state = self.state();
        state.is_busy = false;
        let mut state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        let job = state.jobs.pop_front().filter(|_| !state.is_abandoned)?;
        state.is_busy = true;
        if !matches!(job, Job::Event(_)) {
            state.calls -= 1;
            self.room.notify_one();
        }
        Some(job)
    }

    /// No call comes any more. Those that wait are answered.
    pub(crate) fn end(&self) {
        self.state().has_ended = true;
        self.changed.notify_all();
    }

    /// Nobody does what waits.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.is_abandoned = true;
        state.jobs.clear();
        self.changed.notify_all();
        self.room.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
