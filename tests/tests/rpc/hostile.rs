//! What no client sends.

use vnet_rpc::{Call, Frame, FrameHeader, NetworkRef, REMOTE_PROGRAM, Reply, TypedParameter, TypedValue};
use vnet_tests::isolate;

use crate::lab::{Client, SOCKET, Server, answer};

const LAB: &str = "<network><name>lab</name><bridge name='virbr7'/></network>";

/// Frames that are wrong in each place get an answer, or end their connection, and no other one.
#[test]
fn wrong_messages_disturb_nobody() {
    isolate!();
    let _server = Server::start();
    let mut witness = Client::open();
    let lab = witness.define(LAB);
    let good = Frame::new(FrameHeader::call(43, 7), Call::NetworkGetXmlDesc { network: lab, flags: 0 }.to_payload());
    let good = good.to_bytes().unwrap();
    let mut client = Client::open();
    for at in 0..good.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            client.send(&bytes);
            // A call that changes nothing shows whether the connection lives.
            let alive = Call::ConnectGetType {};
            let marker = Frame::new(FrameHeader::call(alive.procedure().number(), u32::MAX), alive.to_payload());
            // A length that is too long takes the marker as its rest.
            if at < 4 {
                client = Client::open();
                continue;
            }
            client.send(&marker.to_bytes().unwrap());
            loop {
                match client.receive() {
                    Some(frame) if frame.header.serial == u32::MAX && frame.header.program == REMOTE_PROGRAM => break,
                    Some(_) => {}
                    None => {
                        client = Client::open();
                        break;
                    }
                }
            }
        }
    }
    assert_eq!(witness.done(&Call::ConnectNumOfDefinedNetworks {}), Reply::Int { value: 1 });
}

#[test]
fn long_messages_are_refused_and_passed_over() {
    isolate!();
    let _server = Server::start();
    let mut client = Client::open();
    let long = Call::NetworkDefineXml { xml: "x".repeat(5_000_000) };
    let refused = client.call(&long).unwrap_err();
    assert_eq!((refused.code, refused.domain), (39, 7));
    assert_eq!(client.done(&Call::ConnectNumOfNetworks {}), Reply::Int { value: 0 });
}

#[test]
fn pipelined_calls_are_answered_in_order() {
    isolate!();
    let _server = Server::start();
    let mut client = Client::open();
    for serial in 100..150 {
        let call = Call::ConnectNumOfNetworks {};
        let frame = Frame::new(FrameHeader::call(call.procedure().number(), serial), call.to_payload());
        client.send(&frame.to_bytes().unwrap());
    }
    for serial in 100..150 {
        let reply = client.receive().unwrap();
        assert_eq!(reply.header.serial, serial);
        assert_eq!(answer(&reply), Ok(Reply::Int { value: 0 }));
    }
}

/// A read-only socket stays so, whatever a client says.
#[test]
fn nothing_is_changed_on_a_read_only_socket() {
    isolate!();
    let _server = Server::start();
    let lab = Client::open().define(LAB);
    let mut client = Client::reader();
    // It is taken, as by libvirt, and not believed.
    let root = TypedParameter { field: "unix-user-id".to_owned(), value: TypedValue::ULLong(0) };
    client.done(&Call::ConnectSetIdentity { parameters: vec![root], flags: 0 });
    let refused = client.call(&Call::NetworkUndefine { network: lab.clone() }).unwrap_err();
    assert_eq!(refused.message.as_deref(), Some("operation forbidden: read only access prevents virNetworkUndefine"));
    let network = NetworkRef { name: String::new(), ..lab };
    assert_eq!(client.done(&Call::NetworkIsPersistent { network }), Reply::Int { value: 1 });
    let mut client = Client::connect(SOCKET);
    client.done(&Call::ConnectOpen { uri: Some("network:///system".to_owned()), flags: 1 });
    assert_eq!(client.call(&Call::NetworkDefineXml { xml: LAB.to_owned() }).unwrap_err().code, 29);
}
