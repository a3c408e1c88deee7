//! D-Bus calls that end: a bus or a service that hangs costs a limited time.

use std::io::{self, ErrorKind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zbus::connection::Builder;
use zbus::{Connection, block_on};

/// The bus itself.
pub(super) const BUS: &str = "org.freedesktop.DBus";
/// Its object.
pub(super) const BUS_PATH: &str = "/org/freedesktop/DBus";

/// Opens a connection for one question. `None` when there is no bus for this user.
///
/// zbus limits the time of a call, but not that of opening a connection. So the question runs in a
/// thread, in the namespaces of its caller. A thread that gets no answer ends with the process.
///
/// # Errors
/// What the question fails with; [`ErrorKind::TimedOut`] when it takes too long.
pub(super) fn ask<T: Send + 'static>(
    bus: impl FnOnce() -> Builder<'static> + Send + 'static,
    limit: Duration,
    question: impl AsyncFnOnce(&Connection) -> zbus::Result<T> + Send + 'static,
) -> zbus::Result<Option<T>> {
    let (tell, told) = mpsc::channel();
    let answer = move || {
        block_on(async {
            let connection = match bus().build().await {
                Err(zbus::Error::Connection(error, _)) if is_absent(error.kind()) => return Ok(None),
                // In a user namespace, the host's bus sees us as a different user.
                Err(zbus::Error::Handshake(_)) => return Ok(None),
                connection => connection?,
            };
            question(&connection).await.map(Some)
        })
    };
    // Nobody listens any more when the answer comes too late.
    thread::Builder::new().name("bus".to_owned()).spawn(move || drop(tell.send(answer())))?;
    told.recv_timeout(limit).unwrap_or_else(|_| Err(io::Error::from(ErrorKind::TimedOut).into()))
}

/// Whether an error is that of [`ask`] for a question that took too long.
pub(super) fn is_timeout(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::InputOutput(error) if error.kind() == ErrorKind::TimedOut)
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_bus_that_says_nothing_is_not_waited_for() {
        let (ours, _its) = UnixStream::pair().unwrap();
        let answer = ask(|| Builder::unix_stream(ours), Duration::from_millis(20), async |_| Ok(()));
        assert!(is_timeout(&answer.unwrap_err()));
    }

    #[test]
    fn no_bus_is_no_error() {
        let answer = ask(|| Builder::address("unix:path=/nowhere/bus"), Duration::from_secs(60), async |_| Ok(()));
        assert_eq!(answer.unwrap(), None);
    }
}
