//! Every value that is written reads back the same, and no bytes make the reader fail badly.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use vnet_rpc::{
    Call, Frame, FrameHeader, GuestRef, NetworkRef, PortRef, Procedure, RemoteError, RemoteEvent, RemoteLease, Reply,
    TypedParameter, TypedValue, Uuid, Xdr, frame_length,
};

/// A text without NUL, of any length modulo 4.
fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,9}"
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid)
}

fn network() -> impl Strategy<Value = NetworkRef> {
    (text(), uuid()).prop_map(|(name, uuid)| NetworkRef { name, uuid })
}

fn port() -> impl Strategy<Value = PortRef> {
    (network(), uuid()).prop_map(|(network, uuid)| PortRef { network, uuid })
}

fn parameter() -> impl Strategy<Value = TypedParameter> {
    let value = prop_oneof![
        any::<i32>().prop_map(TypedValue::Int),
        any::<u32>().prop_map(TypedValue::UInt),
        any::<i64>().prop_map(TypedValue::LLong),
        any::<u64>().prop_map(TypedValue::ULLong),
        any::<f64>().prop_map(TypedValue::Double),
        any::<i32>().prop_map(TypedValue::Boolean),
        text().prop_map(TypedValue::String),
    ];
    (text(), value).prop_map(|(field, value)| TypedParameter { field, value })
}

fn lease() -> impl Strategy<Value = RemoteLease> {
    let texts = (text(), option::of(text()), option::of(text()), text(), option::of(text()), option::of(text()));
    (texts, any::<i64>(), any::<i32>(), any::<u32>()).prop_map(|(texts, expiry, family, prefix)| {
        let (interface, mac, iaid, ip, hostname, client_id) = texts;
        RemoteLease { interface, expiry, family, mac, iaid, ip, prefix, hostname, client_id }
    })
}

fn error() -> impl Strategy<Value = RemoteError> {
    let guest = (text(), uuid(), any::<i32>()).prop_map(|(name, uuid, id)| GuestRef { name, uuid, id });
    let texts = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    (texts, any::<[i32; 5]>(), option::of(guest), option::of(network())).prop_map(|(texts, numbers, guest, network)| {
        let (message, str1, str2, str3) = texts;
        let [code, domain, level, int1, int2] = numbers;
        RemoteError { code, domain, message, level, guest, str1, str2, str3, int1, int2, network }
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        Just(Reply::Nothing {}),
        any::<i32>().prop_map(|value| Reply::Int { value }),
        any::<u64>().prop_map(|value| Reply::Hyper { value }),
        vec(any::<i32>(), 0..20).prop_map(|values| Reply::Ints { values }),
        text().prop_map(|text| Reply::Text { text }),
        vec(text(), 0..9).prop_map(|texts| Reply::Texts { texts }),
        network().prop_map(|network| Reply::Network { network }),
        (vec(network(), 0..9), any::<u32>()).prop_map(|(networks, count)| Reply::Networks { networks, count }),
        (vec(lease(), 0..9), any::<u32>()).prop_map(|(leases, count)| Reply::Leases { leases, count }),
        port().prop_map(|port| Reply::Port { port }),
        (vec(port(), 0..9), any::<u32>()).prop_map(|(ports, count)| Reply::Ports { ports, count }),
        (vec(parameter(), 0..9), any::<i32>()).prop_map(|(parameters, count)| Reply::Parameters { parameters, count }),
    ]
}

fn event() -> impl Strategy<Value = RemoteEvent> {
    prop_oneof![
        (network(), any::<[i32; 3]>()).prop_map(|(network, [callback_id, event, detail])| {
            RemoteEvent::Lifecycle { callback_id, network, event, detail }
        }),
        (network(), option::of(text()), any::<[i32; 2]>()).prop_map(|(network, uri, [callback_id, kind])| {
            RemoteEvent::MetadataChange { callback_id, network, kind, uri }
        }),
        any::<i32>().prop_map(|reason| RemoteEvent::ConnectionClosed { reason }),
    ]
}

/// Calls with every kind of argument. The arguments of the others are among these.
fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (option::of(text()), any::<u32>()).prop_map(|(uri, flags)| Call::ConnectOpen { uri, flags }),
        text().prop_map(|name| Call::NetworkLookupByName { name }),
        uuid().prop_map(|uuid| Call::NetworkLookupByUuid { uuid }),
        (network(), any::<[u32; 3]>(), any::<i32>(), text()).prop_map(|(network, numbers, parent_index, xml)| {
            let [command, section, flags] = numbers;
            Call::NetworkUpdate { network, command, section, parent_index, xml, flags }
        }),
        (any::<i32>(), option::of(network()))
            .prop_map(|(event_id, network)| Call::ConnectNetworkEventRegisterAny { event_id, network }),
        (port(), vec(parameter(), 0..16), any::<u32>())
            .prop_map(|(port, parameters, flags)| Call::NetworkPortSetParameters { port, parameters, flags }),
        (network(), any::<i32>(), option::of(text()), option::of(text()), option::of(text()), any::<u32>()).prop_map(
            |(network, kind, metadata, key, uri, flags)| {
                Call::NetworkSetMetadata { network, kind, metadata, key, uri, flags }
            }
        ),
    ]
}

