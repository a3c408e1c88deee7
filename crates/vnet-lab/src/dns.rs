//! A DNS client (RFC 1035, RFC 2782) for the records that a network promises, and a server.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::ask::{ask, socket_for};

/// Length of a message's header.
const HEADER: usize = 12;
/// A name has at most 127 labels. More labels and pointers mean a loop.
const MOST_LABELS: usize = 127;
const INTERNET: u16 = 1;

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of DNS")]
pub enum Kind {
    A = 1,
    Ptr = 12,
    Txt = 16,
    Aaaa = 28,
    Srv = 33,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name in question.
    pub name: String,
    /// The type of its records.
    pub kind: Kind,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An address: A or AAAA.
    Address(IpAddr),
    /// A name: PTR.
    Name(String),
    /// The strings of a TXT record, joined.
    Text(Vec<u8>),
    /// The place of a service: SRV.
    #[allow(missing_docs, reason = "the words of RFC 2782")]
    Service { priority: u16, weight: u16, port: u16, target: String },
}

impl Question {
    /// Asks for the address of a name, in the family of the given address.
    pub fn address(name: impl Into<String>, like: IpAddr) -> Self {
        Self { name: name.into(), kind: if like.is_ipv4() { Kind::A } else { Kind::Aaaa } }
    }

    /// Asks for the name of an address.
    pub fn pointer(address: IpAddr) -> Self {
        let name = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(v6) => {
                let nibbles = v6.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
                format!("{}ip6.arpa", nibbles.collect::<String>())
            }
        };
        Self { name, kind: Kind::Ptr }
    }

    /// Asks a server. `None` when it does not answer before the deadline; empty when it has no
    /// records.
    ///
    /// # Errors
    /// [`io::Error`] when our own kernel refuses to send.
    pub fn ask(&self, server: IpAddr, deadline: Instant) -> io::Result<Option<Vec<Record>>> {
        let socket = socket_for(server)?;
        socket.connect(SocketAddr::new(server, 53))?;
        let id = socket.local_addr()?.port();
        let message = self.message(id);
        match ask(&socket, deadline, || socket.send(&message).map(drop), |bytes| self.read(bytes, id)) {
            Err(error) if crate::ping::is_refusal(&error) => Ok(None),
            answer => answer,
        }
    }

    /// Asks a server over TCP. `None` when it does not answer before the deadline, or refuses the
    /// connection.
    ///
    /// # Errors
    /// [`io::Error`] when our own kernel refuses to send.
    pub fn ask_by_tcp(&self, server: IpAddr, deadline: Instant) -> io::Result<Option<Vec<Record>>> {
        match self.exchange(SocketAddr::new(server, 53), deadline) {
            Err(error) if crate::ping::is_refusal(&error) || is_late(&error) => Ok(None),
            answer => answer,
        }
    }

    fn exchange(&self, server: SocketAddr, deadline: Instant) -> io::Result<Option<Vec<Record>>> {
        let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let mut stream = TcpStream::connect_timeout(&server, left())?;
        stream.set_read_timeout(Some(left()))?;
        let id = stream.local_addr()?.port();
        let message = self.message(id);
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length[..], &message].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(self.read(&answer, id))
    }

    fn message(&self, id: u16) -> Vec<u8> {
        let mut message = id.to_be_bytes().to_vec();
        message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // recursion desired, one question
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            let label = &label.as_bytes()[..label.len().min(63)];
            message.push(u8::try_from(label.len()).expect("at most 63"));
            message.extend(label);
        }
        message.push(0);
        message.extend((self.kind as u16).to_be_bytes());
        message.extend(INTERNET.to_be_bytes());
        message
    }

    /// Parses the answers of this type, if the message answers this question.
    fn read(&self, message: &[u8], id: u16) -> Option<Vec<Record>> {
        let mut reader = Reader { message, at: 0 };
        let is_answer = reader.number()? == id && reader.number()? & 0x8000 != 0;
        let (questions, answers) = (reader.number()?, reader.number()?);
        reader.at = HEADER;
        for _ in 0..questions {
            reader.name()?;
            reader.bytes(4)?;
        }
        let mut records = Vec::new();
        for _ in 0..answers {
            reader.name()?;
            let kind = reader.number()?;
            reader.bytes(6)?;
            let length = usize::from(reader.number()?);
            let end = reader.at + length;
            if kind == self.kind as u16 {
                records.push(reader.record(self.kind, length)?);
            }
            reader.at = end;
        }
        is_answer.then_some(records)
    }
}

/// Whether nobody has answered in time.
fn is_late(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionReset, TimedOut, UnexpectedEof, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock | UnexpectedEof | ConnectionReset)
}

