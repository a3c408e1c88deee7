//! Network namespaces by name, as `ip netns` makes them (ip-netns(8)), through the crate netns-rs.
//!
//! Programs that take a namespace's name, such as `ip link set eth0 netns guest`, find it in
//! `/run/netns`. [`Netns`](crate::Netns) has no name, but has its own `/sys`.
//!
//! netns-rs 0.2.0 leaves its thread in the other namespace when the closure panics. So each closure
//! runs in its own thread, which ends with it.
//!
//! It costs four crates (netns-rs, nix 0.29, thiserror 1 and its macros) and 2.3 s of build time on
//! two cores. Nothing that users install depends on them.

use std::panic;
use std::thread;

use netns_rs::NetNs;

/// A network namespace in `/run/netns`, without any link up. Its name is removed when the value is
/// dropped. The namespace ends when no process and no thread is left in it either.
#[derive(Debug)]
pub struct NamedNetns {
    name: String,
}

impl NamedNetns {
    /// Creates one, below the test's own user namespace.
    ///
    /// # Panics
    /// When that fails, as it does outside of [`isolate!`](crate::isolate).
    pub fn new(name: &str) -> Self {
        NetNs::new(name).unwrap_or_else(|error| panic!("cannot make the network namespace {name}: {error}"));
        Self { name: name.to_owned() }
    }

    /// Runs a closure, and the processes that it starts, inside. Panics pass through.
    ///
    /// # Panics
    /// When the closure panics.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let enter = || NetNs::run_in(&self.name, |_| inside()).expect("a thread may enter what this user has made");
        let ended = thread::scope(|scope| scope.spawn(enter).join());
        ended.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Drop for NamedNetns {
    fn drop(&mut self) {
        // Where this fails, the namespace ends with the mounts of the test.
        let _ = NetNs::get(&self.name).and_then(NetNs::remove);
    }
}
