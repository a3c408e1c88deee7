//! Servers that tell each client which address they see, and clients that ask them.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, socket};

use crate::ask::{PATIENCE, ask, socket_at, socket_for};
use crate::ping::is_refusal;
use crate::{Error, Namespace};

/// How long to wait for a datagram before it is sent again.
const PAUSE: Duration = Duration::from_millis(50);
/// The port of the servers.
pub const PORT: u16 = 7777;

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Transport {
    Tcp,
    Udp,
}

/// The result of asking a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server at this port saw us at this address.
    SeenAs(SocketAddr, u16),
    /// The destination is unreachable, or refused the connection.
    Refused,
    /// Nobody answered.
    Silence,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeenAs(peer, _) => write!(f, "seen as {peer}"),
            Self::Refused => f.write_str("refused"),
            Self::Silence => f.write_str("no answer"),
        }
    }
}

impl Transport {
    /// Asks the server at an address which address it sees.
    ///
    /// # Errors
    /// [`io::Error`] when our own kernel refuses to send.
    pub fn ask(self, server: SocketAddr, deadline: Instant) -> io::Result<Outcome> {
        let seen = match self {
            Self::Tcp => ask_tcp(server, deadline),
            Self::Udp => ask_udp(server, deadline),
        };
        match seen {
            Ok(Some((peer, port))) => Ok(Outcome::SeenAs(peer, port)),
            Ok(None) => Ok(Outcome::Silence),
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Ok(Outcome::Silence)
            }
            Err(error) if is_refusal(&error) => Ok(Outcome::Refused),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// Whether a datagram from one namespace arrives at an address of another one before the deadline,
/// whatever becomes of an answer.
///
/// # Errors
/// [`Error`] when the address cannot be used.
pub fn arrives(from: &Namespace, to: &Namespace, address: IpAddr, deadline: Instant) -> Result<bool, Error> {
    let doing = || Error::doing(format!("send a datagram to {address}"));
    let receiver = to.run(|| socket_at(address, PAUSE)).map_err(doing())?;
    let server = receiver.local_addr().map_err(doing())?;
    let sender = from.run(|| socket_for(address)).map_err(doing())?;
    while Instant::now() < deadline {
        // What the kernel refuses to send does not arrive.
        let _ = sender.send_to(b"?", server);
        if receiver.recv(&mut [0; 8]).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Starts servers at a port of both protocols, on every address of a namespace, now and later. They
/// end with the process.
///
/// # Errors
/// [`Error`] when the port is in use.
pub fn serve(namespace: &Namespace, port: u16) -> Result<(), Error> {
    let any = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    serve_on(namespace, &any, port)
}

/// The same at one address, from which they answer, too.
///
/// # Errors
/// [`Error`] when the port is in use, or the address is not of this namespace.
pub fn serve_at(namespace: &Namespace, address: IpAddr, port: u16) -> Result<(), Error> {
    serve_on(namespace, &[SocketAddr::new(address, port)], port)
}

/// Servers at the first of the places that can be used.
fn serve_on(namespace: &Namespace, places: &[SocketAddr], port: u16) -> Result<(), Error> {
    let (listener, socket) = namespace.run(|| {
        let listener = TcpListener::bind(places).map_err(Error::doing(format!("serve TCP port {port}")))?;
        let socket = UdpSocket::bind(places).map_err(Error::doing(format!("serve UDP port {port}")))?;
        Ok::<_, Error>((listener, socket))
    })?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that has gone needs no answer. passt of 2023 does not deliver data that is
            // written before anything was read and the connection is closed.
            let _ = answer(&mut stream, port);
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 64];
        loop {
            if let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(text(peer, port).as_bytes(), peer);
            }
        }
    });
    Ok(())
}

fn answer(stream: &mut TcpStream, port: u16) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read_exact(&mut [0])?;
    stream.write_all(text(stream.peer_addr()?, port).as_bytes())
}

fn text(peer: SocketAddr, port: u16) -> String {
    format!("{} {port}", SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}

fn read(text: &str) -> Option<(SocketAddr, u16)> {
    let (peer, port) = text.split_once(' ')?;
    Some((peer.parse().ok()?, port.parse().ok()?))
}

fn ask_tcp(server: SocketAddr, deadline: Instant) -> io::Result<Option<(SocketAddr, u16)>> {
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut stream = loop {
        match connect(server, deadline) {
            // The kernel ended the connection and gave no reason.
            Err(error) if is_unexplained(&error) && Instant::now() < deadline => {}
            connected => break connected?,
        }
    };
    stream.set_read_timeout(Some(left()))?;
    stream.write_all(b"?")?;
    let mut answer = String::new();
    (&mut stream).take(80).read_to_string(&mut answer)?;
    Ok(read(&answer))
}

/// Connects. The kernel notes a rejection that arrives while it still sends, as it does over a
/// veth, but wakes nobody for it over IPv6, and sends again a second later.
fn connect(server: SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    let family = if server.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = TcpStream::from(socket(family, SockType::Stream, flags, None)?);
    match nix::sys::socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    if let Some(error) = stream.take_error()?.filter(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return Err(error);
    }
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut watched = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut watched, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Ok(0) if Instant::now() >= deadline => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.peer_addr().map_err(|_| io::Error::other("the connection has ended"))?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn is_unexplained(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.kind() != io::ErrorKind::TimedOut
}

fn ask_udp(server: SocketAddr, deadline: Instant) -> io::Result<Option<(SocketAddr, u16)>> {
    let socket = socket_for(server.ip())?;
    socket.connect(server)?;
    ask(&socket, deadline, || socket.send(b"?").map(drop), |bytes| read(std::str::from_utf8(bytes).ok()?))
}
