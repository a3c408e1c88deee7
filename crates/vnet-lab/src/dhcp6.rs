//! A DHCPv6 client (RFC 8415): SOLICIT, ADVERTISE, REQUEST, REPLY, for one address.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use vnet_types::MacAddr;

use crate::ask::ask;

/// How long to wait until an address can be used.
const PAUSE: Duration = Duration::from_millis(1);
const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;
const REQUEST: u8 = 3;
const REPLY: u8 = 7;
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_ADDRESS: u16 = 5;
const REQUESTED: u16 = 6;
const ELAPSED: u16 = 8;
const NAME_SERVERS: u16 = 23;
const FQDN: u16 = 39;
/// An IA_NA has its identity and two times before its options.
const IA_FIXED: usize = 12;

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    duid: Vec<u8>,
    hostname: String,
}

/// An answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    server: Vec<u8>,
    /// `None` when the server has no address for us.
    address: Option<Ipv6Addr>,
    name_servers: Vec<Ipv6Addr>,
}

impl Client {
    /// A client that is identified by its MAC address (DUID-LL).
    pub fn new(mac: MacAddr, hostname: String) -> Self {
        Self { duid: [&[0, 3, 0, 1], &mac.0[..]].concat(), hostname }
    }

    /// The same client with an identity in libvirt's spelling: `0:3:0:1:52:54:0:1:2:3`. `None` when
    /// the text is not a DUID.
    pub fn with_duid(self, id: &str) -> Option<Self> {
        let duid = id.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
        Some(Self { duid, ..self })
    }

    /// Gets an address through the link of this index. `None` when no server offers one before the
    /// deadline.
    ///
    /// # Errors
    /// [`io::Error`] when the link cannot be used.
    pub fn lease(&self, link: u32, deadline: Instant) -> io::Result<Option<Ipv6Addr>> {
        let socket = bound(deadline)?;
        let Some(offer) = self.exchange(&socket, link, None, deadline)? else { return Ok(None) };
        if offer.address.is_none() {
            return Ok(None);
        }
        Ok(self.exchange(&socket, link, Some(&offer), deadline)?.and_then(|reply| reply.address))
    }

    /// Asks for an address, and takes none. `None` when no server offers one before the deadline.
    ///
    /// # Errors
    /// [`io::Error`] when the link cannot be used.
    pub fn offer(&self, link: u32, deadline: Instant) -> io::Result<Option<Ipv6Addr>> {
        Ok(self.exchange(&bound(deadline)?, link, None, deadline)?.and_then(|offer| offer.address))
    }

    /// Asks which name servers guests are told (RFC 3646), and takes no address. `None` when no
    /// server answers before the deadline.
    ///
    /// # Errors
    /// [`io::Error`] when the link cannot be used.
    pub fn name_servers(&self, link: u32, deadline: Instant) -> io::Result<Option<Vec<Ipv6Addr>>> {
        Ok(self.exchange(&bound(deadline)?, link, None, deadline)?.map(|offer| offer.name_servers))
    }

    fn exchange(
        &self,
        socket: &UdpSocket,
        link: u32,
        offer: Option<&Answer>,
        deadline: Instant,
    ) -> io::Result<Option<Answer>> {
        let message = self.message(offer);
        let wanted = if offer.is_some() { REPLY } else { ADVERTISE };
        ask(
            socket,
            deadline,
            || loop {
                match socket.send_to(&message, SocketAddrV6::new(SERVERS, 547, 0, link)) {
                    // The link's address and its route to groups are not there at once.
                    Err(error) if is_early(&error) && Instant::now() < deadline => thread::sleep(PAUSE),
                    Err(error) if is_early(&error) => return Ok(()),
                    sent => return sent.map(drop),
                }
            },
            |bytes| self.read(bytes, wanted),
        )
    }

