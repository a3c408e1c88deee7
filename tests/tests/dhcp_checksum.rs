//! What reaches a guest's DHCP client has its checksum, where the kernel can fill it in; where not,
//! that is said.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::{Command, Output};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt::ReceiveTimeout,
};
use nix::sys::time::TimeVal;
use vnet_netlink::Netlink;
use vnet_tests::{Netns, isolate, run, vnet, wait_for};

const DEFAULT: &str = "../testdata/network/valid/nat-default.xml";
const MARK: &[u8] = b"vnet asks for a checksum";

#[test]
#[ignore = "needs act_csum: runs in cargo xtask vm"]
fn answers_have_their_checksums() {
    isolate!();
    let started = call(&["start", DEFAULT]);
    assert!(!String::from_utf8_lossy(&started.stderr).contains("act_csum"));
    assert!(run("tc", &["filter", "show", "dev", "virbr0"]).contains("csum (iph, udp)"));
    let guest = Netns::new();
    let netns = format!("/proc/{}/fd/{}", std::process::id(), guest.file().as_raw_fd());
    run("ip", &["link", "add", "vnet0", "type", "veth", "peer", "name", "eth0", "netns", &netns]);
    run("ip", &["link", "set", "vnet0", "master", "virbr0", "up"]);
    guest.run(|| run("ip", &["link", "set", "eth0", "up"]));

    assert!(arrives_whole(&guest));
    run("tc", &["filter", "del", "dev", "virbr0", "parent", "1:"]);
    assert!(!arrives_whole(&guest), "the guest's end of a cable gets what was never on a wire");
    call(&["apply", DEFAULT]);
    assert!(arrives_whole(&guest));
    call(&["stop", "default"]);
}

#[test]
fn a_kernel_that_cannot_is_told_of() {
    isolate!();
    let can = Netlink::features().unwrap().unwrap().csum;
    let asked = Netlink::open().unwrap().fills_checksums();
    assert!(asked.is_none_or(|asked| asked == can), "asked, and tried");
    let planned = call(&["plan", DEFAULT]);
    let said = String::from_utf8_lossy(&planned.stderr).matches("(act_csum)").count();
    assert_eq!(said, usize::from(!can));
    assert_eq!(String::from_utf8_lossy(&planned.stdout).contains("action csum ip and udp"), can);
    let report: serde_json::Value =
        serde_json::from_slice(&call(&["plan", DEFAULT, "--format", "json"]).stdout).unwrap();
    assert_eq!(report["notes"].as_array().unwrap().len(), usize::from(!can));
}

/// Whether the checksum of what the host sends to the port of DHCP clients is right, as a guest
/// sees it.
fn arrives_whole(guest: &Netns) -> bool {
    let link = guest.run(|| {
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), SockProtocol::EthAll).unwrap();
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, 100_000)).unwrap();
        socket
    });
    let host = UdpSocket::bind("192.168.122.1:0").unwrap();
    host.set_broadcast(true).unwrap();
    wait_for(Duration::from_secs(30), "a datagram at the guest's end", || {
        host.send_to(MARK, "192.168.122.255:68").unwrap();
        let mut frame = [0; 2048];
        loop {
            match recv(link.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                Ok(len) if frame[..len].ends_with(MARK) => return Some(is_whole(&frame[14..len])),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    })
}

/// The sum of a datagram and its pseudo header (RFC 768), behind an IPv4 header without options.
fn is_whole(packet: &[u8]) -> bool {
    let udp = &packet[20..];
    let length = u16::try_from(udp.len()).unwrap().to_be_bytes();
    let words = [&packet[12..20], &[0, 17], &length, udp].concat();
    let sum: u32 = words.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

fn call(args: &[&str]) -> Output {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(vnet()).args(args).env("PATH", path).output().expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
