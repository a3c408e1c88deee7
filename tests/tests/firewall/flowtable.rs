//! Established connections that skip the rules, until these take something from a guest.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use rstest::rstest;
use vnet_firewall::{Access, ForwardedPorts, Rule, Statement, Transport};
use vnet_tests::{isolate, run, wait_for};

use crate::lab::{GUEST, GUEST6, HOST, Lab, OUTSIDE, OUTSIDE6, UPLINK};
use crate::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection between a guest and someone outside.
enum Talk {
    Udp(UdpSocket, UdpSocket),
    Tcp(TcpStream, TcpStream),
}

impl Talk {
    /// The guest begins.
    fn outward(lab: &Lab, transport: Transport, [guest, outside]: [&str; 2]) -> Self {
        let any = SocketAddr::new(guest.parse().unwrap(), 0);
        let to = |port| SocketAddr::new(outside.parse::<IpAddr>().unwrap(), port);
        match transport {
            Transport::Udp => {
                let server = lab.outside.run(|| UdpSocket::bind(to(0)).unwrap());
                let client = lab.guest.run(|| UdpSocket::bind(any).unwrap());
                client.connect(server.local_addr().unwrap()).unwrap();
                client.send(b"hello").unwrap();
                server.set_read_timeout(Some(PATIENCE)).unwrap();
                server.connect(server.recv_from(&mut [0; 8]).expect("it arrives").1).unwrap();
                Self::Udp(client, server)
            }
            Transport::Tcp => {
                let server = lab.outside.run(|| TcpListener::bind(to(0)).unwrap());
                let port = server.local_addr().unwrap().port();
                let client = lab.guest.run(|| TcpStream::connect_timeout(&to(port), PATIENCE).unwrap());
                Self::Tcp(client, server.accept().unwrap().0)
            }
        }
    }

    /// Someone outside begins, at a port that leads to the guest.
    fn inward(lab: &Lab, port: u16) -> Self {
        let server = lab.guest.run(|| TcpListener::bind((GUEST, port)).unwrap());
        let to = SocketAddr::new(HOST.parse().unwrap(), port);
        let client = lab.outside.run(|| TcpStream::connect_timeout(&to, PATIENCE).unwrap());
        Self::Tcp(server.accept().unwrap().0, client)
    }

    /// Says a word, which is answered.
    fn word(&mut self) {
        let mut word = [0; 4];
        match self {
            Self::Udp(guest, outside) => {
                for (from, to) in [(&*guest, &*outside), (&*outside, &*guest)] {
                    to.set_read_timeout(Some(PATIENCE)).unwrap();
                    from.send(b"word").unwrap();
                    to.recv(&mut word).expect("it arrives");
                }
            }
            Self::Tcp(guest, outside) => {
                for side in [&*guest, &*outside] {
                    side.set_read_timeout(Some(PATIENCE)).unwrap();
                    side.set_nodelay(true).unwrap();
                }
                guest.write_all(b"word").unwrap();
                outside.read_exact(&mut word).expect("it arrives");
                outside.write_all(b"word").unwrap();
                guest.read_exact(&mut word).expect("the answer arrives");
            }
        }
        assert_eq!(&word, b"word");
    }

    /// What the guest says is refused, and does not arrive.
    fn is_cut(&mut self, what: &str) {
        let before = packets(rejects);
        match self {
            Self::Udp(guest, _) => drop(guest.send(b"more").unwrap()),
            Self::Tcp(guest, _) => guest.write_all(b"more").unwrap(),
        }
        wait_for(PATIENCE, what, || (packets(rejects) > before).then_some(()));
        let heard = match self {
            Self::Udp(_, outside) => {
                outside.set_nonblocking(true).unwrap();
                outside.recv(&mut [0; 8])
            }
            Self::Tcp(_, outside) => {
                outside.set_nonblocking(true).unwrap();
                outside.read(&mut [0; 8])
            }
        };
        assert_eq!(heard.expect_err(what).kind(), ErrorKind::WouldBlock, "{what}");
    }

    /// Its packets pass the rules, or skip them: all of one round do. A slow machine sends one
    /// again now and then, and the kernel looks for the way anew.
    fn passes_rules(&mut self) -> bool {
        // The answer is the first packet of an established connection.
        self.word();
        self.word();
        (0..5).all(|_| {
            let before = packets(|_| true);
            (0..4).for_each(|_| self.word());
            packets(|_| true) != before
        })
    }
}

fn rejects(rule: &Rule) -> bool {
    matches!(rule.statements.last(), Some(Statement::Reject(_)))
}

