//! Established connections that skip the rules, until these take something from a guest.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use vnet_firewall::Access;
use vnet_tests::{isolate, run};

use crate::lab::{GUEST, Lab, OUTSIDE, UPLINK};
use crate::*;

/// A guest's connection to someone outside.
struct Talk {
    guest: UdpSocket,
    outside: UdpSocket,
}

impl Talk {
    fn new(lab: &Lab) -> Self {
        let outside = lab.outside.run(|| UdpSocket::bind((OUTSIDE, 7)).unwrap());
        let guest = lab.guest.run(|| UdpSocket::bind((GUEST, 0)).unwrap());
        lab.guest.run(|| guest.connect((OUTSIDE, 7)).unwrap());
        guest.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        outside.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { guest, outside }
    }

    /// Sends a word and answers it.
    fn word(&self) {
        let mut buffer = [0; 8];
        self.guest.send(b"word").unwrap();
        let (len, peer) = self.outside.recv_from(&mut buffer).expect("the word arrives");
        self.outside.send_to(&buffer[..len], peer).unwrap();
        assert_eq!(self.guest.recv(&mut buffer).expect("the answer arrives"), len);
    }

    /// Whether a word is refused.
    fn is_refused(&self) -> bool {
        self.guest.send(b"word").unwrap();
        self.guest.recv(&mut [0; 8]).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }
}

/// The packets that guests were let out with.
fn let_out() -> u64 {
    let table = read();
    table.counts("default").find(|(set, ..)| set == "leave_ipv4").expect("an element").2.packets
}

#[test]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn a_connection_skips_the_rules_until_they_change() {
    isolate!();
    let lab = Lab::new();
    let mut wanted = policy("default", "virbr0", &[(NET, nat())]);
    wanted.accelerated = vec![UPLINK.parse().unwrap()];
    let ruleset = install(&wanted);
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset), "as it was installed");

    let talk = Talk::new(&lab);
    talk.word();
    let before = let_out();
    (0..5).for_each(|_| talk.word());
    assert_eq!(let_out(), before, "they skip the rules");

    // Another network does not end that, and what others change does not concern the connection.
    install(&policy("beside", "virbr1", &[(OTHER_NET, nat())]));
    run("nft", &["delete", "element", "inet", "vnet", "leave_ipv4", "{ virbr0 . 192.168.122.0 }"]);
    talk.word();

    install(&policy("default", "virbr0", &[(NET, Access::Isolated)]));
    assert!(talk.is_refused(), "a change of ours does");
    assert!(!listed().contains("flowtable"), "nobody needs it");
    commit("default", None);
    commit("beside", None);
    assert_eq!(tables(), "", "nothing is left");
}

#[test]
#[ignore = "needs flowtables: runs in cargo xtask vm"]
fn a_device_that_somebody_removes_is_missed() {
    isolate!();
    let _lab = Lab::new();
    let mut wanted = policy("default", "virbr0", &[(NET, nat())]);
    wanted.accelerated = vec![UPLINK.parse().unwrap()];
    let ruleset = install(&wanted);
    run("nft", &["delete", "flowtable", "inet", "vnet", "flows", "{ hook ingress priority 0; devices = { eth0 }; }"]);
    assert_ne!(read().ruleset("default").as_ref(), Some(&ruleset));
    commit("default", Some(&ruleset));
    assert_eq!(read().ruleset("default").as_ref(), Some(&ruleset));
}
