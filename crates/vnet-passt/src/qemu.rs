//! How QEMU and other hypervisors connect a guest to passt.

use std::path::Path;
use std::str::FromStr;

use vnet_types::MacAddr;

use crate::Connection;

/// A version of QEMU, which decides which options it has. It is parsed from the output of
/// `qemu-system-x86_64 --version`, or from the numbers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
}

/// The text has no version of QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text names no version of QEMU")]
pub struct ParseVersionError;

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = |word: &str| {
            let mut numbers = word.split('.').map(|number| number.parse().ok());
            Some(Self { major: numbers.next()??, minor: numbers.next()?? })
        };
        text.split_whitespace().find_map(numbers).ok_or(ParseVersionError)
    }
}

/// The option that makes this QEMU reconnect, every 5 s as with libvirt. Streams have it since 8.0,
/// under another name since 9.2; vhost-user sockets had it before.
fn reconnect(connection: Connection, version: Option<Version>) -> &'static str {
    match version.map(|version| (version.major, version.minor)) {
        Some(version) if version >= (9, 2) => ",reconnect-ms=5000",
        Some(version) if version >= (8, 0) || connection == Connection::VhostUser => ",reconnect=5",
        Some(_) | None => "",
    }
}

/// The arguments for QEMU that give a guest its network card: `-netdev` or `-chardev`, and
/// `-device`.
///
/// With [`Connection::VhostUser`] the guest's memory has to be shared too: add [`SHARED_MEMORY`]
/// with the guest's size. `id` distinguishes several cards of a guest. If `version` is given and
/// supports it, QEMU reconnects when a new passt replaces one that died.
///
/// ```
/// use vnet_passt::{Connection, qemu};
///
/// let arguments = qemu::arguments(Connection::Stream, "/run/user/1000/vm/passt.socket".as_ref(), None, "net0", "9.2".parse().ok());
/// assert_eq!(
///     arguments,
///     [
///         "-netdev",
///         "stream,id=net0,server=off,addr.type=unix,addr.path=/run/user/1000/vm/passt.socket,reconnect-ms=5000",
///         "-device",
///         "virtio-net-pci,netdev=net0"
///     ]
/// );
/// ```
pub fn arguments(
    connection: Connection,
    socket: &Path,
    mac: Option<MacAddr>,
    id: &str,
    version: Option<Version>,
) -> Vec<String> {
    let reconnect = reconnect(connection, version);
    // In QEMU's options a doubled comma stands for a comma in the value.
    let path = socket.to_string_lossy().replace(',', ",,");
    let mac = mac.map(|mac| format!(",mac={mac}")).unwrap_or_default();
    let device = format!("virtio-net-pci,netdev={id}{mac}");
    let words: Vec<String> = match connection {
        Connection::Stream => {
            vec!["-netdev".to_owned(), format!("stream,id={id},server=off,addr.type=unix,addr.path={path}{reconnect}")]
        }
        Connection::VhostUser => vec![
            "-chardev".to_owned(),
            format!("socket,id=char-{id},path={path}{reconnect}"),
            "-netdev".to_owned(),
            format!("vhost-user,id={id},chardev=char-{id}"),
        ],
    };
    words.into_iter().chain(["-device".to_owned(), device]).collect()
}

/// The arguments that share a guest's memory of 1 GiB with passt; replace the size by the guest's
/// own.
pub const SHARED_MEMORY: [&str; 4] =
    ["-object", "memory-backend-memfd,id=mem,size=1G,share=on", "-numa", "node,memdev=mem"];

/// The arguments for cloud-hypervisor that connect a guest. `None` with [`Connection::Stream`], for
/// which it has no device.
pub fn cloud_hypervisor(connection: Connection, socket: &Path, mac: Option<MacAddr>) -> Option<String> {
    let mac = mac.map(|mac| format!(",mac={mac}")).unwrap_or_default();
    match connection {
        Connection::Stream => None,
        Connection::VhostUser => {
            Some(format!("--memory size=1G,shared=on --net vhost_user=true,socket={}{mac}", socket.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qemu_that_can_connects_again() {
        let cases = [
            (Connection::Stream, "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", ""),
            (Connection::Stream, "QEMU emulator version 8.0.0", ",reconnect=5"),
            (Connection::Stream, "9.1.50", ",reconnect=5"),
            (Connection::Stream, "QEMU emulator version 10.0.2 (qemu-10.0.2-1.fc42)", ",reconnect-ms=5000"),
            (Connection::VhostUser, "7.2.22", ",reconnect=5"),
            (Connection::VhostUser, "9.2.0", ",reconnect-ms=5000"),
            (Connection::VhostUser, "no version", ""),
        ];
        for (connection, version, expected) in cases {
            assert_eq!(reconnect(connection, version.parse().ok()), expected, "{version}");
            let words = arguments(connection, Path::new("/a,b"), None, "net0", version.parse().ok());
            assert!(words[1].ends_with(&format!("path=/a,,b{expected}")), "{words:?}");
        }
    }
}
