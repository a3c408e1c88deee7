//! A cable between a guest's network and passt: frames of a veth pair, each after its length (4 bytes, big endian), in a
//! stream. QEMU's `-netdev stream` speaks the same. The guest is a network namespace, so its stack is a real one.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recv, sendto, socket};
use vnet_netlink::Netlink;
use vnet_tests::{Netns, run};

/// The far end of a guest's cable: alone in a namespace, so that a socket for every device hears this one only.
pub(crate) struct Jack {
    netns: Netns,
    address: LinkAddr,
}

/// A plugged cable; it is pulled when the value is dropped.
pub(crate) struct Cable(Arc<UnixStream>);

impl Jack {
    /// Puts `eth0` into the guest.
    pub(crate) fn new(guest: &Netns, mac: &str) -> Self {
        let netns = Netns::new();
        let address = netns.run(|| {
            run("ip", &["link", "add", "jack", "type", "veth", "peer", "name", "eth0"]);
            // What this end has to say of itself would reach passt as the guest's.
            run("ip", &["link", "set", "jack", "addrgenmode", "none"]);
            run("ip", &["link", "set", "jack", "arp", "off", "up"]);
            // Frames of one segment, as a network card sends them.
            run("ip", &["link", "set", "eth0", "gso_max_size", "1400", "address", mac]);
            let mut addresses = getifaddrs().unwrap().filter(|it| it.interface_name == "jack");
            addresses.find_map(|it| it.address?.as_link_addr().copied()).unwrap()
        });
        netns.run(|| {
            let netlink = Netlink::open().unwrap();
            let link = netlink.link(&"eth0".parse().unwrap()).unwrap().unwrap();
            netlink.move_to_namespace(link.index, guest.file()).unwrap();
        });
        guest.run(|| run("ip", &["link", "set", "eth0", "up"]));
        Self { netns, address }
    }

    /// Plugs it into passt.
    pub(crate) fn plug(&self, passt: &Path) -> io::Result<Cable> {
        let stream = Arc::new(UnixStream::connect(passt)?);
        let wire = self
            .netns
            .run(|| socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll))?;
        let (wire, to) = (Arc::new(wire), self.address);
        let (own_wire, own_stream) = (Arc::clone(&wire), Arc::clone(&stream));
        thread::spawn(move || -> io::Result<()> {
            let mut frame = vec![0; 1 << 16];
            loop {
                let mut length = [0; 4];
                (&*own_stream).read_exact(&mut length)?;
                let frame = &mut frame[..u32::from_be_bytes(length) as usize];
                (&*own_stream).read_exact(frame)?;
                // A frame that the guest has no room for is lost, as on any cable.
                let _ = sendto(own_wire.as_raw_fd(), frame, &to, MsgFlags::empty());
            }
        });
        // The socket has room for a few frames only, so they are taken from it at once.
        let (sender, frames) = channel();
        thread::spawn(move || -> io::Result<()> {
            let mut frame = vec![0; 1 << 17];
            loop {
                let length = recv(wire.as_raw_fd(), &mut frame, MsgFlags::empty())?;
                let Ok(()) = sender.send(frame[..length].to_vec()) else { return Ok(()) };
            }
        });
        let own_stream = Arc::clone(&stream);
        thread::spawn(move || -> io::Result<()> {
            for frame in frames {
                let length = u32::try_from(frame.len()).expect("a frame is short").to_be_bytes();
                (&*own_stream).write_all(&[&length, &frame[..]].concat())?;
            }
            Ok(())
        });
        Ok(Cable(stream))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
