//! What real clients and libvirt's server said to each other is read, and written as it was.

use std::path::PathBuf;

use rstest::rstest;
use vnet_rpc::{
    Call, Frame, FrameHeader, HEADER_LENGTH, KEEPALIVE_PROGRAM, Procedure, REMOTE_PROGRAM, RemoteError, RemoteEvent,
    Reply, Xdr, XdrError, frame_length, message_type, status,
};

/// Recordings with frames that are written in another way than ours: go-libvirt says "present" with
/// the number 0x01000000, and the rest are wrong on purpose.
const UNUSUAL: [&str; 3] = ["session.rec", "go-libvirt-style-open.rec", "qemu-uri.rec"];

/// Calls of other drivers, and those that a network driver does not support.
fn is_foreign(header: &FrameHeader) -> bool {
    header.program != REMOTE_PROGRAM || Procedure::from_number(header.procedure).is_none()
}

fn frames(recording: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    recording.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let side = words.next()?;
        let hex = words.nth(1).filter(|hex| matches!(side, "C" | "S") && *hex != "EOF")?;
        let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
        Some(pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect())
    })
}

/// The payload as it would be written after it was read.
fn again(header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, XdrError> {
    if header.program == KEEPALIVE_PROGRAM {
        return Ok(Vec::new());
    }
    if header.message_type == message_type::MESSAGE {
        let event = RemoteEvent::from_payload(header.procedure, payload)?;
        return Ok(event.expect("an event of networks").to_payload());
    }
    if header.status == status::ERROR {
        let mut bytes = Vec::new();
        RemoteError::decode(&mut &payload[..])?.encode(&mut bytes);
        return Ok(bytes);
    }
    let procedure = Procedure::from_number(header.procedure).expect("one of ours");
    match header.message_type {
        message_type::CALL => Call::from_payload(procedure, payload).map(|call| call.to_payload()),
        _ => Reply::from_payload(procedure, payload).map(|reply| reply.to_payload()),
    }
}

#[rstest]
fn what_was_said_is_read_and_written(#[files("../../testdata/rpc/*/*.rec")] path: PathBuf) {
    let recording = read(&path);
    let is_unusual = path.file_name().is_some_and(|name| UNUSUAL.iter().any(|unusual| name == *unusual));
    let mut count = 0;
    for bytes in frames(&recording) {
        let (word, rest) = bytes.split_first_chunk().expect("a length");
        if frame_length(*word) != Some(rest.len()) {
            assert!(path.to_string_lossy().contains("/len-"), "{}: a frame of a wrong length", path.display());
            continue;
        }
        count += 1;
        let header = FrameHeader::from_bytes(rest).expect("a header");
        let payload = &bytes[HEADER_LENGTH..];
        if header.status == status::OK && is_foreign(&header) && header.program != KEEPALIVE_PROGRAM
            || header.message_type > message_type::MESSAGE
        {
            continue;
        }
        let again = again(&header, payload);
        if is_unusual {
            assert!(matches!(again, Ok(_) | Err(XdrError::Nul)), "{header:?}: {again:?}");
            continue;
        }
        let again = Frame::new(header, again.unwrap_or_else(|error| panic!("{header:?}: {error}")));
        assert_eq!(again.to_bytes().as_deref(), Some(&bytes[..]), "{header:?}");
    }
    assert!(count > 1, "no frame");
}

#[expect(clippy::disallowed_methods, reason = "the test reads its data")]
fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("a recording")
}
