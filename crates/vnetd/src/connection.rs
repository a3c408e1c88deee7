//! One connection: a thread that reads, and one that answers the calls in their order. Pings are
//! answered by the reader, so that a client sees life while its call takes long; so are calls that
//! are quick, when no other one is under way.

use std::io::{self, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use vnet_rpc::{
    Frame, FrameHeader, HEADER_LENGTH, KEEPALIVE_PROGRAM, PING, PONG, RemoteError, Xdr, frame_length, message_type,
    status,
};

use crate::peer::Peer;
use crate::queue::{Job, Queue};
use crate::refusal as refuse;
use crate::server::Shared;
use crate::session::{self, Session};

/// How long a client may leave its socket full.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes are read at once.
const AT_ONCE: usize = 4096;

/// The way to a client. Two threads write to it, a whole message each.
#[derive(Debug)]
struct Client<'a> {
    stream: &'a UnixStream,
    turn: Mutex<()>,
}

/// Serves a connection until one side closes it.
pub(crate) fn serve(shared: &Arc<Shared>, id: u64, stream: &UnixStream, is_read_only: bool) {
    let Ok(peer) = Peer::of(stream) else { return };
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let client = Client { stream, turn: Mutex::default() };
    let queue = Arc::new(Queue::default());
    let session = Mutex::new(Session::new(Arc::clone(shared), id, peer, is_read_only, Arc::clone(&queue)));
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("calls".to_owned()).spawn_scoped(scope, || {
            // It ends badly only by a bug; then the client sees the end of the connection, too.
            let _end = End { queue: &queue, stream };
            answer(&session, &queue, &client);
        });
        // However the reader ends, there is nothing more to read.
        let _end = EndOfCalls(&queue);
        if worker.is_ok() {
            let _ = read(stream, &session, &queue, &client, shared);
        }
    });
    shared.news.forget(id);
}

/// Closes a connection when its calls are answered no longer.
struct End<'a> {
    queue: &'a Queue,
    stream: &'a UnixStream,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.queue.abandon();
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Lets the calls that were read be the last ones.
struct EndOfCalls<'a>(&'a Queue);

impl Drop for EndOfCalls<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Reads messages until the client closes the connection, or sends what is no message.
fn read(
    stream: &UnixStream,
    session: &Mutex<Session>,
    queue: &Queue,
    client: &Client<'_>,
    shared: &Shared,
) -> io::Result<()> {
    // Most messages arrive whole.
    let mut stream = BufReader::with_capacity(AT_ONCE, stream);
    loop {
        let mut head = [0; HEADER_LENGTH];
        stream.read_exact(&mut head[..4])?;
        let [a, b, c, d, ..] = head;
        let Some(length) = frame_length([a, b, c, d]) else { return Ok(()) };
        stream.read_exact(&mut head[4..])?;
        let Ok(header) = FrameHeader::from_bytes(&head[4..]) else { return Ok(()) };
        let length = length - (HEADER_LENGTH - 4);
        let Some(share) = shared.budget.share(length) else {
            io::copy(&mut stream.by_ref().take(as_u64(length)), &mut io::sink())?;
            if header.message_type == message_type::CALL {
                queue.call(Job::TooLong(header));
            }
            continue;
        };
        // Memory is taken as bytes arrive, and not for a length that is only claimed.
        let mut payload = Vec::with_capacity(length.min(AT_ONCE));
        if stream.by_ref().take(as_u64(length)).read_to_end(&mut payload)? < length {
            return Ok(());
        }
        if header.program == KEEPALIVE_PROGRAM {
            if header.procedure == PING {
                client.send(&Frame::new(FrameHeader::keepalive(PONG), Vec::new()))?;
            }
        } else if header.message_type == message_type::CALL {
            let call = Frame::new(header, payload);
            if session::is_quick(&header) && queue.is_quiet() {
                let reply = reply(session, &call);
                client.send(&reply)?;
            } else if !queue.call(Job::Call(call, share)) {
                return Ok(());
            }
        }
    }
}

/// Answers calls until the reader has ended, or the client asks to close.
fn answer(session: &Mutex<Session>, queue: &Queue, client: &Client<'_>) {
    while let Some(job) = queue.next() {
        let sent = match job {
            Job::Event(event) => {
                let told = locked(session).tells(&event);
                told.map_or(Ok(()), |frame| client.send(&frame))
            }
            Job::TooLong(header) => {
                let what = "the message is too long, or too many long ones are read at this moment";
                client.send(&refusal(header, &refuse::protocol(what)))
            }
            Job::Call(call, share) => {
                let reply = reply(session, &call);
                drop((call, share));
                client.send(&reply)
            }
        };
        if sent.is_err() || locked(session).is_closing() {
            break;
        }
    }
}

/// Does what a call asks.
fn reply(session: &Mutex<Session>, call: &Frame) -> Frame {
    match locked(session).answer(call) {
        Ok(reply) => Frame::new(call.header.reply(status::OK), reply.to_payload()),
        Err(error) => refusal(call.header, &error),
    }
}

fn locked(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refusal(header: FrameHeader, error: &RemoteError) -> Frame {
    let mut payload = Vec::new();
    error.encode(&mut payload);
    Frame::new(header.reply(status::ERROR), payload)
}

impl Client<'_> {
    fn send(&self, frame: &Frame) -> io::Result<()> {
        let bytes = frame.to_bytes().ok_or(io::ErrorKind::InvalidData)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stream = self.stream;
        stream.write_all(&bytes)
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
