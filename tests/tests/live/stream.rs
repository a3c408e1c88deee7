//! Datagrams of which each is answered, a hundred in a second.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vnet_netlink::Netlink;
use vnet_tests::{Netns, run};

/// The port of those who answer.
pub(crate) const PORT: u16 = 7007;
const PERIOD: Duration = Duration::from_millis(10);
/// How long an answer may take on a machine with much to do.
const PATIENCE: Duration = Duration::from_secs(3);

/// The states of a stream.
const RUNS: u8 = 0;
const ENDS: u8 = 1;
const WAITS: u8 = 2;

pub(crate) const OUTSIDE: &str = "198.51.100.1";

/// Answers each datagram, as long as the test runs.
pub(crate) fn answer() {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap();
    let mut datagram = [0; 64];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let _ = socket.send_to(&datagram[..length], from);
        }
    }
}

/// What is beyond the host's way out, `uplink`. It has a way back to the guests.
pub(crate) fn outside() -> Netns {
    let outside = Netns::new();
    run("ip", &["link", "add", "uplink", "type", "veth", "peer", "name", "away"]);
    let netlink = Netlink::open().unwrap();
    let away = netlink.link(&"away".parse().unwrap()).unwrap().unwrap().index;
    netlink.move_to_namespace(away, outside.file()).unwrap();
    run("ip", &["address", "add", "198.51.100.9/24", "dev", "uplink"]);
    run("ip", &["link", "set", "uplink", "up"]);
    run("ip", &["route", "add", "default", "via", OUTSIDE]);
    outside.run(|| {
        run("ip", &["address", "add", &format!("{OUTSIDE}/24"), "dev", "away"]);
        run("ip", &["address", "add", "198.51.100.2/24", "dev", "away"]);
        run("ip", &["link", "set", "away", "up"]);
        run("ip", &["route", "add", "10.9.0.0/16", "via", "198.51.100.9"]);
    });
    outside
}

/// Gives a guest its address.
pub(crate) fn address(guest: &Netns, number: u8) {
    guest.run(|| {
        run("ip", &["address", "add", &format!("10.9.0.{number}/24"), "dev", "eth0"]);
        run("ip", &["route", "add", "default", "via", "10.9.0.1"]);
    });
}

/// Whether an echo comes back soon.
pub(crate) fn reaches(from: &Netns, to: &str, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let ping = ["-c1", "-W1", to];
    loop {
        let output = from.run(|| Command::new("ping").args(ping).output().unwrap());
        if output.status.success() || Instant::now() > deadline {
            return output.status.success();
        }
    }
}

/// Datagrams that are sent until it is asked for the result.
pub(crate) struct Stream {
    ends: Arc<AtomicU8>,
    sender: JoinHandle<(u64, BTreeSet<u64>)>,
}

impl Stream {
    pub(crate) fn start(from: &Netns, to: &'static str) -> Self {
        let ends = Arc::new(AtomicU8::new(RUNS));
        let told = ends.clone();
        Self { ends, sender: from.spawn(move || send(to, &told)) }
    }

    /// How many datagrams were sent, and how many of them were not answered, if late answers are
    /// waited for.
    pub(crate) fn end(self, waits: bool) -> (u64, u64) {
        self.ends.store(if waits { WAITS } else { ENDS }, Ordering::Relaxed);
        let (sent, answered) = self.sender.join().unwrap();
        (sent, sent - u64::try_from(answered.len()).unwrap())
    }
}

fn send(to: &str, ends: &AtomicU8) -> (u64, BTreeSet<u64>) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.connect((to, PORT)).unwrap();
    let (mut sent, mut answered) = (0_u64, BTreeSet::new());
    while ends.load(Ordering::Relaxed) == RUNS {
        // A refusal that came back for an earlier one is told here.
        if socket.send(&sent.to_be_bytes()).is_err() {
            let _ = socket.send(&sent.to_be_bytes());
        }
        sent += 1;
        receive(&socket, Instant::now() + PERIOD, sent, &mut answered);
    }
    if ends.load(Ordering::Relaxed) == WAITS {
        receive(&socket, Instant::now() + PATIENCE, sent, &mut answered);
    }
    (sent, answered)
}

/// Takes answers until a time, or until there are all.
fn receive(socket: &UdpSocket, until: Instant, sent: u64, answered: &mut BTreeSet<u64>) {
    let mut number = [0; 8];
    let is_last = until > Instant::now() + 2 * PERIOD;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || (is_last && u64::try_from(answered.len()) == Ok(sent)) {
            return;
        }
        socket.set_read_timeout(Some(left)).unwrap();
        match socket.recv(&mut number) {
            Ok(8) => drop(answered.insert(u64::from_be_bytes(number))),
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            _ => {}
        }
    }
}
