//! Messages and attributes as bytes (netlink(7), `linux/netlink.h`).

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NetlinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use nix::libc::EBADMSG;

use crate::Refused;

/// Length of a message's header.
const HEADER: usize = 16;
/// The echo of the request in an answer is its header only (`NETLINK_CAP_ACK`).
const CAPPED: u16 = 0x100;
/// After the echo come attributes (`NETLINK_EXT_ACK`).
const ACK_TLVS: u16 = 0x200;
/// The attribute with the kernel's words.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// Flags of an attribute's type (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const TYPE_MASK: u16 = 0x3fff;

/// An attribute is made of attributes (`NLA_F_NESTED`).
const NESTED: u16 = 0x8000;

/// One message with its header, complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a>(pub(crate) &'a [u8]);

/// The bytes of a request. The transport fills in what is its own.
pub(crate) fn encode(message: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// A request written by hand: the fixed header of its kind, then attributes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: u16,
    bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(kind: u16, header: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.extend(header);
        Self { kind, bytes }
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(4 + value.len()).expect("attributes are short");
        self.bytes.extend([length.to_ne_bytes(), kind.to_ne_bytes()].concat());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an attribute that is made of attributes.
    pub(crate) fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.bytes.len();
        self = fill(self.with(kind | NESTED, &[]));
        let length = u16::try_from(self.bytes.len() - start).expect("attributes are short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Adds a string.
    pub(crate) fn with_text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), b"\0"].concat())
    }

    /// The bytes, with flags; the transport fills in what is its own.
    pub(crate) fn finish(mut self, flags: u16) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).expect("messages are short");
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes
    }
}

/// Puts flags and sequence number into a message's header.
pub(crate) fn stamp(message: &mut [u8], flags: u16, sequence: u32) {
    let flags = number16(&message[6..]).unwrap_or_default() | flags;
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// The messages of a datagram, or of a batch. One that is cut short is an error, and the last.
pub(crate) fn messages(bytes: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Refused>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = number32(rest).and_then(|length| {
            let length = usize::try_from(length).ok().filter(|length| *length >= HEADER)?;
            let message = rest.get(..length)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some(Message(message))
        });
        Some(message.ok_or_else(|| {
            rest = &[];
            Refused::from_errno(EBADMSG)
        }))
    })
}

impl<'a> Message<'a> {
    pub(crate) fn kind(self) -> u16 {
        u16::from_ne_bytes([self.0[4], self.0[5]])
    }

    pub(crate) fn flags(self) -> u16 {
        u16::from_ne_bytes([self.0[6], self.0[7]])
    }

    pub(crate) fn sequence(self) -> u32 {
        u32::from_ne_bytes([self.0[8], self.0[9], self.0[10], self.0[11]])
    }

    pub(crate) fn payload(self) -> &'a [u8] {
        &self.0[HEADER..]
    }

    /// The end of an answer, good or bad; `None` for a message in the middle.
    pub(crate) fn outcome(self) -> Option<Result<(), Refused>> {
        // The end of a list has the same number in front, but no echo. It may be empty.
        let echo = match self.kind() {
            NLMSG_ERROR if self.flags() & CAPPED != 0 => HEADER,
            NLMSG_ERROR => number32(self.payload().get(4..).unwrap_or_default()).unwrap_or_default() as usize,
            NLMSG_DONE => 0,
            _ => return None,
        };
        let errno = number32(self.payload()).unwrap_or_default().cast_signed().wrapping_neg();
        if errno == 0 {
            return Some(Ok(()));
        }
        let attributes = self.payload().get(4 + echo.next_multiple_of(4)..).filter(|_| self.flags() & ACK_TLVS != 0);
        let message = attributes.and_then(|attributes| attribute(attributes, NLMSGERR_ATTR_MSG)).map(text);
        Some(Err(Refused { sequence: None, errno, message }))
    }
}

/// The attributes in `bytes`, without the flags of their types.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(number16(rest)?);
        let kind = number16(rest.get(2..)?)? & TYPE_MASK;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The value of the first attribute of a kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(it, _)| *it == kind).map(|(_, value)| value)
}

/// A string, which has a NUL at its end.
pub(crate) fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(b"\0").unwrap_or(value)).into_owned()
}

pub(crate) fn number32(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

pub(crate) fn number16(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        bytes.extend([7u32.to_ne_bytes(), 0u32.to_ne_bytes()].concat());
        bytes.extend(payload);
        bytes
    }

    fn nack(echo: usize) -> Vec<u8> {
        let words = [&9u16.to_ne_bytes()[..], &NLMSGERR_ATTR_MSG.to_ne_bytes(), b"nope\0\0\0\0"].concat();
        let header = message(1, 0, &vec![0; echo - HEADER]);
        [&(-22i32).to_ne_bytes()[..], &header, &vec![0; echo.next_multiple_of(4) - echo], &words].concat()
    }

    #[rstest]
    #[case::ack(message(NLMSG_ERROR, CAPPED, &[0; 20]), Some(Ok(())))]
    #[case::done(message(NLMSG_DONE, 0, &[0; 4]), Some(Ok(())))]
    #[case::done_without_payload(message(NLMSG_DONE, 0, &[]), Some(Ok(())))]
    #[case::capped(message(NLMSG_ERROR, CAPPED | ACK_TLVS, &nack(16)), Some(Err(Some("nope"))))]
    #[case::whole_echo(message(NLMSG_ERROR, ACK_TLVS, &nack(21)), Some(Err(Some("nope"))))]
    #[case::silent(message(NLMSG_ERROR, CAPPED, &nack(16)), Some(Err(None)))]
    #[case::reply(message(16, 0, &[0; 4]), None)]
    fn outcomes(#[case] bytes: Vec<u8>, #[case] expected: Option<Result<(), Option<&str>>>) {
        let expected = expected
            .map(|it| it.map_err(|words| Refused { sequence: None, errno: 22, message: words.map(str::to_owned) }));
        assert_eq!(Message(&bytes).outcome(), expected);
    }

    #[rstest]
    #[case::none(&[], &[])]
    #[case::two(&[message(1, 0, &[1]), vec![0; 3], message(2, 0, &[])].concat(), &[Some(1), Some(2)])]
    #[case::unpadded_end(&message(1, 0, &[1]), &[Some(1)])]
    #[case::short_header(&[16, 0], &[None])]
    #[case::short_message(&message(1, 0, &[1; 8])[..20], &[None])]
    #[case::length_below_header(&[0; 32], &[None])]
    fn datagrams(#[case] bytes: &[u8], #[case] kinds: &[Option<u16>]) {
        assert_eq!(messages(bytes).map(|it| it.ok().map(Message::kind)).collect::<Vec<_>>(), kinds);
    }

    #[test]
    fn attributes_end_where_they_are_cut() {
        let good = [&5u16.to_ne_bytes()[..], &0x8003u16.to_ne_bytes(), &[42, 0, 0, 0]].concat();
        let bytes = [&good[..], &[200, 0, 1, 0, 9]].concat();
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [(3, &[42][..])]);
        assert_eq!(attribute(&bytes, 3), Some(&[42][..]));
        assert_eq!(attribute(&[3, 0, 1, 0], 1), None, "a length below its own header");
    }
}
