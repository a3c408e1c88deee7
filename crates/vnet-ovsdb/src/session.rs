//! One connection to one server.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, socket};
use serde_json::{Value, json};
use vnet_types::Uuid;

use crate::frame::Frames;
use crate::monitor::{self, RowUpdate};
use crate::{Error, Remote};

/// The longest message that is read.
const MESSAGE_MAX: usize = 256 << 20;
/// How many updates are kept for a caller that does not take them.
const UPDATES_MAX: usize = 1 << 20;
/// The pause between two attempts to connect to a server with a full queue.
const PAUSE: Duration = Duration::from_millis(5);

/// The call of a monitor that the client itself has, for the state of its server.
const OWN: &str = "server";

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

pub(crate) struct Session {
    pub(crate) remote: Remote,
    stream: Stream,
    frames: Frames,
    last_id: u64,
    /// News of the rows that the caller watches.
    pub(crate) updates: VecDeque<RowUpdate>,
    /// How many monitors the caller has.
    pub(crate) monitors: u64,
    /// News of the server itself.
    pub(crate) of_server: Vec<RowUpdate>,
    /// The row in which the server tells of the database.
    pub(crate) row: Option<Uuid>,
}

impl Session {
    pub(crate) fn connect(remote: &Remote, deadline: Instant) -> io::Result<Self> {
        let stream = match remote {
            Remote::Unix(path) => Stream::Unix(connect_unix(path, deadline)?),
            Remote::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, left(deadline)?)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        Ok(Self::over(remote, stream))
    }

    fn over(remote: &Remote, stream: Stream) -> Self {
        Self {
            remote: remote.clone(),
            stream,
            frames: Frames::default(),
            last_id: 0,
            updates: VecDeque::new(),
            monitors: 0,
            of_server: Vec::new(),
            row: None,
        }
    }

