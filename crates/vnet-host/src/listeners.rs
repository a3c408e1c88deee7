//! The sockets of the host that wait for connections or datagrams, as proc_net(5) lists them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vnet_types::KnownListener;

/// What the kernel lists, and the state of a socket that waits.
const LISTS: [(&str, bool, &str); 4] =
    [("tcp", false, "0A"), ("tcp6", false, "0A"), ("udp", true, "07"), ("udp6", true, "07")];
/// From here on the kernel gives ports to clients, whose UDP sockets look as those of servers.
const EPHEMERAL: u16 = 32768;

/// The sockets in the network namespace of this thread that anyone may send to. A list that cannot
/// be read is left out.
pub fn listeners() -> Vec<KnownListener> {
    let lists = LISTS.into_iter().flat_map(|(list, udp, state)| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{list}")).unwrap_or_default();
        let found = text.lines().filter_map(|line| listener(line, udp, state));
        found.filter(|it| !udp || it.port < EPHEMERAL).collect::<Vec<_>>()
    });
    lists.collect()
}

/// `0: 0100007F:1F90 00000000:0000 0A …`
fn listener(line: &str, udp: bool, waits: &str) -> Option<KnownListener> {
    let mut fields = line.split_whitespace().skip(1);
    let (address, port) = fields.next()?.split_once(':')?;
    let is_waiting = fields.nth(1)? == waits;
    let listener = KnownListener { udp, address: ip(address)?, port: u16::from_str_radix(port, 16).ok()? };
    is_waiting.then_some(listener)
}

/// Each word of an address is a number in the byte order of the host.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(8 * at..8 * at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?);
            Some(address.to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn sockets_that_wait_are_found() {
        let bound = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = bound.local_addr().expect("an address").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        let any = TcpListener::bind("[::]:0").expect("a socket");
        let any = any.local_addr().map(|it| (it.port(), any)).expect("an address");
        let udp = (2000..EPHEMERAL).find_map(|port| Some((port, UdpSocket::bind(("127.0.0.1", port)).ok()?)));
        let udp = udp.expect("a free port");
        let found = listeners();
        let has = |udp, address: &str, port| {
            found.contains(&KnownListener { udp, address: address.parse().expect("an address"), port })
        };
        assert!(has(false, "127.0.0.1", port) && has(false, "::", any.0) && has(true, "127.0.0.1", udp.0), "{found:?}");
        let own = client.local_addr().expect("an address").port();
        assert!(!has(false, "127.0.0.1", own), "a client does not wait");
    }
}
