//! What comes in, and what does not.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use rstest::rstest;
use vnet_passt::Protocol;

use crate::guest::Guest;
use crate::host::{GATEWAY, HOST, HOST6, Host, OUTSIDE, SECOND, SOON, ask, forward, passt, start};

/// Who asks at which port of which address, and which port of the guest answers.
type Question = (Who, &'static str, u16, Option<u16>);

#[derive(Clone, Copy, Debug)]
enum Who {
    Host,
    Outside,
}
use Who::{Host as Here, Outside};

const LOOPBACK: &str = "127.0.0.1";

#[rstest]
#[case::one(&["tcp 8080:80"], &[(Here, LOOPBACK, 8080, Some(80)), (Outside, HOST, 8080, Some(80)), (Here, HOST6, 8080, Some(80)),
    (Here, LOOPBACK, 80, None), (Here, LOOPBACK, 8081, None), (Outside, HOST, 7001, None)])]
#[case::same_port(&["tcp 7001"], &[(Here, LOOPBACK, 7001, Some(7001)), (Outside, HOST6, 7001, Some(7001)), (Here, LOOPBACK, 7002, None)])]
#[case::range_with_offset(&["tcp 9000-9002:7000-7002"], &[(Here, LOOPBACK, 9000, Some(7000)), (Here, LOOPBACK, 9002, Some(7002)),
    (Here, LOOPBACK, 9003, None), (Here, LOOPBACK, 7000, None)])]
#[case::excluded(&["tcp 7000-7004,~7002-7003"], &[(Here, LOOPBACK, 7001, Some(7001)), (Here, LOOPBACK, 7004, Some(7004)),
    (Here, LOOPBACK, 7002, None), (Outside, HOST, 7003, None)])]
#[case::all_but(&["tcp ~1-6999,~7002-65535"], &[(Here, LOOPBACK, 7000, Some(7000)), (Outside, HOST, 7001, Some(7001)),
    (Here, LOOPBACK, 7002, None), (Here, LOOPBACK, 80, None)])]
#[case::loopback_only(&["tcp 127.0.0.1/8443:443"], &[(Here, LOOPBACK, 8443, Some(443)), (Here, HOST, 8443, None), (Outside, HOST, 8443, None)])]
#[case::one_address_only(&["tcp 10.77.0.3/8443:443"], &[(Outside, SECOND, 8443, Some(443)), (Outside, HOST, 8443, None), (Here, LOOPBACK, 8443, None)])]
#[case::ipv6_address_only(&["tcp 2001:db8:77::2/8443:443"], &[(Outside, HOST6, 8443, Some(443)), (Outside, HOST, 8443, None), (Here, "::1", 8443, None)])]
#[case::device_only(&["tcp 10.77.0.2%eth0/8443:443"], &[(Outside, HOST, 8443, Some(443)), (Outside, SECOND, 8443, None), (Here, LOOPBACK, 8443, None)])]
#[case::several(&["tcp 8080:80,8443:443", "tcp 127.0.0.1/7001"], &[(Here, LOOPBACK, 8080, Some(80)), (Outside, HOST, 8443, Some(443)),
    (Here, LOOPBACK, 7001, Some(7001)), (Outside, HOST, 7001, None)])]
fn tcp(#[case] forwards: &[&str], #[case] questions: &[Question]) {
    vnet_tests::isolate!();
    check(Protocol::Tcp, forwards, questions);
}

#[rstest]
#[case::one(&["udp 5353:53"], &[(Here, LOOPBACK, 5353, Some(53)), (Outside, HOST, 5353, Some(53)), (Outside, HOST6, 5353, Some(53)),
    (Here, LOOPBACK, 53, None), (Here, LOOPBACK, 5354, None)])]
