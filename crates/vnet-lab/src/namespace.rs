//! Network namespaces (network_namespaces(7)), each with its own links, addresses, routes and
//! rules.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};
use vnet_netlink::Netlink;
use vnet_types::{InterfaceName, Link, LinkKind, MacAddr, VethOptions};

use crate::{Error, mounts};

/// A network namespace with `lo` up. It ends when the value is dropped and no thread, process or
/// socket is left in it.
#[derive(Debug)]
pub struct Namespace {
    network: File,
    /// With its own `/sys`, if that was asked for.
    mounts: Option<File>,
    netlink: Netlink,
}

impl Namespace {
    /// The namespace of this thread, with `lo` set up.
    ///
    /// # Errors
    /// [`Error`] when it cannot be opened, or `lo` cannot be set up.
    pub fn current() -> Result<Self, Error> {
        let network = open("net")?;
        let netlink = Netlink::open()?;
        let lo = "lo".parse().expect("a name");
        let lo = netlink.link(&lo)?.ok_or(Error::Gone(lo))?;
        netlink.set_up(lo.index, true)?;
        Ok(Self { network, mounts: None, netlink })
    }

    /// Creates a namespace.
    ///
    /// # Errors
    /// [`Error`] when the kernel refuses.
    pub fn new() -> Result<Self, Error> {
        in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(Error::doing("make a network namespace"))?;
            Self::current()
        })
    }

    /// Creates a namespace whose programs also see its links in `/sys/class/net`.
    ///
    /// # Errors
    /// [`Error`] when the kernel refuses the namespace or a sysfs in it.
    pub fn with_sys() -> Result<Self, Error> {
        in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
                .map_err(Error::doing("make a network namespace with mounts of its own"))?;
            mounts::mount_new("sysfs", "/sys").map_err(Error::doing("mount sysfs on /sys"))?;
            Ok(Self { mounts: Some(open("mnt")?), ..Self::current()? })
        })
    }

    /// Creates a namespace whose programs see a folder at another place, too.
    ///
    /// # Errors
    /// [`Error`] when the kernel refuses the namespace or the mount in it.
    pub fn with_folder(folder: &Path, at: &str) -> Result<Self, Error> {
        in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
                .map_err(Error::doing("make a network namespace with mounts of its own"))?;
            mounts::show(folder, at)?;
            // A program that needs it says so.
            let _ = mounts::mount_new("sysfs", "/sys");
            Ok(Self { mounts: Some(open("mnt")?), ..Self::current()? })
        })
    }

    /// Its links, addresses and routes.
    pub fn netlink(&self) -> &Netlink {
        &self.netlink
    }

    /// The descriptor for netlink messages that move a link into it.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }

    /// Moves a link of this namespace to another one.
    ///
    /// # Errors
    /// [`Error::Netlink`] when the kernel refuses.
    pub fn move_link(&self, index: u32, to: &Self) -> Result<(), Error> {
        Ok(self.netlink.move_to_namespace(index, to.file())?)
    }

    /// Lays a cable from this namespace, where its end has the name `near`, to another one, where
    /// its end has the name `far` and this MAC address. Returns the index of the near end. Both
    /// ends are down, and no link has to be moved, for which the kernel waits for all its readers.
    ///
    /// # Errors
    /// [`Error::Netlink`] when the kernel refuses, as for a name that is taken.
    pub fn lay(&self, near: &InterfaceName, to: &Self, far: &InterfaceName, mac: MacAddr) -> Result<u32, Error> {
        let namespace = format!("/proc/self/fd/{}", to.network.as_raw_fd()).into();
        let kind = LinkKind::Veth(VethOptions { namespace, peer: far.clone(), peer_mac: mac });
        Ok(self.netlink.add_link(&Link { name: near.clone(), kind, mac: None, mtu: None, up: false })?)
    }

    /// Runs a closure, and the processes that it starts, in the namespace. The sockets that it
    /// opens stay in the namespace, whoever uses them. A panic passes through. This thread never
    /// leaves its own namespace.
    ///
    /// # Errors
    /// [`Error`] when the namespace cannot be entered, otherwise the closure's error.
    pub fn run<T: Send, E: From<Error> + Send>(&self, inside: impl FnOnce() -> Result<T, E> + Send) -> Result<T, E> {
        thread::scope(|scope| {
            let ran = scope.spawn(|| {
                self.enter()?;
                inside()
            });
            ran.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts a thread in the namespace, for a server that runs beside its caller.
    ///
    /// # Errors
    /// [`Error`] when no file descriptor is left.
    ///
    /// # Panics
    /// In the thread, when the namespace cannot be entered.
    pub fn spawn<T: Send + 'static>(
        &self,
        inside: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let copy = |file: &File| file.try_clone().map_err(Error::doing("copy the handle of a network namespace"));
        let (network, mounts) = (copy(&self.network)?, self.mounts.as_ref().map(copy).transpose()?);
        Ok(thread::spawn(move || {
            enter(&network, mounts.as_ref()).expect("a namespace of ours can be entered");
            drop((network, mounts));
            inside()
        }))
    }

    /// Sets kernel switches by their paths under `/proc/sys/net`. Switches that this kernel lacks
    /// are skipped.
    ///
    /// # Errors
    /// [`Error::System`] when a switch cannot be written.
    pub fn set(&self, switches: &[(&str, &str)]) -> Result<(), Error> {
        self.run(|| {
            for (path, value) in switches {
                // A thread sees its own namespace below `/proc/sys/net`.
                match fs::write(format!("/proc/sys/net/{path}"), value) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::doing(format!("write /proc/sys/net/{path}"))(error));
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }

    fn enter(&self) -> Result<(), Error> {
        enter(&self.network, self.mounts.as_ref())
    }
}

fn enter(network: &File, mounts: Option<&File>) -> Result<(), Error> {
    setns(network, CloneFlags::CLONE_NEWNET).map_err(Error::doing("enter a network namespace"))?;
    let Some(mounts) = mounts else { return Ok(()) };
    // A thread that shares its working directory with others cannot change its mounts.
    unshare(CloneFlags::CLONE_FS).map_err(Error::doing("give a thread a working directory of its own"))?;
    setns(mounts, CloneFlags::CLONE_NEWNS).map_err(Error::doing("enter a mount namespace"))
}

fn open(kind: &str) -> Result<File, Error> {
    let path = format!("/proc/thread-self/ns/{kind}");
    File::open(&path).map_err(Error::doing(format!("open {path}")))
}

/// Runs a closure that moves its thread to other namespaces, in a thread that ends afterwards.
fn in_a_thread<T: Send>(inside: impl FnOnce() -> T + Send) -> T {
    let ended = thread::scope(|scope| scope.spawn(inside).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
