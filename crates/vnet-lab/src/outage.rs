//! How long a server is not reached while something changes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::probe::{Outcome, Transport};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_millis(2);

/// Asks a [server](crate::probe::serve) by UDP, each time anew, until it answers a question that
/// was asked after `has_changed` was set. Returns the longest time between two answers. `None` when
/// no answer arrives any more in a time.
///
/// # Errors
/// [`io::Error`] when our own kernel refuses to send.
pub fn outage(server: SocketAddr, has_changed: &AtomicBool, patience: Duration) -> io::Result<Option<Duration>> {
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    let mut changed: Option<Instant> = None;
    loop {
        if has_changed.load(Ordering::Acquire) && changed.is_none() {
            changed = Some(Instant::now());
        }
        match Transport::Udp.ask(server, Instant::now() + ANSWER)? {
            Outcome::SeenAs(..) => {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                if changed.is_some() {
                    return Ok(Some(longest));
                }
            }
            Outcome::Refused | Outcome::Silence => {}
        }
        if changed.is_some_and(|changed| changed.elapsed() > patience) {
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}
