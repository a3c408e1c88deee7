//! What passt cannot be told.

use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::Family;

use crate::Protocol;

/// What passt cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path that is empty or has a NUL.
    #[error("{path:?} is no path for {option}")]
    Path {
        /// The option.
        option: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// A socket's path that the kernel does not take: `sockaddr_un` has room for 107 bytes.
    #[error("the socket's path {} is {len} bytes long, the limit is 107", .path.display())]
    SocketTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        len: usize,
    },
    /// An MTU that passt refuses.
    #[error("the MTU {0} is neither 0 nor from 68 to 65535")]
    Mtu(u32),
    /// A name that DNS does not have.
    #[error("{name:?} is no name for {option}")]
    Name {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// Two addresses of one family where passt takes one.
    #[error("{option} is given two {family} addresses, {first} and {second}")]
    SecondAddress {
        /// The option.
        option: &'static str,
        /// The family.
        family: Family,
        /// The one.
        first: IpAddr,
        /// The other.
        second: IpAddr,
    },
    /// A prefix that the address cannot have.
    #[error("the address {ip} cannot have the prefix {prefix}")]
    Prefix {
        /// The address.
        ip: IpAddr,
        /// The prefix.
        prefix: u8,
    },
    /// An address of the family that is left out.
    #[error("the address {ip} is given, but only {only}")]
    Family {
        /// The address.
        ip: IpAddr,
        /// The one family.
        only: Family,
    },
    /// Forwarding for a protocol that is left out.
    #[error("{0} ports are forwarded, but {0} is left out")]
    Protocol(Protocol),
    /// A port that is forwarded twice.
    #[error("the {protocol} port {port} is forwarded twice")]
    Overlap {
        /// The protocol.
        protocol: Protocol,
        /// The port on the host.
        port: u16,
    },
    /// A list that is given and empty.
    #[error("{0} is given an empty list")]
    EmptyList(&'static str),
}
