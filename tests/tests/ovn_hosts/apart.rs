//! Isolated guests: whatever they believe of each other's MAC addresses, nothing passes.

use std::net::UdpSocket;
use std::path::Path;

use vnet_tests::{Machine, OvnLab, isolate, run, wait_for};

use super::{CACHE, CELL, DB, NEVER, SOON, WEB, lease, network};

const ISOLATED: &str = "<port isolated='yes'/>";
const GATEWAY: &str = "10.78.0.1";

/// Tells a guest the MAC address of another one, that it need not ask.
fn knows(guest: &Machine, address: &str, mac: &str) {
    let entry = ["neighbour", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent"];
    guest.netns.run(|| run("ip", &entry));
}

fn listens(guest: &Machine) -> UdpSocket {
    let socket = guest.netns.run(|| UdpSocket::bind("0.0.0.0:7000").unwrap());
    socket.set_read_timeout(Some(NEVER)).unwrap();
    socket
}

/// Whether a datagram arrives.
fn sends(from: &Machine, to: &str, there: &UdpSocket) -> bool {
    from.netns.run(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"datagram", (to, 7000)).unwrap());
    there.recv(&mut [0; 16]).is_ok()
}

#[test]
fn isolated_guests_are_apart_on_one_host_and_on_two() {
    isolate!();
    let lab = OvnLab::start(Path::new("/run/lab"), 2);
    let inside = "<ip address='10.78.0.1' prefix='24'><dhcp><range start='10.78.0.100' end='10.78.0.200'/></dhcp></ip>";
    let definition = network(&lab, "cell", "", "", inside);
    let [one, two] = &lab.hosts[..] else { unreachable!() };
    one.does(&["start", "-"], &definition);
    for host in [one, two] {
        host.does(&["define", "-"], &definition);
    }
    let asks = one.guest("cell", "asks", WEB, ISOLATED);
    let beside = one.guest("cell", "beside", DB, ISOLATED);
    let beyond = two.guest("cell", "beyond", CACHE, ISOLATED);
    let free = two.guest("cell", "free", CELL, "");
    let guests = [(&asks, WEB), (&beside, DB), (&beyond, CACHE), (&free, CELL)];
    let addresses = guests.map(|(guest, mac)| lease(guest, mac).0);
    for (guest, _) in guests {
        for ((_, mac), address) in guests.iter().zip(&addresses) {
            knows(guest, address, mac);
        }
        wait_for(SOON, "the gateway", || guest.pings(GATEWAY, NEVER).then_some(()));
    }
    for address in &addresses[1..3] {
        assert!(!asks.pings(address, NEVER), "{address} is isolated, too");
    }
    assert!(!beyond.pings(&addresses[0], NEVER));
    for guest in [&asks, &beside, &beyond] {
        wait_for(SOON, "one that is not isolated", || guest.pings(&addresses[3], NEVER).then_some(()));
    }

    // Nor from another MAC address, or to all.
    let [near, far] = [&beside, &beyond].map(listens);
    assert!(sends(&free, &addresses[1], &near) && sends(&free, &addresses[2], &far));
    let elsewhere = "52:54:00:00:00:77";
    let router = lab.central.nbctl(&["--bare", "--columns=mac", "find", "logical_router_port", "mac!=\"\""]);
    for mac in [elsewhere, router.trim()] {
        asks.netns.run(|| run("ip", &["link", "set", "eth0", "address", mac]));
        assert!(!sends(&asks, &addresses[1], &near) && !sends(&asks, &addresses[2], &far), "from {mac}");
    }
    asks.netns.run(|| run("ip", &["link", "set", "eth0", "address", WEB]));
    for address in &addresses[1..3] {
        knows(&asks, address, "ff:ff:ff:ff:ff:ff");
    }
    assert!(!sends(&asks, &addresses[1], &near) && !sends(&asks, &addresses[2], &far));
}
