//! Network namespaces (network_namespaces(7)), each with its own links, addresses, routes and rules.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use nix::sched::{CloneFlags, setns, unshare};
use vnet_netlink::Netlink;

/// A network namespace, with `lo` up. It ends with the process.
#[derive(Debug)]
pub(crate) struct Namespace {
    file: File,
    netlink: Netlink,
}

impl Namespace {
    /// The one that this thread is in, with `lo` set up.
    pub(crate) fn current() -> anyhow::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net").context("the network namespace cannot be opened")?;
        let namespace = Self { file, netlink: Netlink::open()? };
        let lo = "lo".parse().expect("a name");
        let lo = namespace.netlink.link(&lo)?.context("there is no `lo`")?;
        namespace.netlink.set_up(lo.index, true)?;
        Ok(namespace)
    }

    /// A new one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        join(thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("no network namespace can be made")?;
            Self::current()
        }))
    }

    /// Its links, addresses and routes.
    pub(crate) fn netlink(&self) -> &Netlink {
        &self.netlink
    }

    /// Moves the other end of a veth pair, or any link of this namespace, to another one.
    pub(crate) fn move_link(&self, index: u32, to: &Self) -> Result<(), vnet_netlink::Error> {
        self.netlink.move_to_namespace(index, to.file.as_fd())
    }

    /// Runs a closure inside. The sockets that it makes stay inside, whoever uses them.
    pub(crate) fn run<T: Send>(&self, inside: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
        thread::scope(|scope| {
            let ran = scope.spawn(|| {
                self.enter()?;
                inside()
            });
            ran.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Sets kernel switches, by their paths under `/proc/sys/net`. Those that this kernel lacks are passed over.
    pub(crate) fn set(&self, switches: &[(&str, &str)]) -> anyhow::Result<()> {
        self.run(|| {
            for (path, value) in switches {
                // What a thread sees below `/proc/sys/net` is of its own namespace.
                match fs::write(format!("/proc/sys/net/{path}"), value) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("the switch `{path}` cannot be set"));
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }

    fn enter(&self) -> anyhow::Result<()> {
        setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET).context("a network namespace cannot be entered")
    }
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
