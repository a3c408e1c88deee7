//! The passt argument list for a guest interface.
//!
//! passt(1) connects a guest to the network of an ordinary user: no bridge, no privilege. A
//! [`Passt`] says what one is to do for one guest; [`Passt::arguments`] is the command line, with
//! libvirt's arguments in libvirt's order. Nothing here starts a process: give the list to
//! [`std::process::Command`], each argument as it is, without a shell.
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
//! Not every passt knows every option: what it does not know it names, and exits. `--vhost-user`,
//! `--hostname`, `--fqdn`, `--map-host-loopback`, `--map-guest-addr` and `--dns-host` are younger
//! than 2023. Those of 2023 take neither a device without an address, nor `all` with an address,
//! nor one port on two addresses.

mod arguments;
mod error;
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
    /// How long it runs.
    pub lifetime: Lifetime,
    /// The UNIX socket that it listens on, at most 107 bytes.
    pub socket: PathBuf,
    /// Where it writes its process id.
    pub pid_file: Option<PathBuf>,
    /// The MTU that the guest is told, 68 to 65535 bytes; 0: it is told none. passt's default where
    /// `None`.
    pub mtu: Option<u32>,
    /// The interface of the host whose addresses and routes the guest gets; that of the default
    /// route where `None`.
    pub interface: Option<InterfaceName>,
    /// Where it logs; the system log where `None`.
    pub log_file: Option<PathBuf>,
    /// The host name that the guest is told.
    pub hostname: Option<String>,
    /// The full name that the guest is told.
    pub fqdn: Option<String>,
    /// The guest's addresses, at most one of each family; the host's own where there is none.
    pub addresses: Vec<GuestAddress>,
    /// What comes in.
    pub forwards: Vec<PortForward>,
    /// Everything else.
    pub options: Options,
}

/// How a guest is connected to passt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Connection {
    /// By a stream of frames: libvirt's `<interface type='user'>`, QEMU's `-netdev stream`.
    Stream,
    /// By shared memory: libvirt's `<interface type='vhostuser'>`.
    VhostUser,
}

/// How long passt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Lifetime {
    /// Until its guest is gone.
    OneGuest,
    /// Until it is stopped; one guest after the other can connect.
    ManyGuests,
}

/// An address of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GuestAddress {
    /// The address.
    pub ip: IpAddr,
    /// The length of its prefix. passt chooses that of an IPv4 address where `None`; that of IPv6
    /// is always 64.
    pub prefix: Option<u8>,
}

impl Passt {
    /// One that listens on a socket, forwards nothing, and ends with its guest, as libvirt's do.
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
