//! Further network namespaces for the guests and neighbours of a test.

use std::os::fd::BorrowedFd;
use std::thread;

use vnet_lab::{Error, Namespace};

/// A network namespace with `lo` up and its own `/sys`. It ends when the value is dropped and no
/// process and no thread is left in it.
#[derive(Debug)]
pub struct Netns(Namespace);

/// An error in a namespace of a test fails the test.
enum Failed {}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        panic!("{error}: {:?}", std::error::Error::source(&error))
    }
}

impl Netns {
    /// Creates one, below the test's own user namespace.
    ///
    /// # Panics
    /// When that fails, as it does outside of [`isolate!`](crate::isolate).
    #[allow(clippy::new_without_default, reason = "it makes something in the kernel")]
    pub fn new() -> Self {
        Self(Namespace::with_sys().expect("a network namespace"))
    }

    /// One that somebody else has made.
    pub(crate) fn of(namespace: Namespace) -> Self {
        Self(namespace)
    }

    /// Runs a closure, and the processes that it starts, inside. Panics pass through.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let Ok(result) = self.0.run(|| Ok::<_, Failed>(inside()));
        result
    }

    /// Starts a thread inside, for a server that runs beside the test.
    pub fn spawn<T: Send + 'static>(&self, inside: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        self.0.spawn(inside).expect("a file descriptor")
    }

    /// It, for those who ask what is in it.
    pub fn namespace(&self) -> &Namespace {
        &self.0
    }

    /// The descriptor for netlink messages that move a link into it.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.0.file()
    }
}
