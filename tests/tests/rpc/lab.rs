//! A server in the test's own process, and a client that sends what it is told.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use vnet_driver::Driver;
use vnet_rpc::{
    Call, Frame, FrameHeader, HEADER_LENGTH, NetworkRef, Procedure, RemoteError, Reply, Xdr, frame_length, status,
};
use vnetd::{RpcServer, RpcSocket};

/// Where libvirt's clients look for the network driver.
pub(crate) const SOCKET: &str = "/run/libvirt/virtnetworkd-sock";
pub(crate) const READ_ONLY: &str = "/run/libvirt/virtnetworkd-sock-ro";
const SOON: Duration = Duration::from_secs(8);

/// The server, while the value lives.
pub(crate) struct Server {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the networks of the test's `/run/vnet`.
    pub(crate) fn start() -> Self {
        fs::create_dir_all("/run/libvirt").unwrap();
        let server = RpcServer::of_system(Driver::open("/run/vnet").unwrap()).unwrap();
        let listen = |path| UnixListener::bind(path).unwrap();
        let server = server.with_socket(RpcSocket::new(listen(SOCKET), false));
        let server = server.with_socket(RpcSocket::new(listen(READ_ONLY), true));
        let (stop, stopped) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || server.run(&stopped).unwrap());
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.write_all(b"!").unwrap();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
        let _ = [SOCKET, READ_ONLY].map(fs::remove_file);
    }
}

/// One connection.
pub(crate) struct Client {
    stream: UnixStream,
    serial: u32,
}

impl Client {
    pub(crate) fn connect(path: &str) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self { stream, serial: 0 }
    }

    /// A connection on which networks can be changed.
    pub(crate) fn open() -> Self {
        let mut client = Self::connect(SOCKET);
        let uri = Some("network:///system".to_owned());
        assert_eq!(client.call(&Call::ConnectOpen { uri, flags: 0 }), Ok(Reply::Nothing {}));
        client
    }

    /// A connection on which networks can only be read.
    pub(crate) fn reader() -> Self {
        let mut client = Self::connect(READ_ONLY);
        client.done(&Call::ConnectOpen { uri: Some("network:///system".to_owned()), flags: 0 });
        client
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A server that has closed the connection is seen by who reads.
        let _ = self.stream.write_all(bytes);
    }

    /// The next message. `None` when the server has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; HEADER_LENGTH];
        self.stream.read_exact(&mut head).ok()?;
        let length = frame_length(*head.first_chunk().unwrap()).unwrap() - (HEADER_LENGTH - 4);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        Some(Frame::new(FrameHeader::from_bytes(&head[4..]).unwrap(), payload))
    }

    /// Calls, and waits for the reply. Events before it are passed over.
    pub(crate) fn call(&mut self, call: &Call) -> Result<Reply, RemoteError> {
        self.serial += 1;
        let frame = Frame::new(FrameHeader::call(call.procedure().number(), self.serial), call.to_payload());
        self.send(&frame.to_bytes().unwrap());
        loop {
            let reply = self.receive().expect("a reply");
            if reply.header.message_type == vnet_rpc::message_type::REPLY {
                assert_eq!(reply.header.serial, self.serial);
                return answer(&reply);
            }
        }
    }

    /// Calls, which has to succeed.
    pub(crate) fn done(&mut self, call: &Call) -> Reply {
        self.call(call).unwrap_or_else(|error| panic!("{call:?}: {:?}", error.message))
    }

    /// Defines a network.
    pub(crate) fn define(&mut self, xml: &str) -> NetworkRef {
        match self.done(&Call::NetworkDefineXml { xml: xml.to_owned() }) {
            Reply::Network { network } => network,
            other => panic!("{other:?}"),
        }
    }
}

/// What a reply says.
pub(crate) fn answer(reply: &Frame) -> Result<Reply, RemoteError> {
    if reply.header.status == status::ERROR {
        return Err(RemoteError::decode(&mut &reply.payload[..]).unwrap());
    }
    let procedure = Procedure::from_number(reply.header.procedure).expect("one of ours");
    Ok(Reply::from_payload(procedure, &reply.payload).unwrap())
}
