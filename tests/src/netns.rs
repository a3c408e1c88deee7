//! Further network namespaces for the guests and neighbours of a test.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::namespaces::{lo_up, mount_new};

/// A network namespace, with `lo` up and a `/sys` that shows it. It ends when the value is dropped and no process
/// and no thread is left in it.
#[derive(Debug)]
pub struct Netns {
    network: File,
    mounts: File,
}

impl Netns {
    /// Makes one, below the test's own user namespace.
    ///
    /// # Panics
    /// When that fails, as it does outside of [`isolate!`](crate::isolate).
    #[allow(clippy::new_without_default, reason = "it makes something in the kernel")]
    pub fn new() -> Self {
        let make = || -> std::io::Result<Self> {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
            mount_new("sysfs", "/sys")?;
            lo_up()?;
            let network = File::open("/proc/thread-self/ns/net")?;
            Ok(Self { network, mounts: File::open("/proc/thread-self/ns/mnt")? })
        };
        // A thread that has left the test's namespaces is of no further use.
        join(thread::scope(|scope| scope.spawn(make).join())).expect("a network namespace")
    }

    /// Runs a closure, and whatever it starts, inside. Panics pass through.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        join(thread::scope(|scope| {
            let enter = || {
                self.enter();
                inside()
            };
            scope.spawn(enter).join()
        }))
    }

    /// Starts a thread inside, for a server that lives beside the test.
    pub fn spawn<T: Send + 'static>(&self, inside: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let own = Self {
            network: self.network.try_clone().expect("a file descriptor"),
            mounts: self.mounts.try_clone().expect("a file descriptor"),
        };
        thread::spawn(move || {
            own.enter();
            drop(own);
            inside()
        })
    }

    /// What stands for it in netlink messages that move a link in.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }

    fn enter(&self) {
        setns(&self.network, CloneFlags::CLONE_NEWNET).expect("the network namespace can be entered");
        unshare(CloneFlags::CLONE_FS).expect("a thread may have a working directory of its own");
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).expect("the mount namespace can be entered");
    }
}

fn join<T>(ended: thread::Result<T>) -> T {
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
