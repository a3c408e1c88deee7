//! The forwarding speed of a router with the rules of many networks, compared with one without
//! rules.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use vnet_tests::{Netns, run};

use crate::rules::{Mode, libvirt, load, load_accelerated, load_limited};
use vnet_benches::median;

/// How long one variant is measured before the next one.
const SLICE: Duration = Duration::from_millis(60);
const ROUNDS: usize = 21;
/// In a machine whose clock counts instructions, rounds hardly differ.
const FEW_ROUNDS: usize = 5;

/// A guest, a router and an outside host, in a row.
struct Lab {
    rules: Rules,
    guest: Netns,
    outside: Netns,
    /// Keeps the namespace alive.
    _router: Netns,
}

#[derive(Clone, Copy)]
enum Rules {
    None,
    /// A single handwritten rule: the minimal cost of translation.
    Masquerade,
    Ours(u32, Mode),
    /// Guests reach the internet only.
    Limited(u32, Mode),
    Libvirt(u32, Mode),
    /// One network with a flowtable.
    Accelerated(Mode),
}

impl Rules {
    fn words(self) -> String {
        match self {
            Self::None => "no rules".to_owned(),
            Self::Masquerade => "one rule: masquerade".to_owned(),
            Self::Ours(count, mode) => format!("{count} networks, {}", word(mode)),
            Self::Limited(count, mode) => format!("{count} networks, {}, internet only", word(mode)),
            Self::Libvirt(count, mode) => format!("{count} networks, {}, libvirt's rules", word(mode)),
            Self::Accelerated(mode) => format!("1 networks, {}, flowtable", word(mode)),
        }
    }

    fn load(self) {
        // nft(8) cannot send more at once in a user namespace.
        let nft = |commands: &[String]| commands.chunks(400).for_each(|some| drop(run("nft", &[&some.join("\n")])));
        match self {
            Self::None => {}
            Self::Masquerade => nft(&["table ip by_hand { chain out { type nat hook postrouting priority 100; ip saddr 10.0.0.0/24 masquerade; }; }".to_owned()]),
            Self::Ours(count, mode) => load(count, mode),
            Self::Limited(count, mode) => load_limited(count, mode),
            Self::Libvirt(count, mode) => nft(&libvirt(count, mode)),
            Self::Accelerated(mode) => load_accelerated(mode),
        }
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Nat => "NAT",
        Mode::Routed => "routed",
    }
}

impl Lab {
    fn new(rules: Rules) -> Self {
        let (guest, outside, router) = (Netns::new(), Netns::new(), Netns::new());
        router.run(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            for (name, netns, own, its) in
                [("guest", &guest, "10.0.0.1", "10.0.0.2"), ("outside", &outside, "9.9.9.1", "9.9.9.2")]
            {
                let file = format!("/proc/{}/fd/{}", std::process::id(), netns.file().as_raw_fd());
                run("ip", &["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", &file]);
                run("ip", &["address", "add", &format!("{own}/24"), "dev", name]);
                run("ip", &["link", "set", name, "up"]);
                netns.run(|| {
                    run("ip", &["address", "add", &format!("{its}/24"), "dev", "eth0"]);
                    run("ip", &["link", "set", "eth0", "up"]);
                    run("ip", &["route", "add", "default", "via", own]);
                });
            }
            rules.load();
        });
        Self { rules, guest, outside, _router: router }
    }

    /// The number of 64-byte packets that arrive per second of the sender's CPU time. veth forwards
    /// within send(2), so the thread's time covers the whole path.
    fn datagrams(&self) -> f64 {
        let server = self.outside.run(|| UdpSocket::bind("9.9.9.2:0").unwrap());
        setsockopt(&server, sockopt::RcvBufForce, &(1 << 26))
            .or_else(|_| setsockopt(&server, sockopt::RcvBuf, &(1 << 22)))
            .unwrap();
        server.set_nonblocking(true).unwrap();
        let to = server.local_addr().unwrap();
        self.guest.run(|| {
            let client = UdpSocket::bind("10.0.0.2:0").unwrap();
            client.connect(to).unwrap();
            // After an answer the connection is established.
            client.send(&[0; 36]).unwrap();
            while server.recv_from(&mut [0; 64]).map(|(_, peer)| server.send_to(&[0; 36], peer).unwrap()).is_err() {}
            while client.recv(&mut [0; 64]).is_err() {}
            let (mut sent, mut arrived) = (0u32, 0u32);
            let (start, mut spent) = (Instant::now(), 0.0);
            while start.elapsed() < SLICE {
                let before = cpu();
                for _ in 0..256 {
                    sent += u32::from(client.send(&[0; 36]).is_ok());
                }
                spent += cpu() - before;
                while server.recv(&mut [0; 64]).is_ok() {
                    arrived += 1;
                }
            }
            assert!(arrived * 100 >= sent * 99, "{arrived} of {sent} arrived: {}", self.rules.words());
            f64::from(arrived) / spent
        })
    }

    /// The number of bytes of a TCP connection that arrive per second of real time.
    fn stream(&self) -> f64 {
        let server = self.outside.run(|| TcpListener::bind("9.9.9.2:0").unwrap());
        let to = server.local_addr().unwrap();
        let reader = self.outside.spawn(move || {
            let mut connection = server.accept().unwrap().0;
            let mut buffer = vec![0; 1 << 18];
            let mut total = 0u64;
            while let Ok(read @ 1..) = connection.read(&mut buffer) {
                total += read as u64;
            }
            total
        });
        let start = Instant::now();
        self.guest.run(|| {
            let mut connection = TcpStream::connect(to).unwrap();
            let buffer = vec![0; 1 << 16];
            while start.elapsed() < SLICE {
                connection.write_all(&buffer).unwrap();
            }
        });
        let total = reader.join().unwrap();
        total as f64 / start.elapsed().as_secs_f64()
    }
}

