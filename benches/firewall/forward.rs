//! The forwarding speed of a router with the rules of many networks, compared with one without
//! rules.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use vnet_tests::{Netns, run};
use vnet_types::Family;

use crate::rules::{Mode, libvirt, load, load_accelerated, load_limited};
use vnet_benches::median;

/// How long one variant is measured before the next one.
const SLICE: Duration = Duration::from_millis(60);
const ROUNDS: usize = 21;

/// A guest, a router and an outside host, in a row.
pub(crate) struct Lab {
    pub(crate) rules: Rules,
    ends: Ends,
    guest: Netns,
    outside: Netns,
    /// Keeps the namespace alive.
    _router: Netns,
}

/// The addresses of a laboratory.
#[derive(Clone, Copy)]
struct Ends {
    guest: IpAddr,
    outside: IpAddr,
    /// The router's, towards the guest and towards the outside.
    router: [IpAddr; 2],
    prefix: u8,
}

impl Ends {
    fn of(family: Family) -> Self {
        let (net, prefix) = match family {
            Family::Ipv4 => (["10.0.0.", "9.9.9."], 24),
            Family::Ipv6 => (["2001:db8::", "2001:db8:9::"], 64),
        };
        let [inside, beyond] = net.map(|net| [1, 2].map(|last| format!("{net}{last}").parse().unwrap()));
        Self { guest: inside[1], outside: beyond[1], router: [inside[0], beyond[0]], prefix }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Rules {
    None,
    /// A single handwritten rule: the minimal cost of translation.
    Masquerade,
    /// The same, and a chain without a rule where others filter: the minimal cost of a filter.
    Unfiltered,
    Ours(u32, Mode),
    /// Guests reach the internet only.
    Limited(u32, Mode),
    Libvirt(u32, Mode),
    /// One network with a flowtable.
    Accelerated(Mode),
}

impl Rules {
    pub(crate) fn words(self) -> String {
        match self {
            Self::None => "no rules".to_owned(),
            Self::Masquerade => "one rule: masquerade".to_owned(),
            Self::Unfiltered => "that, and an empty chain at `forward`".to_owned(),
            Self::Ours(count, mode) => format!("{count} networks, {}", word(mode)),
            Self::Limited(count, mode) => format!("{count} networks, {}, internet only", word(mode)),
            Self::Libvirt(count, mode) => format!("{count} networks, {}, libvirt's rules", word(mode)),
            Self::Accelerated(mode) => format!("1 networks, {}, flowtable", word(mode)),
        }
    }

    fn load(self, family: Family) {
        let masquerade = match family {
            Family::Ipv4 => {
                "table ip by_hand { chain out { type nat hook postrouting priority 100; ip saddr 10.0.0.0/24 masquerade; }; }"
            }
            Family::Ipv6 => {
                "table ip6 by_hand { chain out { type nat hook postrouting priority 100; ip6 saddr 2001:db8::/64 masquerade; }; }"
            }
        };
        let empty = "table inet empty { chain forward { type filter hook forward priority 0; }; }";
        // nft(8) cannot send more at once in a user namespace.
        let nft = |commands: &[String]| commands.chunks(400).for_each(|some| drop(run("nft", &[&some.join("\n")])));
        match self {
            Self::None => {}
            Self::Masquerade => nft(&[masquerade.to_owned()]),
            Self::Unfiltered => nft(&[masquerade.to_owned(), empty.to_owned()]),
            Self::Ours(count, mode) => load(count, mode, family),
            Self::Limited(count, mode) => load_limited(count, mode),
            Self::Libvirt(count, mode) => nft(&libvirt(count, mode)),
            Self::Accelerated(mode) => load_accelerated(mode, family),
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
    /// `bridged`: the guest is behind a bridge, as in a network, and not behind a cable alone.
    pub(crate) fn new(rules: Rules, family: Family, bridged: bool) -> Self {
        let (guest, outside, router) = (Netns::new(), Netns::new(), Netns::new());
        let ends = Ends::of(family);
        let within = |address: IpAddr| format!("{address}/{}", ends.prefix);
        router.run(|| {
            for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                std::fs::write(format!("/proc/sys/net/{switch}"), "1").unwrap();
            }
            let [to_guest, to_outside] = ends.router;
            for (name, netns, own, its) in
                [("guest", &guest, to_guest, ends.guest), ("outside", &outside, to_outside, ends.outside)]
            {
                let file = format!("/proc/{}/fd/{}", std::process::id(), netns.file().as_raw_fd());
                let is_port = bridged && name == "guest";
                let cable = if is_port { "port" } else { name };
                run("ip", &["link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", &file]);
                if is_port {
                    run("ip", &["link", "add", name, "type", "bridge"]);
                    run("ip", &["link", "set", cable, "master", name, "up"]);
                }
                run("ip", &["address", "add", &within(own), "dev", name, "nodad"]);
                run("ip", &["link", "set", name, "up"]);
                netns.run(|| {
                    run("ip", &["address", "add", &within(its), "dev", "eth0", "nodad"]);
                    run("ip", &["link", "set", "eth0", "up"]);
                    run("ip", &["route", "add", "default", "via", &own.to_string()]);
                });
            }
            rules.load(family);
        });
        Self { rules, ends, guest, outside, _router: router }
    }

    /// The number of 64-byte packets that the guest sends, or is sent, and that arrive, per second
    /// of the sender's CPU time. veth forwards within send(2), so the thread's time covers the
    /// whole path.
    pub(crate) fn datagrams(&self, from_guest: bool, slice: Duration) -> f64 {
        let server = self.outside.run(|| UdpSocket::bind((self.ends.outside, 0)).unwrap());
        let client = self.guest.run(|| UdpSocket::bind((self.ends.guest, 0)).unwrap());
        client.connect(server.local_addr().unwrap()).unwrap();
        for socket in [&client, &server] {
            setsockopt(socket, sockopt::RcvBufForce, &(1 << 26))
                .or_else(|_| setsockopt(socket, sockopt::RcvBuf, &(1 << 22)))
                .unwrap();
            socket.set_nonblocking(true).unwrap();
        }
        // The first packet may be lost while a bridge has no carrier. After an answer the
        // connection is established, and with the next packets it is in a flowtable.
        client.send(&[0; 36]).unwrap();
        while server.recv_from(&mut [0; 64]).map(|(_, peer)| server.connect(peer).unwrap()).is_err() {
            std::thread::sleep(Duration::from_millis(10));
            client.send(&[0; 36]).unwrap();
        }
        for (from, to) in [(&server, &client), (&client, &server), (&server, &client)] {
            from.send(&[0; 36]).unwrap();
            while to.recv(&mut [0; 64]).is_err() {}
        }
        let (from, to) = if from_guest { (client, server) } else { (server, client) };
        while to.recv(&mut [0; 64]).is_ok() {}
        let (mut sent, mut arrived) = (0u32, 0u32);
        let (start, mut spent) = (Instant::now(), 0.0);
        while start.elapsed() < slice {
            let before = cpu();
            for _ in 0..256 {
                sent += u32::from(from.send(&[0; 36]).is_ok());
            }
            spent += cpu() - before;
            while to.recv(&mut [0; 64]).is_ok() {
                arrived += 1;
            }
        }
        assert!(arrived * 100 >= sent * 99, "{arrived} of {sent} arrived: {}", self.rules.words());
        f64::from(arrived) / spent
    }

    /// The number of bytes of a TCP connection that arrive per second of real time.
    pub(crate) fn stream(&self, slice: Duration) -> f64 {
        let to = SocketAddr::new(self.ends.outside, 0);
        let server = self.outside.run(|| TcpListener::bind(to).unwrap());
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
            while start.elapsed() < slice {
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
    format!("{intro}{}", table(wanted))
}

fn table(wanted: Vec<Rules>) -> String {
    let labs: Vec<Lab> = wanted.into_iter().map(|rules| Lab::new(rules, Family::Ipv4, false)).collect();
    let mut measured: Vec<[Vec<f64>; 2]> = labs.iter().map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        for (lab, measured) in labs.iter().zip(&mut measured) {
            measured[0].push(lab.datagrams(true, SLICE));
            measured[1].push(lab.stream(SLICE));
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
