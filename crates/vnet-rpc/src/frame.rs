//! Frames: a length, a header of six words, a payload.

use crate::xdr::{Xdr, XdrError};

/// The program of libvirt's drivers.
pub const REMOTE_PROGRAM: u32 = 0x2000_8086;
/// The program that finds out whether the other side still lives.
pub const KEEPALIVE_PROGRAM: u32 = 0x6b65_6570;
/// Procedure 1 of [`KEEPALIVE_PROGRAM`]: asks for a pong.
pub const PING: i32 = 1;
/// Procedure 2 of [`KEEPALIVE_PROGRAM`]: answers a ping.
pub const PONG: i32 = 2;
/// The version of both programs.
pub const PROGRAM_VERSION: u32 = 1;

/// The bytes of a frame before its payload, with the length.
pub const HEADER_LENGTH: usize = 28;
/// The longest frame, without its length.
pub const FRAME_MAX: usize = 32 * 1024 * 1024;

/// The types of a message that a network driver knows.
pub mod message_type {
    /// A call.
    pub const CALL: i32 = 0;
    /// A reply to a call.
    pub const REPLY: i32 = 1;
    /// An event, a ping or a pong.
    pub const MESSAGE: i32 = 2;
}

/// The status of a message.
pub mod status {
    /// The payload is what was asked for.
    pub const OK: i32 = 0;
    /// The payload is an error.
    pub const ERROR: i32 = 1;
}

/// What a frame says before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The program that the procedure belongs to.
    pub program: u32,
    /// The version of the program.
    pub version: u32,
    /// The number of the procedure.
    pub procedure: i32,
    /// Call, reply or event: one of [`message_type`].
    pub message_type: i32,
    /// The caller's number for the call. A reply repeats it.
    pub serial: u32,
    /// Whether it went well: one of [`status`].
    pub status: i32,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub header: FrameHeader,
    /// Arguments, results, an event or an error.
    pub payload: Vec<u8>,
}

impl FrameHeader {
    /// The header of a call to the drivers' program.
    pub fn call(procedure: i32, serial: u32) -> Self {
        Self {
            program: REMOTE_PROGRAM,
            version: PROGRAM_VERSION,
            procedure,
            message_type: message_type::CALL,
            serial,
            status: status::OK,
        }
    }

    /// The header of the reply to this call.
    #[must_use]
    pub fn reply(self, status: i32) -> Self {
        Self { message_type: message_type::REPLY, status, ..self }
    }

    /// The header of an event. libvirt gives them the serial 1.
    pub fn event(procedure: i32) -> Self {
        Self { message_type: message_type::MESSAGE, ..Self::call(procedure, 1) }
    }

    /// The header of a ping or pong.
    pub fn keepalive(procedure: i32) -> Self {
        Self { program: KEEPALIVE_PROGRAM, message_type: message_type::MESSAGE, ..Self::call(procedure, 0) }
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`XdrError::Short`] when there are fewer than six words.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, XdrError> {
        let bytes = &mut bytes;
        Ok(Self {
            program: Xdr::decode(bytes)?,
            version: Xdr::decode(bytes)?,
            procedure: Xdr::decode(bytes)?,
            message_type: Xdr::decode(bytes)?,
            serial: Xdr::decode(bytes)?,
            status: Xdr::decode(bytes)?,
        })
    }
}

impl Frame {
    /// Puts a frame together.
    pub fn new(header: FrameHeader, payload: Vec<u8>) -> Self {
        Self { header, payload }
    }

    /// The bytes of the frame with its length. `None` when it is longer than [`FRAME_MAX`].
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let length = HEADER_LENGTH + self.payload.len();
        if length - 4 > FRAME_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(length);
        u32::try_from(length).ok()?.encode(&mut bytes);
        let FrameHeader { program, version, procedure, message_type, serial, status } = self.header;
        program.encode(&mut bytes);
        version.encode(&mut bytes);
        procedure.encode(&mut bytes);
        message_type.encode(&mut bytes);
        serial.encode(&mut bytes);
        status.encode(&mut bytes);
        bytes.extend_from_slice(&self.payload);
        Some(bytes)
    }
}

/// Reads the length of a frame: the number of bytes that follow the length itself. `None` when no
/// frame can have it; then the connection is of no more use.
pub fn frame_length(word: [u8; 4]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(word)).ok()?.checked_sub(4)?;
    (HEADER_LENGTH - 4..=FRAME_MAX).contains(&length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, None)]
    #[case(3, None)]
    #[case(27, None)]
    #[case(28, Some(24))]
    #[case(0x0200_0004, Some(0x0200_0000))]
    #[case(0x0200_0005, None)]
    #[case(u32::MAX, None)]
    fn limits_the_length(#[case] word: u32, #[case] length: Option<usize>) {
        assert_eq!(frame_length(word.to_be_bytes()), length);
    }
}
