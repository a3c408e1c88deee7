//! Network namespaces by name, as `ip netns` makes them (ip-netns(8)), through the crate netns-rs.
//!
//! A program that is given a name, such as `ip link set eth0 netns guest`, finds them in
//! `/run/netns`. [`Netns`](crate::Netns) has no name, but a `/sys` that shows it.
//!
//! netns-rs 0.2.0 leaves its thread in the other namespace where the closure panics, so each
//! closure has a thread of its own here, which ends with it.
//!
//! It costs four crates (netns-rs, nix 0.29, thiserror 1 and its macros) and 2.3 s of building on
//! two cores; nothing that users install has them.

use std::panic;
use std::thread;

use netns_rs::NetNs;

/// A network namespace in `/run/netns`, without any link up. Its name ends when the value is
/// dropped, and the namespace when no process and no thread is left in it either.
#[derive(Debug)]
pub struct NamedNetns {
    name: String,
}

impl NamedNetns {
    /// Makes one, below the test's own user namespace.
    ///
    /// # Panics
    /// When that fails, as it does outside of [`isolate!`](crate::isolate).
    pub fn new(name: &str) -> Self {
        NetNs::new(name).unwrap_or_else(|error| panic!("cannot make the network namespace {name}: {error}"));
        Self { name: name.to_owned() }
    }

    /// Runs a closure, and whatever it starts, inside. Panics pass through.
    ///
    /// # Panics
    /// When the closure does.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let enter = || NetNs::run_in(&self.name, |_| inside()).expect("a thread may enter what this user has made");
        let ended = thread::scope(|scope| scope.spawn(enter).join());
        ended.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

impl Drop for NamedNetns {
    fn drop(&mut self) {
        // What is left ends with the mounts of the test.
        let _ = NetNs::get(&self.name).and_then(NetNs::remove);
    }
}