proptest! {
    #[test]
    fn calls_read_back(call in call(), trailing in vec(any::<u8>(), 0..9)) {
        let bytes = [call.to_payload(), trailing].concat();
        prop_assert_eq!(Call::from_payload(call.procedure(), &bytes), Ok(call));
    }

    /// Each payload is read by a procedure that returns such a thing.
    #[test]
    fn replies_read_back(reply in reply()) {
        let bytes = reply.to_payload();
        let read = Procedure::ALL.iter().any(|procedure| Reply::from_payload(*procedure, &bytes).as_ref() == Ok(&reply));
        prop_assert!(read, "{:?}", reply);
    }

    #[test]
    fn events_read_back(event in event()) {
        prop_assert_eq!(RemoteEvent::from_payload(event.number(), &event.to_payload()), Ok(Some(event)));
    }

    #[test]
    fn errors_read_back(error in error()) {
        let mut bytes = Vec::new();
        error.encode(&mut bytes);
        prop_assert_eq!(RemoteError::decode(&mut &bytes[..]), Ok(error));
    }

    #[test]
    fn frames_read_back(numbers: [i32; 3], serial: u32, payload in vec(any::<u8>(), 0..99)) {
        let [procedure, message_type, status] = numbers;
        let header = FrameHeader { message_type, status, ..FrameHeader::call(procedure, serial) };
        let bytes = Frame::new(header, payload.clone()).to_bytes().unwrap();
        let (word, rest) = bytes.split_first_chunk().unwrap();
        prop_assert_eq!(frame_length(*word), Some(rest.len()));
        prop_assert_eq!(FrameHeader::from_bytes(rest), Ok(header));
        prop_assert_eq!(&rest[24..], &payload[..]);
    }

    /// A value that is read prints as bytes that read back as the same value, as far as numbers
    /// compare at all.
    #[test]
    fn any_bytes_are_read_or_refused(words in vec(prop_oneof![0u32..9, any::<u32>()], 0..40)) {
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        for procedure in Procedure::ALL {
            if let Ok(call) = Call::from_payload(*procedure, &bytes) {
                let printed = call.to_payload();
                let again = Call::from_payload(*procedure, &printed).map(|call| call.to_payload());
                prop_assert_eq!(again, Ok(printed));
            }
            if let Ok(reply) = Reply::from_payload(*procedure, &bytes) {
                let printed = reply.to_payload();
                let again = Reply::from_payload(*procedure, &printed).map(|reply| reply.to_payload());
                prop_assert_eq!(again, Ok(printed));
            }
        }
    }
}

/// A claimed length of 16,384 names in a message of eight bytes allocates nothing and is refused.
#[test]
fn claims_without_values_are_refused() {
    let bytes = [0, 0, 0x40, 0, 0, 0x3f, 0xff, 0xff];
    assert!(Reply::from_payload(Procedure::ConnectListNetworks, &bytes).is_err());
}

/// Numbers as the protocol has them, so that nothing renumbers them unseen.
#[test]
fn procedures_have_libvirt_s_numbers() {
    let numbers: Vec<i32> = Procedure::ALL.iter().map(|procedure| procedure.number()).collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.len(), 45, "44 procedures and AUTH_POLKIT");
    assert_eq!(Procedure::from_number(291), Some(Procedure::NetworkUpdate));
    assert_eq!(Procedure::from_number(315), None, "an event is not called");
}