#[case::range_with_offset(&["udp 9000-9002:7000-7002"], &[(Outside, HOST, 9000, Some(7000)), (Outside, HOST, 9002, Some(7002)), (Outside, HOST, 9003, None)])]
#[case::excluded(&["udp 7000-7004,~7002-7003"], &[(Outside, HOST, 7001, Some(7001)), (Outside, HOST, 7002, None), (Outside, HOST, 7003, None)])]
#[case::one_address_only(&["udp 10.77.0.3/5353:53"], &[(Outside, SECOND, 5353, Some(53)), (Outside, HOST, 5353, None)])]
#[case::not_with_tcp_elsewhere(&["tcp 8080:80", "udp 5353:53"], &[(Outside, HOST, 5353, Some(53)), (Outside, HOST, 53, None)])]
fn udp(#[case] forwards: &[&str], #[case] questions: &[Question]) {
    vnet_tests::isolate!();
    check(Protocol::Udp, forwards, questions);
}

fn check(protocol: Protocol, forwards: &[&str], questions: &[Question]) {
    let host = Host::new();
    let mut passt = passt();
    passt.forwards = forwards.iter().map(|line| forward(line)).collect();
    start(&passt);
    let guest = Guest::new(&passt.socket);
    guest.lease();
    guest.lease6();
    guest.serve(&[53, 80, 443, 7000, 7001, 7002, 7003, 7004, 8443]);
    for (who, ip, port, answer) in questions.iter().copied() {
        let ip: IpAddr = ip.parse().unwrap();
        let answered = match who {
            Here => ask(protocol, ip, port),
            Outside => host.outside.run(|| ask(protocol, ip, port)),
        };
        assert_eq!(answered, answer, "{protocol} {who:?} asks {ip} port {port}");
    }
}

/// 64 MiB in which each word is another, so that a lost or a swapped one shows.
fn bulk() -> Vec<u8> {
    (0..8u64 << 20).flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()).collect()
}

/// Reads as much from whoever comes, and says so.
fn take(listener: TcpListener, length: usize) -> Vec<u8> {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut arrived = vec![0; length];
    stream.read_exact(&mut arrived).unwrap();
    stream.write_all(b"!").unwrap();
    arrived
}

fn give(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect_timeout(&to, SOON).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

#[test]
fn sixty_four_mebibytes_arrive_intact_in_both_directions() {
    vnet_tests::isolate!();
    let host = Host::new();
    let mut passt = passt();
    passt.forwards = vec![forward("tcp 8080:80")];
    start(&passt);
    let guest = Guest::new(&passt.socket);
    guest.lease();
    let sent = bulk();
    let inside = guest.netns.run(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let outside = host.outside.run(|| TcpListener::bind((OUTSIDE, 6000)).unwrap());
    thread::scope(|scope| {
        let receiver = scope.spawn(|| take(inside, sent.len()));
        give(SocketAddr::from(([127, 0, 0, 1], 8080)), &sent);
        assert!(receiver.join().unwrap() == sent, "{} bytes were changed on their way in", sent.len());
        let receiver = scope.spawn(|| take(outside, sent.len()));
        guest.netns.run(|| give(SocketAddr::new(OUTSIDE.parse().unwrap(), 6000), &sent));
        assert!(receiver.join().unwrap() == sent, "{} bytes were changed on their way out", sent.len());
    });
}

#[test]
fn a_guest_reaches_the_outside_and_the_host() {
    vnet_tests::isolate!();
    let host = Host::new();
    let passt = passt();
    start(&passt);
    let guest = Guest::new(&passt.socket);
    guest.lease();
    let greet = |listener: TcpListener, word: &'static str| {
        thread::spawn(move || listener.incoming().flatten().for_each(|mut it| it.write_all(word.as_bytes()).unwrap()));
    };
    greet(host.outside.run(|| TcpListener::bind((OUTSIDE, 6000)).unwrap()), "outside");
    greet(TcpListener::bind("127.0.0.1:6000").unwrap(), "host");
    let read = |ip: &str| {
        guest.netns.run(|| {
            let to = SocketAddr::new(ip.parse().unwrap(), 6000);
            let mut stream = TcpStream::connect_timeout(&to, SOON).unwrap_or_else(|error| panic!("{to}: {error}"));
            stream.set_read_timeout(Some(SOON)).unwrap();
            let mut word = String::new();
            stream.read_to_string(&mut word).unwrap_or_else(|error| panic!("{to}: {error}"));
            word
        })
    };
    assert_eq!(read(OUTSIDE), "outside");
    // The gateway's address is the host's loopback, unless `--no-map-gw`.
    assert_eq!(read(GATEWAY), "host");
}
