//! The bytes of a connection, each read and write with a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, recv, socket};

use crate::tls::Tls;
use crate::{Remote, TlsFailure, TlsFiles, Unusable};

/// The pause between two attempts to connect to a server with a full queue.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<Tls>),
}

impl Stream {
    pub(crate) fn connect(remote: &Remote, files: Option<&TlsFiles>, deadline: Instant) -> Result<Self, Unusable> {
        let tcp = |address| {
            let stream = TcpStream::connect_timeout(address, left(deadline)?)?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        Ok(match remote {
            Remote::Unix(path) => Self::Unix(connect_unix(path, deadline)?),
            Remote::Tcp(address) => Self::Tcp(tcp(address)?),
            Remote::Ssl(address) => {
                let files = files.ok_or(TlsFailure::NoFiles)?;
                Self::Tls(Box::new(Tls::connect(|| tcp(address), address.ip(), files, deadline)?))
            }
        })
    }

    /// Reads what there is, and waits for it at most until `deadline`. Zero is the end.
    pub(crate) fn read(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<usize> {
        match self {
            Self::Unix(it) => it.set_read_timeout(Some(left(deadline)?)).and_then(|()| it.read(bytes)),
            Self::Tcp(it) => it.set_read_timeout(Some(left(deadline)?)).and_then(|()| it.read(bytes)),
            Self::Tls(it) => it.read(bytes, deadline),
        }
    }

    /// Reads what has arrived; [`ErrorKind::WouldBlock`] where nothing has.
    pub(crate) fn read_now(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(it) => Now(it).read(bytes),
            Self::Tcp(it) => Now(it).read(bytes),
            Self::Tls(it) => it.read_now(bytes),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        match self {
            Self::Unix(it) => it.set_write_timeout(Some(left(deadline)?)).and_then(|()| it.write(bytes)),
            Self::Tcp(it) => it.set_write_timeout(Some(left(deadline)?)).and_then(|()| it.write(bytes)),
            Self::Tls(it) => it.write(bytes, deadline),
        }
    }
}

/// Reads from a socket without waiting, whatever else is set on it.
pub(crate) struct Now<'a, S>(pub(crate) &'a S);

impl<S: AsFd> Read for Now<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0.as_fd().as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT)?)
    }
}

/// The time that is left; an error where it is used up.
pub(crate) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Connects to a socket in the file system. A plain `connect` waits without a limit for a server
/// whose queue is full.
fn connect_unix(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
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