/// The CPU seconds of this thread.
fn cpu() -> f64 {
    Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap()).as_secs_f64()
}

pub(crate) fn report() -> String {
    let mut wanted = vec![Rules::None, Rules::Masquerade];
    for mode in [Mode::Routed, Mode::Nat] {
        wanted.extend([1, 200, 1000].map(|count| Rules::Ours(count, mode)));
        wanted.extend([Rules::Limited(200, mode), Rules::Libvirt(200, mode)]);
    }
    let intro = "## Forwarding

A guest, a router and an outside host, connected by veth pairs. UDP: datagrams of 36 bytes in packets of 64, per second of
processor time. TCP: one connection, per second of real time. Each number is also given as a share of the same round without
rules, and of the round with the single rule that any translation needs, which turns on connection tracking.
";
    format!("{intro}{}", table(wanted, ROUNDS))
}

/// The same beside a flowtable, on a kernel that has them.
pub(crate) fn report_flowtable() -> String {
    use Mode::{Nat, Routed};
    let wanted = vec![
        Rules::None,
        Rules::Masquerade,
        Rules::Ours(1, Nat),
        Rules::Accelerated(Nat),
        Rules::Ours(1, Routed),
        Rules::Accelerated(Routed),
        Rules::Libvirt(1, Nat),
    ];
    let intro = "## Forwarding with a flowtable

Made by `cargo xtask bench vm`: the same in a virtual machine of one processor whose clock counts instructions, a billion to the
second.
";
    format!("{intro}{}", table(wanted, FEW_ROUNDS))
}

fn table(wanted: Vec<Rules>, rounds: usize) -> String {
    let labs: Vec<Lab> = wanted.into_iter().map(Lab::new).collect();
    let mut measured: Vec<[Vec<f64>; 2]> = labs.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (lab, measured) in labs.iter().zip(&mut measured) {
            measured[0].push(lab.datagrams());
            measured[1].push(lab.stream());
        }
    }
    let mut text = "
| rules | UDP, packets/s | of none | of one masquerade | TCP, Gbit/s | of none | of one masquerade |
|---|---|---|---|---|---|---|
"
    .to_owned();
    for (lab, values) in labs.iter().zip(&measured) {
        text += &format!("| {} ", lab.rules.words());
        for (kind, (unit, digits)) in [(1.0, 0), (8e-9, 1)].into_iter().enumerate() {
            let share = |of: usize| {
                let pairs = values[kind].iter().zip(&measured[of][kind]);
                median(pairs.map(|(value, of)| value / of).collect())
            };
            let value = median(values[kind].clone()) * unit;
            text += &format!("| {value:.digits$} | {:.2} | {:.2} ", share(0), share(1));
        }
        text += "|\n";
    }
    text
}