    /// Makes a call and waits for its answer, at most until `deadline`. What the server asks or
    /// tells meanwhile is answered or kept.
    pub(crate) fn call(&mut self, method: &'static str, params: Value, deadline: Instant) -> Result<Value, Error> {
        let began = Instant::now();
        self.last_id += 1;
        let id = self.last_id;
        let failed = |remote: &Remote, error: io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let seconds = deadline.saturating_duration_since(began).as_secs();
                Error::TimedOut { remote: remote.clone(), method, seconds }
            }
            ErrorKind::UnexpectedEof => Error::Ended { remote: remote.clone(), method, source: None },
            _ => Error::Ended { remote: remote.clone(), method, source: Some(error) },
        };
        let request = json!({ "method": method, "params": params, "id": id }).to_string();
        self.write(request.as_bytes(), deadline).map_err(|error| failed(&self.remote, error))?;
        loop {
            while let Some(message) = self.message()? {
                if message.get("id").and_then(Value::as_u64) == Some(id) && message.get("method").is_none() {
                    return self.answer(method, message);
                }
                self.handle(message, deadline).map_err(|it| it.or_else(|error| failed(&self.remote, error)))?;
            }
            self.read(deadline).map_err(|error| failed(&self.remote, error))?;
        }
    }

    fn answer(&self, method: &'static str, mut message: Value) -> Result<Value, Error> {
        match message.get("error") {
            None | Some(Value::Null) => Ok(message["result"].take()),
            Some(error) => {
                let part = |name| error.get(name).and_then(Value::as_str);
                let message = match (part("error"), part("details")) {
                    (Some(error), Some(details)) => format!("{error}: {details}"),
                    (Some(error), None) => error.to_owned(),
                    _ => error.as_str().map_or_else(|| error.to_string(), str::to_owned),
                };
                Err(Error::Call { remote: self.remote.clone(), method, message })
            }
        }
    }

    /// The name of the monitor for the state of the server.
    pub(crate) fn own_monitor() -> Value {
        json!([OWN])
    }

    /// Waits for news of watched rows until `deadline`.
    pub(crate) fn wait(&mut self, deadline: Instant) -> Result<(), Error> {
        let ended = |remote: &Remote, error: io::Error| {
            let source = Some(error).filter(|error| error.kind() != ErrorKind::UnexpectedEof);
            Error::Ended { remote: remote.clone(), method: "monitor", source }
        };
        loop {
            while let Some(message) = self.message()? {
                self.handle(message, deadline).map_err(|it| it.or_else(|error| ended(&self.remote, error)))?;
            }
            if !self.updates.is_empty() {
                return Ok(());
            }
            match self.read(deadline) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(()),
                result => result.map_err(|error| ended(&self.remote, error))?,
            }
        }
    }

    /// Takes what has arrived, without waiting. Returns whether the connection is of use still.
    pub(crate) fn catch_up(&mut self, deadline: Instant) -> bool {
        let mut bytes = [0; 8192];
        loop {
            match recv(self.stream.as_fd().as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return false,
                Ok(count) => self.frames.push(&bytes[..count]),
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
            loop {
                match self.message() {
                    Ok(Some(message)) => {
                        if self.handle(message, deadline).is_err() {
                            return false;
                        }
                    }
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
        }
        true
    }

    /// The next message that has arrived whole.
    fn message(&mut self) -> Result<Option<Value>, Error> {
        let protocol = |what: &str| Error::Protocol { remote: self.remote.clone(), what: what.to_owned() };
        match self.frames.next() {
            Err(_) => Err(protocol("what it sends is no JSON object")),
            Ok(None) if self.frames.len() > MESSAGE_MAX => {
                Err(Error::TooLong { remote: self.remote.clone(), limit: MESSAGE_MAX })
            }
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).map(Some).map_err(|error| protocol(&error.to_string())),
        }
    }

    /// Handles what the server sends unasked: it asks whether we are there, or tells of rows.
    /// Answers to calls that nobody waits for any more are dropped.
    fn handle(&mut self, message: Value, deadline: Instant) -> Result<(), Unhandled> {
        let params = message.get("params").and_then(Value::as_array);
        match (message.get("method").and_then(Value::as_str), params) {
            (Some("echo"), Some(params)) => {
                let answer = json!({ "id": message.get("id"), "result": params, "error": null });
                self.write(answer.to_string().as_bytes(), deadline).map_err(Unhandled::Io)?;
            }
            (Some("update" | "update2"), Some(params)) => {
                let [id, tables] = params.as_slice() else { return Ok(()) };
                let updates = monitor::updates(tables).map_err(|error| Error::value(&self.remote)(error));
                let updates = updates.map_err(Unhandled::Error)?;
                if *id == Self::own_monitor() {
                    self.of_server.extend(updates);
                } else {
                    self.updates.extend(updates);
                }
                if self.updates.len() > UPDATES_MAX {
                    let what = format!("more than {UPDATES_MAX} updates wait to be taken");
                    return Err(Unhandled::Error(Error::Protocol { remote: self.remote.clone(), what }));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn read(&mut self, deadline: Instant) -> io::Result<()> {
        let mut bytes = [0; 16384];
        let time = Some(left(deadline)?);
        let count = match &mut self.stream {
            Stream::Unix(it) => it.set_read_timeout(time).and_then(|()| it.read(&mut bytes)),
            Stream::Tcp(it) => it.set_read_timeout(time).and_then(|()| it.read(&mut bytes)),
        };
        match count {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.frames.push(&bytes[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let time = Some(left(deadline)?);
            let count = match &mut self.stream {
                Stream::Unix(it) => it.set_write_timeout(time).and_then(|()| it.write(bytes)),
                Stream::Tcp(it) => it.set_write_timeout(time).and_then(|()| it.write(bytes)),
            };
            match count {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Why a message of the server could not be handled.
enum Unhandled {
    Io(io::Error),
    Error(Error),
}

impl Unhandled {
    fn or_else(self, to: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Io(error) => to(error),
            Self::Error(error) => error,
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self {
            Self::Unix(it) => it.as_fd(),
            Self::Tcp(it) => it.as_fd(),
        }
    }
}

/// The time that is left; an error where it is used up.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Connects to a socket in the file system. A plain `connect` waits without a limit for a server
/// whose queue is full.
fn connect_unix(path: &std::path::Path, deadline: Instant) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let address = UnixAddr::new(path)?;
    loop {
        match connect(fd.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::EAGAIN) => thread::sleep(PAUSE.min(left(deadline)?)),
            Err(errno) => return Err(errno.into()),
        }
    }
    let stream = UnixStream::from(fd);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session(stream: UnixStream) -> Session {
        Session::over(&Remote::Unix("/x".into()), Stream::Unix(stream))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_server_is_answered_while_a_call_waits() {
        let (ours, mut its) = UnixStream::pair().unwrap();
        let sent = concat!(
            r#"{"id":"echo","method":"echo","params":[]}{"id":7,"result":"late","error":null}"#,
            r#"{"id":null,"method":"update","params":["x",{"T":{"3e3fce45-4f53-4fa7-bb32-11f34168b82b":{"new":{}}}}]}"#,
            r#"{"id":1,"result":["a"],"error":null}"#
        );
        its.write_all(sent.as_bytes()).unwrap();
        let mut session = session(ours);
        assert_eq!(session.call("list_dbs", json!([]), soon()).unwrap(), json!(["a"]));
        assert_eq!(session.updates.len(), 1);
        drop(session);
        let mut heard = String::new();
        its.read_to_string(&mut heard).unwrap();
        assert!(heard.ends_with(r#"{"error":null,"id":"echo","result":[]}"#), "{heard}");
    }

    #[test]
    fn echoes_do_not_make_a_call_longer() {
        let (ours, mut its) = UnixStream::pair().unwrap();
        let echo = thread::spawn(move || {
            while its.write_all(br#"{"id":"echo","method":"echo","params":[]}"#).is_ok() {
                thread::sleep(Duration::from_millis(2));
            }
        });
        let deadline = Instant::now() + Duration::from_millis(50);
        let error = session(ours).call("transact", json!([]), deadline).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        echo.join().unwrap();
    }

    #[test]
    fn a_connection_that_ends_is_told_from_one_that_is_slow() {
        let (ours, its) = UnixStream::pair().unwrap();
        its.shutdown(std::net::Shutdown::Write).unwrap();
        let error = session(ours).call("transact", json!([]), soon()).unwrap_err();
        assert!(matches!(error, Error::Ended { source: None, .. }), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_of_a_server_make_it_panic_or_hang(bytes: Vec<u8>, valid in prop::bool::ANY) {
            let (ours, mut its) = UnixStream::pair().unwrap();
            if valid {
                let text = String::from_utf8_lossy(&bytes);
                its.write_all(json!({ "id": 2, "method": text, "params": [text, {}] }).to_string().as_bytes()).unwrap();
            }
            its.write_all(&bytes).unwrap();
            its.shutdown(std::net::Shutdown::Write).unwrap();
            session(ours).call("transact", json!([]), soon()).unwrap_err();
        }
    }
}
