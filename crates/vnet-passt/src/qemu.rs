//! How QEMU and other hypervisors connect a guest to passt.

use std::path::Path;

use vnet_types::MacAddr;

use crate::Connection;

/// The arguments for QEMU that give a guest its network card: `-netdev` or `-chardev`, and `-device`.
///
/// With [`Connection::VhostUser`] the guest's memory has to be shared besides: [`SHARED_MEMORY`] with its size. `id` tells
/// several cards of a guest apart.
///
/// ```
/// use vnet_passt::{Connection, qemu};
///
/// let arguments = qemu::arguments(Connection::Stream, "/run/user/1000/vm/passt.socket".as_ref(), None, "net0");
/// assert_eq!(
///     arguments,
///     [
///         "-netdev",
///         "stream,id=net0,server=off,addr.type=unix,addr.path=/run/user/1000/vm/passt.socket",
///         "-device",
///         "virtio-net-pci,netdev=net0"
///     ]
/// );
/// ```
pub fn arguments(connection: Connection, socket: &Path, mac: Option<MacAddr>, id: &str) -> Vec<String> {
    // QEMU takes a comma that is doubled for one that separates nothing.
    let path = socket.to_string_lossy().replace(',', ",,");
    let mac = mac.map(|mac| format!(",mac={mac}")).unwrap_or_default();
    let device = format!("virtio-net-pci,netdev={id}{mac}");
    let words: Vec<String> = match connection {
        Connection::Stream => {
            vec!["-netdev".to_owned(), format!("stream,id={id},server=off,addr.type=unix,addr.path={path}")]
        }
        Connection::VhostUser => vec![
            "-chardev".to_owned(),
            format!("socket,id=char-{id},path={path}"),
            "-netdev".to_owned(),
            format!("vhost-user,id={id},chardev=char-{id}"),
        ],
    };
    words.into_iter().chain(["-device".to_owned(), device]).collect()
}

/// What shares a guest's memory of 1 GiB with passt; write the guest's own size.
pub const SHARED_MEMORY: [&str; 4] =
    ["-object", "memory-backend-memfd,id=mem,size=1G,share=on", "-numa", "node,memdev=mem"];

/// What cloud-hypervisor is told to connect a guest; with [`Connection::Stream`] it cannot, it has no such device.
pub fn cloud_hypervisor(connection: Connection, socket: &Path, mac: Option<MacAddr>) -> Option<String> {
    let mac = mac.map(|mac| format!(",mac={mac}")).unwrap_or_default();
    match connection {
        Connection::Stream => None,
        Connection::VhostUser => {
            Some(format!("--memory size=1G,shared=on --net vhost_user=true,socket={}{mac}", socket.display()))
        }
    }
}
