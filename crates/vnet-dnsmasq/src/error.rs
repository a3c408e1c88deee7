//! Why dnsmasq cannot be told something.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::{Family, IpNet};

use crate::LeaseTime;

/// Why dnsmasq cannot be told something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A character that has a meaning of its own there, and no escape.
    #[error("the {field} {value:?} has the character {character:?}, which dnsmasq cannot be given there")]
    Character {
        /// Where.
        field: Field,
        /// The whole value.
        value: String,
        /// The first character that is refused.
        character: char,
    },
    /// Nothing where something is needed.
    #[error("the {0} is empty")]
    Empty(Field),
    /// A name that DNS does not have: an empty label, one of more than 63 bytes, or more than 253
    /// bytes in all.
    #[error("the {field} {value:?} is not a name that DNS can have")]
    Name {
        /// Where.
        field: Field,
        /// The whole value.
        value: String,
    },
    /// dnsmasq takes the 1023 bytes that it reads of a line, and the rest for another line.
    #[error("the {field} makes a line of {len} bytes; dnsmasq reads 1023")]
    TooLong {
        /// Whose line.
        field: Field,
        /// The line's length in bytes.
        len: usize,
    },
    /// An option that keeps the network from working.
    #[error("the dnsmasq option `{keyword}` {because}")]
    Option {
        /// The option's keyword.
        keyword: &'static str,
        /// What it does.
        because: &'static str,
    },
    /// A path that is not UTF-8.
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
    /// A forwarder that is neither for a domain nor a server.
    #[error("a forwarder has neither a domain nor an address")]
    EmptyForwarder,
    /// A port of no server.
    #[error("the forwarder for {domain:?} has the port {port} but no address")]
    ForwarderPort {
        /// The forwarder's domain.
        domain: String,
        /// The port.
        port: u16,
    },
    /// A subnet that does not end where a label of its reverse names does.
    #[error("the subnet {net} has no reverse zone of its own: its prefix is no multiple of {bits}, or all or nothing")]
    ReverseZone {
        /// The subnet.
        net: IpNet,
        /// How many bits a label stands for: 8 or 4.
        bits: u8,
    },
    /// A second subnet of one family with DHCP.
    #[error("both {first} and {second} have DHCP; only one {family} subnet can")]
    SecondDhcp {
        /// The family.
        family: Family,
        /// The one.
        first: IpNet,
        /// The other.
        second: IpNet,
    },
    /// An address that is not of its subnet's family.
    #[error("the {field} {address} is not of the family of the subnet {net}")]
    Family {
        /// Where.
        field: Field,
        /// The address.
        address: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// Something for IPv4 alone.
    #[error("the IPv6 subnet {net} has a {field}, which only IPv4 has")]
    OnlyIpv4 {
        /// What.
        field: Field,
        /// The subnet.
        net: IpNet,
    },
    /// More than 65536 addresses.
    #[error("the DHCP range {start} to {end} has more than 65536 addresses")]
    RangeTooLarge {
        /// The first address.
        start: IpAddr,
        /// The last address.
        end: IpAddr,
    },
    /// A guest that cannot be told from others.
    #[error("the DHCP host {0} lacks what its guest is known by")]
    UnknownGuest(IpAddr),
    /// More seconds than dnsmasq counts.
    #[error("the lease time {0} is more than dnsmasq counts, 2147483647 seconds")]
    LeaseTime(LeaseTime),
    /// More than DHCP can say.
    #[error("the MTU {0} is more than DHCP can say, 65535")]
    Mtu(u32),
}

/// A value of a [`Config`](crate::Config) that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// [`Config::interface`](crate::Config::interface)
    Interface,
    /// [`Forwarder::domain`](crate::Forwarder::domain)
    ForwarderDomain,
    /// [`Domain::name`](crate::Domain::name)
    Domain,
    /// [`Txt::name`](crate::Txt::name)
    TxtName,
    /// [`Txt::value`](crate::Txt::value)
    TxtValue,
    /// [`Srv::service`](crate::Srv::service)
    SrvService,
    /// [`Srv::protocol`](crate::Srv::protocol)
    SrvProtocol,
    /// [`Srv::domain`](crate::Srv::domain)
    SrvDomain,
    /// [`Srv::target`](crate::Srv::target)
    SrvTarget,
    /// [`DnsHost::hostnames`](crate::DnsHost::hostnames)
    DnsHostname,
    /// [`Subnet::tftp_root`](crate::Subnet::tftp_root)
    TftpRoot,
    /// [`DhcpRange::addresses`](crate::DhcpRange::addresses)
    DhcpRange,
    /// [`DhcpHost::ip`](crate::DhcpHost::ip)
    DhcpHostAddress,
    /// [`DhcpHost::mac`](crate::DhcpHost::mac)
    DhcpHostMac,
    /// [`DhcpHost::id`](crate::DhcpHost::id)
    DhcpHostId,
    /// [`DhcpHost::name`](crate::DhcpHost::name)
    DhcpHostName,
    /// [`Boot::file`](crate::Boot::file)
    BootFile,
    /// [`Boot::server`](crate::Boot::server)
    BootServer,
    /// [`Config::options`](crate::Config::options)
    Option,
    /// A path of [`Paths`](crate::Paths) or of the configuration itself.
    Path,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Interface => "interface name",
            Self::ForwarderDomain => "domain of a forwarder",
            Self::Domain => "domain name",
            Self::TxtName => "name of a TXT record",
            Self::TxtValue => "value of a TXT record",
            Self::SrvService => "service of an SRV record",
            Self::SrvProtocol => "protocol of an SRV record",
            Self::SrvDomain => "domain of an SRV record",
            Self::SrvTarget => "target of an SRV record",
            Self::DnsHostname => "host name",
            Self::TftpRoot => "TFTP root",
            Self::DhcpRange => "DHCP range",
            Self::DhcpHostAddress => "address of a DHCP host",
            Self::DhcpHostMac => "MAC address of a DHCP host",
            Self::DhcpHostId => "id of a DHCP host",
            Self::DhcpHostName => "name of a DHCP host",
            Self::BootFile => "boot file",
            Self::BootServer => "boot server",
            Self::Option => "dnsmasq option",
            Self::Path => "path",
        })
    }
}
