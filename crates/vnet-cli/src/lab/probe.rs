//! Servers that tell each client which address they see it at, and clients that ask.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::ask;
use super::namespace::Namespace;
use super::ping::is_refusal;

/// The port of the servers.
pub(crate) const PORT: u16 = 7777;

/// TCP or UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// What comes of asking a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server saw us at this address.
    SeenAs(SocketAddr),
    /// There is no way, or someone on it refused.
    Refused,
    /// Nobody answered.
    Silence,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeenAs(peer) => write!(f, "seen as {peer}"),
            Self::Refused => f.write_str("refused"),
            Self::Silence => f.write_str("no answer"),
        }
    }
}

impl Transport {
    /// Asks the server at an address which address it sees.
    pub(crate) fn ask(self, server: SocketAddr, deadline: Instant) -> io::Result<Outcome> {
        let seen = match self {
            Self::Tcp => ask_tcp(server, deadline),
            Self::Udp => ask_udp(server, deadline),
        };
        match seen {
            Ok(Some(peer)) => Ok(Outcome::SeenAs(peer)),
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

/// Starts both servers in a namespace, on every address that it has or gets. They end with the process.
pub(crate) fn serve(namespace: &Namespace) -> anyhow::Result<()> {
    let (listener, socket) = namespace.run(|| {
        let any = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT))];
        let listener = TcpListener::bind(&any[..]).context("no TCP server can be started")?;
        Ok((listener, UdpSocket::bind(&any[..]).context("no UDP server can be started")?))
    })?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that has gone needs no answer.
            let _ = stream.peer_addr().and_then(|peer| stream.write_all(text(peer).as_bytes()));
        }
    });
    thread::spawn(move || {
        let mut buffer = [0; 64];
        loop {
            if let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(text(peer).as_bytes(), peer);
            }
        }
    });
    Ok(())
}

fn text(peer: SocketAddr) -> String {
    SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string()
}

fn ask_tcp(server: SocketAddr, deadline: Instant) -> io::Result<Option<SocketAddr>> {
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut stream = TcpStream::connect_timeout(&server, left())?;
    stream.set_read_timeout(Some(left()))?;
    let mut answer = String::new();
    (&mut stream).take(64).read_to_string(&mut answer)?;
    Ok(answer.parse().ok())
}

fn ask_udp(server: SocketAddr, deadline: Instant) -> io::Result<Option<SocketAddr>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    ask(&socket, deadline, || socket.send(b"?").map(drop), |bytes| std::str::from_utf8(bytes).ok()?.parse().ok())
}