/// The packets that the network's rules of one kind have met.
fn packets(of: impl Fn(&Rule) -> bool) -> u64 {
    read().counts("default").filter(|(_, rule, _)| of(rule)).map(|(.., counts)| counts.packets).sum()
}

fn accelerated(subnets: &[(&str, Access)]) -> Policy {
    let mut wanted = policy("default", "virbr0", subnets);
    wanted.accelerated = vec![UPLINK.parse().unwrap()];
    wanted
}

/// TCP and UDP, IPv4 and IPv6.
fn talks(lab: &Lab) -> Vec<(String, Talk)> {
    let families = [[GUEST, OUTSIDE], [GUEST6, OUTSIDE6]];
    let each = [Transport::Tcp, Transport::Udp].into_iter().flat_map(|it| families.map(|ends| (it, ends)));
    each.map(|(transport, ends)| (format!("{transport:?} {ends:?}"), Talk::outward(lab, transport, ends))).collect()
}

#[test]
fn a_kernel_has_flowtables_or_not() {
    isolate!();
    let trial = "add table inet t; add flowtable inet t f { hook ingress priority 0; devices = { lo }; }; \
                 add chain inet t c; add rule inet t c ct state established flow add @f";
    let by_nft = Command::new("nft").arg(trial).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output().unwrap();
    let before = tables();
    assert_eq!(Firewall::open().unwrap().has_flowtables(), Some(by_nft.status.success()));
    assert_eq!(tables(), before, "nothing is left");
}

#[rstest]
#[case::to_no_way_out(false)]
#[case::to_isolated(true)]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn connections_skip_the_rules_until_they_change(#[case] becomes_isolated: bool) {
    isolate!();
    let lab = Lab::new();
    // On a slow machine, connections are idle for long.
    for transport in ["tcp", "udp"] {
        std::fs::write(format!("/proc/sys/net/netfilter/nf_flowtable_{transport}_timeout"), "1000").unwrap();
    }
    let [mixed, other] = [(nat(), Access::Routed), (Access::Routed, nat())]
        .map(|(ipv4, ipv6)| accelerated(&[(NET, ipv4), (NET6, ipv6)]));
    let (open, closed) = match becomes_isolated {
        false => (mixed.clone(), limited(EgressPreset::None, "", mixed)),
        true => (other, accelerated(&[(NET, Access::Isolated), (NET6, Access::Isolated)])),
    };
    let ruleset = install(&open);
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset), "as it was installed");
    let mut talks = talks(&lab);
    for (what, talk) in &mut talks {
        assert!(!talk.passes_rules(), "{what} skips the rules");
    }
    // Another network does not end that, and what others change does not concern them.
    install(&policy("beside", "virbr1", &[(OTHER_NET, nat())]));
    load("table inet other { chain c { type filter hook forward priority -10; drop; }; }");
    talks.iter_mut().for_each(|(_, talk)| talk.word());
    run("nft", &["delete", "table", "inet", "other"]);

    install(&closed);
    for (what, talk) in &mut talks {
        talk.is_cut(what);
    }
    commit("default", None);
    commit("beside", None);
    assert_eq!(tables(), "", "nothing is left");
}

#[test]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn a_forward_that_is_removed_asks_the_rules_again() {
    isolate!();
    let lab = Lab::new();
    let without = accelerated(&[(NET, nat())]);
    let mut wanted = without.clone();
    let forward = ForwardedPorts::new(Transport::Tcp, "4711-4711".parse().unwrap(), GUEST.parse().unwrap());
    wanted.forwards = vec![forward];
    install(&wanted);
    let mut talk = Talk::inward(&lab, 4711);
    assert!(!talk.passes_rules(), "what comes in by a forward skips the rules");
    install(&without);
    let before = packets(|_| true);
    talk.word();
    assert_ne!(packets(|_| true), before, "it is asked again");
}

#[test]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn a_device_that_somebody_removes_is_missed() {
    isolate!();
    let _lab = Lab::new();
    let ruleset = install(&accelerated(&[(NET, nat())]));
    run("nft", &["delete", "flowtable", "inet", "vnet", "flows", "{ hook ingress priority 0; devices = { eth0 }; }"]);
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset));
    commit("default", Some(&ruleset));
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));

    // One that goes leaves the flowtable, and the rules without it are installed nevertheless.
    run("ip", &["link", "delete", "eth0"]);
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset));
    commit("default", None);
    commit("default", Some(&ruleset));
    let found = read().ruleset("default").and_then(|it| it.flowtable).expect("it is there");
    assert_eq!(found.devices, ["virbr0".parse().unwrap()]);
}
