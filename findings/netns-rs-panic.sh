#!/usr/bin/env bash
# netns-rs 0.2.0: a closure of NetNs::run that panics leaves the thread in the other network
# namespace.
#
# The crate goes back after the closure has returned; when it panics, nothing does. A thread pool,
# or a test harness that catches panics, goes on in the wrong namespace. Give it a thread of its
# own, or go back in a guard's Drop.
. "$(dirname "$0")/crate.sh"
program gap 'netns-rs = "=0.2.0"' <<'RUST'
use std::os::unix::fs::MetadataExt;
fn now() -> u64 { std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino() }
fn main() {
    let other = netns_rs::NetNs::new("finding").unwrap();
    let home = now();
    other.run(|_| ()).unwrap();
    print!("after a return: {}", if now() == home { "home" } else { "away" });
    std::panic::set_hook(Box::new(|_| ()));
    let _ = std::panic::catch_unwind(|| other.run(|_| panic!("in the closure")).map(drop));
    println!(", after a panic: {}", if now() == home { "home" } else { "away" });
}
RUST
output=$(unshare --net --mount bash -c 'mount -t tmpfs tmpfs /run; exec "$0"' "$here/target/debug/gap")
seen "netns-rs 0.2.0" "$output" "after a return: home, after a panic: away"
exit $changed