    fn transaction(&self, kind: u8) -> [u8; 3] {
        let sum = self.duid.iter().fold(0u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(*byte)));
        let [high, low] = sum.to_be_bytes();
        [high, low, if matches!(kind, SOLICIT | ADVERTISE) { 1 } else { 2 }]
    }

    fn message(&self, offer: Option<&Answer>) -> Vec<u8> {
        let kind = if offer.is_some() { REQUEST } else { SOLICIT };
        let mut association = [&[0, 0, 0, 1][..], &[0; 8]].concat();
        if let Some(address) = offer.and_then(|offer| offer.address) {
            let wanted = [&address.octets()[..], &[0; 8]].concat();
            push(&mut association, IA_ADDRESS, &wanted);
        }
        let mut message = vec![kind];
        message.extend(self.transaction(kind));
        push(&mut message, CLIENT_ID, &self.duid);
        if let Some(offer) = offer {
            push(&mut message, SERVER_ID, &offer.server);
        }
        push(&mut message, ELAPSED, &[0, 0]);
        push(&mut message, IA_NA, &association);
        push(&mut message, REQUESTED, &NAME_SERVERS.to_be_bytes());
        let label = &self.hostname.as_bytes()[..self.hostname.len().min(63)];
        let name = [&[0, u8::try_from(label.len()).expect("at most 63")], label].concat();
        push(&mut message, FQDN, &name);
        message
    }

    /// Parses a message, if it is an answer to us.
    fn read(&self, bytes: &[u8], kind: u8) -> Option<Answer> {
        let (head, all) = bytes.split_at_checked(4)?;
        if head[0] != kind || head[1..] != self.transaction(kind) || option(all, CLIENT_ID)? != self.duid {
            return None;
        }
        let association = option(all, IA_NA).and_then(|value| value.get(IA_FIXED..));
        let address = association.and_then(|options| option(options, IA_ADDRESS)).and_then(|value| value.first_chunk());
        let (name_servers, _) = option(all, NAME_SERVERS).unwrap_or_default().as_chunks::<16>();
        Some(Answer {
            server: option(all, SERVER_ID)?.to_vec(),
            address: address.map(|octets: &[u8; 16]| (*octets).into()),
            name_servers: name_servers.iter().map(|octets| (*octets).into()).collect(),
        })
    }
}

/// Whether a link that was just set up cannot send yet.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::NetworkUnreachable)
}

fn push(message: &mut Vec<u8>, code: u16, value: &[u8]) {
    message.extend(code.to_be_bytes());
    message.extend(u16::try_from(value.len()).expect("options of ours are short").to_be_bytes());
    message.extend(value);
}

/// The value of the first option of this code.
fn option(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let ([a, b, c, d], rest) = options.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*c, *d])))?;
        if u16::from_be_bytes([*a, *b]) == wanted {
            return Some(value);
        }
        options = rest;
    }
}

fn bound(deadline: Instant) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 546))?;
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    socket.set_write_timeout(Some(left))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client::new(MacAddr([0x52, 0x54, 0, 1, 2, 3]), "guest1".to_owned())
    }

    fn advertise(address: &str) -> Vec<u8> {
        let mut answer = vec![ADVERTISE];
        answer.extend(client().transaction(ADVERTISE));
        push(&mut answer, CLIENT_ID, &client().duid);
        push(&mut answer, SERVER_ID, &[0, 3, 9, 9]);
        let mut association = vec![0; IA_FIXED];
        let octets = address.parse::<Ipv6Addr>().expect("an address").octets();
        push(&mut association, IA_ADDRESS, &[&octets[..], &[0; 8]].concat());
        push(&mut answer, IA_NA, &association);
        push(&mut answer, NAME_SERVERS, &[octets, octets].concat());
        answer
    }

    #[test]
    fn an_advertisement_is_read() {
        let address = "2001:db8::10".parse().expect("an address");
        let (server, name_servers) = (vec![0, 3, 9, 9], vec![address; 2]);
        let expected = Answer { server, address: Some(address), name_servers };
        assert_eq!(client().read(&advertise("2001:db8::10"), ADVERTISE), Some(expected));
        assert_eq!(client().read(&advertise("2001:db8::10"), REPLY), None);
    }

    #[test]
    fn a_request_names_server_and_address() {
        let offer = client().read(&advertise("2001:db8::10"), ADVERTISE).expect("an offer");
        let request = client().message(Some(&offer));
        assert_eq!(request[0], REQUEST);
        assert_eq!(option(&request[4..], SERVER_ID), Some(&[0, 3, 9, 9][..]));
        let association = option(&request[4..], IA_NA).expect("an association");
        assert_eq!(option(&association[IA_FIXED..], IA_ADDRESS).expect("an address")[..2], [0x20, 0x01]);
    }

    #[test]
    fn identities_are_read_as_libvirt_writes_them() {
        let duid = |text| client().with_duid(text).map(|client| client.duid);
        assert_eq!(duid("0:3:0:1:52:54:0:1:2:3"), Some(client().duid));
        assert_eq!(duid("0:3:xx"), None);
        assert_eq!(duid(""), None);
    }

    #[test]
    fn cut_anywhere_it_is_no_panic() {
        let whole = advertise("2001:db8::10");
        (0..whole.len()).for_each(|length| {
            let _ = client().read(&whole[..length], ADVERTISE);
        });
    }
}
