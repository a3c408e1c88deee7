//! What passt does not accept.

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::Family;

use crate::Protocol;

/// What passt does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path is empty or has a NUL.
    #[error("{path:?} cannot be the path for {option}")]
    Path {
        /// The option.
        option: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The socket's path is too long: `sockaddr_un` has room for 107 bytes.
    #[error("the socket's path {} is {len} bytes long, the limit is 107", .path.display())]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// passt refuses the MTU.
    #[error("the MTU {0} is neither 0 nor from 68 to 65535")]
    Mtu(u32),
    /// The name is not valid in DNS.
    #[error("{name:?} cannot be the name for {option}")]
    Name {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// passt takes one address of each family here.
    #[error("{option} is given two {family} addresses, {first} and {second}")]
    SecondAddress {
        /// The option.
        option: &'static str,
        /// The family.
        family: Family,
        /// The first address.
        first: IpAddr,
        /// The second address.
        second: IpAddr,
    },
    /// The address cannot have this prefix.
    #[error("the address {ip} cannot have the prefix {prefix}")]
    Prefix {
        /// The address.
        ip: IpAddr,
        /// The prefix.
        prefix: u8,
    },
    /// The address is of a family that is turned off.
    #[error("the address {ip} is given, but only {only}")]
    Family {
        /// The address.
        ip: IpAddr,
        /// The only family that is on.
        only: Family,
    },
    /// Ports are forwarded for a protocol that is turned off.
    #[error("{0} ports are forwarded, but {0} is left out")]
    Protocol(Protocol),
    /// A port is forwarded twice.
    #[error("the {protocol} port {port} is forwarded twice")]
    Overlap {
        /// The protocol.
        protocol: Protocol,
        /// The port on the host.
        port: u16,
    },
    /// A list is given but empty.
    #[error("{0} is given an empty list")]
    EmptyList(&'static str),
}
