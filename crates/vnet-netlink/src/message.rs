//! Messages and attributes as bytes (netlink(7), `linux/netlink.h`).

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NetlinkMessage};
use netlink_packet_route::RouteNetlinkMessage;
use nix::libc::EBADMSG;
use vnet_nlattr::{MESSAGE_HEADER as HEADER, Writer, write_message};

use crate::Refused;

pub(crate) use vnet_nlattr::{attribute, attributes, text};

/// An acknowledgement repeats only the header of the request (`NETLINK_CAP_ACK`).
const CAPPED: u16 = 0x100;
/// Attributes follow it (`NETLINK_EXT_ACK`).
const ACK_TLVS: u16 = 0x200;
/// The attribute with the kernel's explanation.
const NLMSGERR_ATTR_MSG: u16 = 1;
/// One message with its header, complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a>(pub(crate) &'a [u8]);

/// The bytes of a request. The transport adds flags and sequence number.
pub(crate) fn encode(message: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// A request written by hand: the fixed part of its kind, then attributes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: u16,
    bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn new(kind: u16, fixed: &[u8]) -> Self {
        Self { kind, bytes: fixed.to_vec() }
    }

    /// Adds an attribute.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        Writer::new(&mut self.bytes).bytes(kind, value);
        self
    }

    /// Adds an attribute that contains attributes.
    pub(crate) fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let inner = fill(Self { kind, bytes: Vec::new() });
        Writer::new(&mut self.bytes).nest(kind, |nested| nested.raw(&inner.bytes));
        self
    }

    /// Adds a string.
    pub(crate) fn with_text(mut self, kind: u16, text: &str) -> Self {
        Writer::new(&mut self.bytes).text(kind, text);
        self
    }

    /// The bytes, with flags; the transport fills in its own part of the header.
    pub(crate) fn finish(self, flags: u16) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEADER + self.bytes.len());
        write_message(&mut message, self.kind, flags, 0, &self.bytes, |_| {});
        message
    }
}

/// Puts flags and sequence number into a message's header.
pub(crate) fn stamp(message: &mut [u8], flags: u16, sequence: u32) {
    let flags = number16(&message[6..]).unwrap_or_default() | flags;
    message[6..8].copy_from_slice(&flags.to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// The messages of a datagram or a batch. A message that is cut short gives an error and ends the
/// list.
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

    /// The result, if this message ends an answer; `None` for a message in the middle.
    pub(crate) fn outcome(self) -> Option<Result<(), Refused>> {
        // The end of a list begins with the same number, without the repeated header. It may be
        // empty.
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
        let message = attributes
            .and_then(|attributes| attribute(attributes, NLMSGERR_ATTR_MSG))
            .and_then(text)
            .map(str::to_owned);
        Some(Err(Refused { sequence: None, errno, message }))
    }
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
}
