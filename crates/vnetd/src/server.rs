//! Sockets and connections: who is let in, and when the server ends.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use vnet_driver::Driver;

use crate::budget::Budget;
use crate::connection;
use crate::news::News;
use crate::uri::Whose;

/// The most connections at once. Others wait until one of them ends.
const CONNECTIONS: usize = 1000;

/// A socket that clients connect to.
#[derive(Debug)]
pub struct RpcSocket {
    listener: UnixListener,
    is_read_only: bool,
}

/// A server of libvirt's network driver. It holds connections and nothing else: what it is asked
/// for is done by the driver, and is on disk and in the kernel when the reply is sent.
#[derive(Debug)]
pub struct RpcServer {
    sockets: Vec<RpcSocket>,
    shared: Shared,
    idle: Option<Duration>,
}

/// What all connections use.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) driver: Driver,
    pub(crate) whose: Whose,
    pub(crate) news: News,
    pub(crate) budget: Budget,
    pub(crate) asks_polkit: bool,
    connections: Mutex<Connections>,
    /// Readable when a connection has ended.
    ended: OwnedFd,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    open: BTreeMap<u64, Arc<UnixStream>>,
}

impl RpcSocket {
    /// Serves a socket that listens. On a read-only one nothing can be changed, whatever a client
    /// says.
    pub fn new(listener: UnixListener, is_read_only: bool) -> Self {
        Self { listener, is_read_only }
    }
}

impl RpcServer {
    /// A server of the system's networks.
    ///
    /// # Errors
    /// When the system has no more files for this process.
    pub fn of_system(driver: Driver) -> io::Result<Self> {
        Self::new(driver, Whose::System)
    }

    /// A server of an ordinary user's networks.
    ///
    /// # Errors
    /// When the system has no more files for this process.
    pub fn of_session(driver: Driver) -> io::Result<Self> {
        Self::new(driver, Whose::Session)
    }

    fn new(driver: Driver, whose: Whose) -> io::Result<Self> {
        let ended = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // No reply has a place for warnings.
        let driver = driver.without_warnings();
        let (news, budget, connections) = (News::new(driver.clone()), Budget::default(), Mutex::default());
        let shared = Shared { driver, whose, news, budget, asks_polkit: false, connections, ended };
        Ok(Self { sockets: Vec::new(), shared, idle: None })
    }

    /// Adds a socket.
    #[must_use]
    pub fn with_socket(mut self, socket: RpcSocket) -> Self {
        self.sockets.push(socket);
        self
    }

    /// Ends when no client was connected for so long.
    #[must_use]
    pub fn ending_when_idle(self, idle: Duration) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Asks polkit about every client but root. Otherwise who can open a socket may use it.
    #[must_use]
    pub fn asking_polkit(mut self) -> Self {
        self.shared.asks_polkit = true;
        self
    }

    /// Serves until no client was connected for long enough, or `stop` is readable. Calls in
    /// progress are finished first. Whoever connects from then on is left to the next server on
    /// these sockets.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub fn run(self, stop: impl AsFd) -> io::Result<()> {
        let Self { sockets, shared, idle } = self;
        let shared = Arc::new(shared);
        for socket in &sockets {
            socket.listener.set_nonblocking(true)?;
        }
        let mut threads = Vec::new();
        let mut idle_since = Instant::now();
        loop {
            let count = shared.connections().open.len();
            let limit = idle.filter(|_| count == 0);
            let timeout = limit.map(|idle| idle.saturating_sub(idle_since.elapsed()));
            if timeout.is_some_and(|left| left.is_zero()) {
                break;
            }
            let listeners = sockets.iter().map(|socket| &socket.listener).filter(|_| count < CONNECTIONS);
            let mut files = vec![PollFd::new(&stop, PollFlags::IN), PollFd::new(&shared.ended, PollFlags::IN)];
            files.extend(listeners.map(|listener| PollFd::new(listener, PollFlags::IN)));
            match poll(&mut files, timeout.map(timespec).as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                polled => polled?,
            };
            let is_ready: Vec<bool> = files.iter().map(|file| !file.revents().is_empty()).collect();
            if is_ready[0] {
                break;
            }
            if is_ready[1] {
                let _ = rustix::io::read(&shared.ended, &mut [0; 8]);
                idle_since = Instant::now();
                threads.retain(|thread: &thread::JoinHandle<()>| !thread.is_finished());
            }
            for (socket, _) in sockets.iter().zip(&is_ready[2..]).filter(|(_, is_ready)| **is_ready) {
                if let Ok((stream, _)) = socket.listener.accept() {
                    threads.extend(begin(&shared, stream, socket.is_read_only));
                    idle_since = Instant::now();
                }
            }
        }
        drop(sockets);
        for stream in shared.connections().open.values() {
            // The reader sees the end; the calls that it has read are answered.
            let _ = stream.shutdown(Shutdown::Read);
        }
        for thread in threads {
            let _ = thread.join();
        }
        Ok(())
    }
}

/// Serves a connection on a thread of its own. `None` when the system has no more threads: then
/// the connection is closed.
fn begin(shared: &Arc<Shared>, stream: UnixStream, is_read_only: bool) -> Option<thread::JoinHandle<()>> {
    stream.set_nonblocking(false).ok()?;
    let (shared, stream) = (Arc::clone(shared), Arc::new(stream));
    let id = shared.connections().add(Arc::clone(&stream));
    let ours = Arc::clone(&shared);
    let serve = move || {
        connection::serve(&shared, id, &stream, is_read_only);
        shared.connections().open.remove(&id);
        let _ = rustix::io::write(&shared.ended, &1u64.to_ne_bytes());
    };
    match thread::Builder::new().name("connection".to_owned()).spawn(serve) {
        Ok(thread) => Some(thread),
        Err(_) => {
            ours.connections().open.remove(&id);
            None
        }
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    fn add(&mut self, stream: Arc<UnixStream>) -> u64 {
        self.next += 1;
        self.open.insert(self.next, stream);
        self.next
    }
}

fn timespec(duration: Duration) -> Timespec {
    // A minute at most: then it is computed anew.
    let duration = duration.min(Duration::from_secs(60));
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(60), tv_nsec: i64::from(duration.subsec_nanos()) }
}
