//! The passt argument list for a guest interface.
//!
//! passt(1) connects a guest to the network of an ordinary user, without a bridge or privileges. A
//! [`Passt`] describes what one passt does for one guest; [`Passt::arguments`] returns the command
//! line, with libvirt's arguments in libvirt's order. Give the list to [`std::process::Command`],
//! each argument unchanged, without a shell; the feature `run` does this and more.
//!
//! ```
//! use vnet_passt::{Passt, PortForward, Protocol};
//!
//! let mut passt = Passt::new("/run/user/1000/vm1.socket");
//! passt.forwards.push(PortForward::new(Protocol::Tcp, "127.0.0.1/2222:22".parse()?));
//! let arguments = passt.arguments()?;
//! assert_eq!(arguments.join(" ".as_ref()), "--one-off --socket /run/user/1000/vm1.socket --tcp-ports 127.0.0.1/2222:22");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not every passt knows every option: it names an unknown option and exits. `--vhost-user`,
//! `--hostname`, `--fqdn`, `--map-host-loopback`, `--map-guest-addr` and `--dns-host` came after
//! 2023. The passt of 2023 accepts neither a device without an address, nor `all` with an address,
//! nor one port on two addresses.

mod arguments;
mod error;
mod help;
mod options;
mod ports;
pub mod qemu;
#[cfg(feature = "run")]
pub mod run;

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::InterfaceName;

pub use error::Error;
pub use options::{Feature, Mapping, Options, Process, Resolvers, RunAs, Verbosity};
pub use ports::{ForwardedRange, ParsePortsError, PortForward, PortRangeError, Ports, Protocol, Target};

/// What one passt does for one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Passt {
    /// How the guest is connected.
    pub connection: Connection,
    /// When it ends.
    pub lifetime: Lifetime,
    /// The path of the UNIX socket that it listens on, at most 107 bytes.
    pub socket: PathBuf,
    /// Where it writes its process id.
    pub pid_file: Option<PathBuf>,
    /// The MTU that the guest is told, 68 to 65535 bytes; 0: not told; `None`: passt's default.
    pub mtu: Option<u32>,
    /// The interface of the host whose addresses and routes the guest gets; `None`: that of the
    /// default route.
    pub interface: Option<InterfaceName>,
    /// Where it logs; `None`: the system log.
    pub log_file: Option<PathBuf>,
    /// The host name that the guest is told.
    pub hostname: Option<String>,
    /// The full name that the guest is told.
    pub fqdn: Option<String>,
    /// The guest's addresses, at most one of each family; if empty, the host's own.
    pub addresses: Vec<GuestAddress>,
    /// The forwarded ports.
    pub forwards: Vec<PortForward>,
    /// All other options.
    pub options: Options,
}

/// How a guest connects to passt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Connection {
    /// By a stream of frames: libvirt's `<interface type='user'>`, QEMU's `-netdev stream`.
    Stream,
    /// By shared memory: libvirt's `<interface type='vhostuser'>`.
    VhostUser,
}

/// When passt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Lifetime {
    /// When its guest disconnects.
    OneGuest,
    /// When it is stopped; several guests can connect, one after the other.
    ManyGuests,
}

/// An address of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GuestAddress {
    /// The address.
    pub ip: IpAddr,
    /// The length of its prefix. With `None` passt chooses it for IPv4; for IPv6 it is always 64.
    pub prefix: Option<u8>,
}

impl Passt {
    /// A passt that listens on a socket, forwards nothing, and ends with its guest, as with
    /// libvirt.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            connection: Connection::Stream,
            lifetime: Lifetime::OneGuest,
            socket: socket.into(),
            pid_file: None,
            mtu: None,
            interface: None,
            log_file: None,
            hostname: None,
            fqdn: None,
            addresses: Vec::new(),
            forwards: Vec::new(),
            options: Options::default(),
        }
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
