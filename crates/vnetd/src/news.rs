//! Who is told of what: events of networks, whoever changes them.
//!
//! What a client changes through this server is told as libvirt tells it. What others change, such
//! as the program `vnet`, is seen by the driver's watch, which runs while somebody listens.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use vnet_driver::{Driver, EventKind, Events};
use vnet_rpc::{Lifecycle, NetworkRef, RemoteEvent, Uuid};
use vnet_types::NetworkName;

use crate::answer::metadata;
use crate::queue::Queue;
use crate::refusal::{self, Refusal};

/// The registrations of all connections.
#[derive(Debug)]
pub(crate) struct News {
    driver: Driver,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: i32,
    listeners: Vec<Listener>,
    watch: Option<Watch>,
}

/// One registration.
#[derive(Debug)]
struct Listener {
    connection: u64,
    callback_id: i32,
    kind: Kind,
    /// The UUID of the only network that counts.
    network: Option<Uuid>,
    queue: Arc<Queue>,
}

/// What a registration is for, by libvirt's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lifecycle = 0,
    Metadata = 1,
}

/// Something that a client has done.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A network was defined, undefined, started or stopped.
    Lifecycle(NetworkRef, Lifecycle),
    /// Its description (0), title (1) or metadata (2) was changed.
    Metadata(NetworkRef, i32, Option<String>),
    /// It was changed in a way that is not told.
    Quiet(NetworkRef),
}

/// The driver's watch.
#[derive(Debug)]
struct Watch {
    events: Events,
    /// The UUIDs of networks, to name one that is gone.
    known: BTreeMap<NetworkName, Uuid>,
    /// Readable when nobody listens any more.
    stop: Arc<OwnedFd>,
}

impl Kind {
    pub(crate) fn from_number(number: i32) -> Option<Self> {
        [Self::Lifecycle, Self::Metadata].into_iter().find(|kind| *kind as i32 == number)
    }
}

impl Deed {
    fn network(&self) -> &NetworkRef {
        match self {
            Self::Lifecycle(network, _) | Self::Metadata(network, ..) | Self::Quiet(network) => network,
        }
    }
}

impl News {
    pub(crate) fn new(driver: Driver) -> Self {
        Self { driver, state: Arc::default() }
    }

    /// Registers a connection. `None` when it has the same registration already.
    pub(crate) fn listen(
        &self,
        connection: u64,
        kind: Kind,
        network: Option<Uuid>,
        queue: &Arc<Queue>,
    ) -> Result<Option<i32>, Refusal> {
        let mut state = lock(&self.state);
        let is_same = |it: &Listener| (it.connection, it.kind, it.network) == (connection, kind, network);
        if state.listeners.iter().any(is_same) {
            return Ok(None);
        }
        if state.watch.is_none() {
            state.watch = Some(self.watch()?);
        }
        let callback_id = state.next;
        state.next = state.next.wrapping_add(1) & i32::MAX;
        let queue = Arc::clone(queue);
        state.listeners.push(Listener { connection, callback_id, kind, network, queue });
        Ok(Some(callback_id))
    }

    /// Ends a registration. Whether the connection had it.
    pub(crate) fn leave(&self, connection: u64, callback_id: i32) -> bool {
        let is_it = |it: &Listener| (it.connection, it.callback_id) == (connection, callback_id);
        lock(&self.state).remove(is_it)
    }

    /// Ends all registrations of a connection.
    pub(crate) fn forget(&self, connection: u64) {
        lock(&self.state).remove(|it| it.connection == connection);
    }

    /// Whether a connection still has this registration.
    pub(crate) fn has(&self, connection: u64, callback_id: i32) -> bool {
        let listeners = &lock(&self.state).listeners;
        listeners.iter().any(|it| (it.connection, it.callback_id) == (connection, callback_id))
    }

    /// Changes something, and tells who listens. While somebody listens, changes through this
    /// server are made one after the other, so that each is told.
    pub(crate) fn change<T, E>(&self, change: impl FnOnce() -> Result<(T, Deed), E>) -> Result<T, E> {
        let mut state = lock(&self.state);
        if state.watch.is_none() {
            drop(state);
            return change().map(|(done, _)| done);
        }
        // What others did before is told before.
        state.tell_seen(&self.driver, None);
        let changed = change();
        match changed {
            Ok((done, deed)) => {
                state.tell(&deed);
                state.tell_seen(&self.driver, Some(&deed.network().name));
                Ok(done)
            }
            Err(error) => {
                state.tell_seen(&self.driver, None);
                Err(error)
            }
        }
    }

