//! One connection to one server.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

use serde_json::{Value, json};
use vnet_types::Uuid;

use crate::frame::Frames;
use crate::monitor::{self, RowUpdate};
use crate::stream::Stream;
use crate::{Error, Remote, TlsFiles, Unusable};

/// The longest message that is read.
const MESSAGE_MAX: usize = 256 << 20;
/// How many updates are kept for a caller that does not take them.
const UPDATES_MAX: usize = 1 << 20;

/// The call of a monitor that the client itself has, for the state of its server.
const OWN: &str = "server";

pub(crate) struct Session {
    pub(crate) remote: Remote,
    stream: Stream,
    frames: Frames,
    last_id: u64,
    /// Calls that are sent with the next message.
    outgoing: String,
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
    pub(crate) fn connect(remote: &Remote, files: Option<&TlsFiles>, deadline: Instant) -> Result<Self, Unusable> {
        Ok(Self::over(remote, Stream::connect(remote, files, deadline)?))
    }

    fn over(remote: &Remote, stream: Stream) -> Self {
        Self {
            remote: remote.clone(),
            stream,
            frames: Frames::default(),
            last_id: 0,
            outgoing: String::new(),
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
        let failed = |remote: &Remote, error: io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let seconds = deadline.saturating_duration_since(began).as_secs();
                Error::TimedOut { remote: remote.clone(), method, seconds }
            }
            ErrorKind::UnexpectedEof => Error::Ended { remote: remote.clone(), method, source: None },
            _ => Error::Ended { remote: remote.clone(), method, source: Some(error) },
        };
        let request = self.request(method, params);
        let id = self.last_id;
        self.write(&request, deadline).map_err(|error| failed(&self.remote, error))?;
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

    /// Makes a call whose answer is dropped. It is sent with the next one.
    pub(crate) fn tell(&mut self, method: &'static str, params: Value) {
        let request = self.request(method, params);
        self.outgoing += &request.to_string();
    }

    fn request(&mut self, method: &'static str, params: Value) -> Value {
        self.last_id += 1;
        json!({ "method": method, "params": params, "id": self.last_id })
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
            match self.stream.read_now(&mut bytes) {
                Ok(0) => return false,
                Ok(count) => self.frames.push(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
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
                self.write(&answer, deadline).map_err(Unhandled::Io)?;
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
        match self.stream.read(&mut bytes, deadline) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.frames.push(&bytes[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, message: &Value, deadline: Instant) -> io::Result<()> {
        let text = std::mem::take(&mut self.outgoing) + &message.to_string();
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            match self.stream.write(bytes, deadline) {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

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