/// Answers a question for an address with `own`, and any other question without records.
pub fn answer(question: &[u8], own: IpAddr) -> Option<Vec<u8>> {
    let mut reader = Reader { message: question, at: HEADER };
    reader.name()?;
    let kind = reader.number()?;
    reader.bytes(2)?;
    let octets = match own {
        IpAddr::V4(v4) if kind == Kind::A as u16 => v4.octets().to_vec(),
        IpAddr::V6(v6) if kind == Kind::Aaaa as u16 => v6.octets().to_vec(),
        _ => Vec::new(),
    };
    let mut message = question.get(..reader.at)?.to_vec();
    message[2..HEADER].copy_from_slice(&[0x85, 0x80, 0, 1, 0, u8::from(!octets.is_empty()), 0, 0, 0, 0]);
    if !octets.is_empty() {
        message.extend([0xc0, HEADER as u8]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60, 0, octets.len() as u8]);
        message.extend(octets);
    }
    Some(message)
}

/// A position in a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.bytes(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn name(&mut self) -> Option<String> {
        let mut labels = Vec::new();
        let mut after = None;
        for _ in 0..=MOST_LABELS {
            match self.bytes(1)?[0] {
                0 => {
                    self.at = after.unwrap_or(self.at);
                    return Some(labels.join("."));
                }
                length @ 1..=63 => labels.push(String::from_utf8_lossy(self.bytes(length.into())?).into_owned()),
                high @ 0xc0.. => {
                    let low = self.bytes(1)?[0];
                    after = after.or(Some(self.at));
                    self.at = usize::from(high & 0x3f) << 8 | usize::from(low);
                }
                _ => return None,
            }
        }
        None
    }

    fn record(&mut self, kind: Kind, length: usize) -> Option<Record> {
        Some(match kind {
            Kind::A => Record::Address(IpAddr::from(*self.bytes(length)?.first_chunk::<4>()?)),
            Kind::Aaaa => Record::Address(IpAddr::from(*self.bytes(length)?.first_chunk::<16>()?)),
            Kind::Ptr => Record::Name(self.name()?),
            Kind::Txt => {
                let mut strings = self.bytes(length)?;
                let mut text = Vec::new();
                while let [length, rest @ ..] = strings {
                    let (string, rest) = rest.split_at_checked(usize::from(*length))?;
                    text.extend(string);
                    strings = rest;
                }
                Record::Text(text)
            }
            Kind::Srv => Record::Service {
                priority: self.number()?,
                weight: self.number()?,
                port: self.number()?,
                target: self.name()?,
            },
        })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::A => "A",
            Kind::Ptr => "PTR",
            Kind::Txt => "TXT",
            Kind::Aaaa => "AAAA",
            Kind::Srv => "SRV",
        };
        write!(f, "{kind} {}", self.name)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
            Self::Text(text) => write!(f, "{:?}", String::from_utf8_lossy(text)),
            Self::Service { priority, weight, port, target } => {
                write!(f, "{target}:{port} (priority {priority}, weight {weight})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(question: &Question, data: &[u8]) -> Vec<u8> {
        let mut message = question.message(7);
        message[2] = 0x80;
        message[7] = 1;
        message.extend([0xc0, 12]);
        message.extend((question.kind as u16).to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(data);
        message
    }

    fn question(name: &str, kind: Kind) -> Question {
        Question { name: name.to_owned(), kind }
    }

    #[test]
    fn answers_are_read() {
        let service = [0, 10, 0, 5, 1, 133, 3, b'd', b'i', b'r', 0xc0, 12];
        let target = "dir._ldap._tcp.lab".to_owned();
        let cases = [
            (question("dir.lab", Kind::A), vec![10, 0, 0, 9], Record::Address([10, 0, 0, 9].into())),
            (question("a.lab", Kind::Txt), b"\x02ab\x01c".to_vec(), Record::Text(b"abc".to_vec())),
            (
                question("_ldap._tcp.lab", Kind::Srv),
                service.to_vec(),
                Record::Service { priority: 10, weight: 5, port: 389, target },
            ),
        ];
        for (question, data, record) in cases {
            let message = reply(&question, &data);
            assert_eq!(question.read(&message, 7), Some(vec![record]));
            assert_eq!(question.read(&message, 8), None);
            (0..message.len()).for_each(|length| assert_eq!(question.read(&message[..length], 7), None));
        }
    }

    #[test]
    fn pointers_in_a_circle_end() {
        let question = question("x", Kind::Ptr);
        let at = u8::try_from(question.message(7).len() + 12).unwrap();
        assert_eq!(question.read(&reply(&question, &[0xc0, at]), 7), None);
        assert_eq!(question.read(&reply(&question, &[0xff, 0xff]), 7), None);
    }

    #[test]
    fn reverse_names() {
        assert_eq!(Question::pointer([192, 168, 122, 1].into()).name, "1.122.168.192.in-addr.arpa");
        let name = Question::pointer("2001:db8::1".parse().unwrap()).name;
        assert!(name.starts_with("1.0.0.0.") && name.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{name}");
    }

    #[test]
    fn what_we_answer_is_what_we_read() {
        let own: IpAddr = [198, 51, 100, 1].into();
        let asked = question("anything.example", Kind::A);
        let message = answer(&asked.message(7), own).unwrap();
        assert_eq!(asked.read(&message, 7), Some(vec![Record::Address(own)]));
        let other = question("anything.example", Kind::Txt);
        assert_eq!(other.read(&answer(&other.message(7), own).unwrap(), 7), Some(vec![]));
        assert_eq!(answer(&[0; 5], own), None);
    }
}