    /// Begins to watch, with a thread that tells what is seen.
    fn watch(&self) -> Result<Watch, Refusal> {
        let events = self.driver.lifecycle_events().map_err(refusal::other)?;
        let identities = self.driver.identities().map_err(refusal::other)?;
        let known = identities.into_iter().map(|network| (network.name, network.uuid)).collect();
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| refusal::system(errno.into()))?);
        let readable = events.as_fd().try_clone_to_owned().map_err(refusal::system)?;
        let (state, driver, stopped) = (Arc::clone(&self.state), self.driver.clone(), Arc::clone(&stop));
        let tell = move || {
            loop {
                let mut files = [PollFd::new(&*stopped, PollFlags::IN), PollFd::new(&readable, PollFlags::IN)];
                match poll(&mut files, None) {
                    Err(rustix::io::Errno::INTR) => continue,
                    Err(_) => return,
                    Ok(_) if !files[0].revents().is_empty() => return,
                    Ok(_) => lock(&state).tell_seen(&driver, None),
                }
            }
        };
        thread::Builder::new().name("events".to_owned()).spawn(tell).map_err(refusal::system)?;
        Ok(Watch { events, known, stop })
    }
}

impl State {
    /// Ends registrations, and the watch with the last one.
    fn remove(&mut self, is_it: impl Fn(&Listener) -> bool) -> bool {
        let before = self.listeners.len();
        self.listeners.retain(|listener| !is_it(listener));
        if self.listeners.is_empty()
            && let Some(watch) = self.watch.take()
        {
            // As in libvirt, whose daemon begins anew.
            self.next = 0;
            let _ = rustix::io::write(&watch.stop, &1u64.to_ne_bytes());
        }
        self.listeners.len() < before
    }

    /// Tells what the watch sees. Of one network nothing is told: that was done here.
    fn tell_seen(&mut self, driver: &Driver, but: Option<&str>) {
        let Some(mut watch) = self.watch.take() else { return };
        // What cannot be read now is read with the next change.
        while let Ok(Some(event)) = watch.events.try_next() {
            let Some(name) = event.network else { continue };
            if let Ok(Some(network)) = driver.identity_of_name(&name) {
                watch.known.insert(name.clone(), network.uuid);
            }
            let Some(uuid) = watch.known.get(&name).filter(|_| but != Some(name.as_str())) else { continue };
            let network = NetworkRef { name: name.to_string(), uuid: *uuid };
            let deed = match event.kind {
                EventKind::Defined => Deed::Lifecycle(network, Lifecycle::Defined),
                EventKind::Undefined => Deed::Lifecycle(network, Lifecycle::Undefined),
                EventKind::Started => Deed::Lifecycle(network, Lifecycle::Started),
                EventKind::Stopped => Deed::Lifecycle(network, Lifecycle::Stopped),
                EventKind::MetadataChanged(part) => {
                    let (kind, uri) = metadata::number(&part);
                    Deed::Metadata(network, kind, uri)
                }
                _ => continue,
            };
            self.tell(&deed);
        }
        self.watch = Some(watch);
    }

    fn tell(&self, deed: &Deed) {
        let network = deed.network();
        let concerned = self.listeners.iter().filter(|it| it.network.is_none_or(|uuid| uuid == network.uuid));
        for listener in concerned {
            let (callback_id, network) = (listener.callback_id, network.clone());
            let event = match (deed, listener.kind) {
                (Deed::Lifecycle(_, what), Kind::Lifecycle) => {
                    RemoteEvent::Lifecycle { callback_id, network, event: *what as i32, detail: 0 }
                }
                (Deed::Metadata(_, kind, uri), Kind::Metadata) => {
                    RemoteEvent::MetadataChange { callback_id, network, kind: *kind, uri: uri.clone() }
                }
                _ => continue,
            };
            listener.queue.event(event);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
