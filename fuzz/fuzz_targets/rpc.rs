//! Frames of libvirt's remote protocol: what is read is written, and that is read as the same. What
//! is allocated is bounded by the bytes that are there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vnet_rpc::{Call, FrameHeader, Procedure, RemoteError, RemoteEvent, Reply, Xdr, frame_length};

fuzz_target!(|bytes: &[u8]| {
    let Some((word, rest)) = bytes.split_first_chunk() else { return };
    let _ = frame_length(*word);
    let Ok(header) = FrameHeader::from_bytes(rest) else { return };
    let payload = &rest[24..];
    // Procedures are few: most numbers mean one of them.
    let at = usize::try_from(header.procedure.unsigned_abs()).unwrap_or(0) % Procedure::ALL.len();
    let procedure = Procedure::from_number(header.procedure).unwrap_or(Procedure::ALL[at]);
    if let Ok(call) = Call::from_payload(procedure, payload) {
        let printed = call.to_payload();
        let again = Call::from_payload(procedure, &printed).expect("a call that was written");
        assert_eq!(again.to_payload(), printed);
    }
    if let Ok(reply) = Reply::from_payload(procedure, payload) {
        let printed = reply.to_payload();
        let again = Reply::from_payload(procedure, &printed).expect("a reply that was written");
        assert_eq!(again.to_payload(), printed);
    }
    if let Ok(Some(event)) = RemoteEvent::from_payload(header.procedure, payload) {
        let again = RemoteEvent::from_payload(event.number(), &event.to_payload());
        assert_eq!(again, Ok(Some(event)));
    }
    if let Ok(error) = RemoteError::decode(&mut &*payload) {
        let mut printed = Vec::new();
        error.encode(&mut printed);
        assert_eq!(RemoteError::decode(&mut &printed[..]), Ok(error));
    }
});
