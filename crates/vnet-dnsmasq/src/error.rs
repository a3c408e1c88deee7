//! Why something cannot be written for dnsmasq.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use vnet_types::{Family, IpNet};

use crate::LeaseTime;

/// Why something cannot be written for dnsmasq.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A character has a special meaning there and cannot be escaped.
    #[error("the {field} {value:?} has the character {character:?}, which dnsmasq cannot be given there")]
    Character {
        /// The field.
        field: Field,
        /// The whole value.
        value: String,
        /// The first character that is refused.
        character: char,
    },
    /// A required value is empty.
    #[error("the {0} is empty")]
    Empty(Field),
    /// The name is not valid in DNS: it has an empty label, a label of more than 63 bytes, or more
    /// than 253 bytes in all.
    #[error("the {field} {value:?} is not a name that DNS can have")]
    Name {
        /// The field.
        field: Field,
        /// The whole value.
        value: String,
    },
    /// The line is too long: dnsmasq reads 1023 bytes and takes the rest for another line.
    #[error("the {field} makes a line of {len} bytes; dnsmasq reads 1023")]
    TooLong {
        /// The field that makes the line long.
        field: Field,
        /// The line's length in bytes.
        len: usize,
    },
    /// The option keeps the network from working.
    #[error("the dnsmasq option `{keyword}` {because}")]
    Option {
        /// The option's keyword.
        keyword: &'static str,
        /// What the option does.
        because: &'static str,
    },
    /// The path is not UTF-8.
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
    /// The forwarder has neither a domain nor an address.
    #[error("a forwarder has neither a domain nor an address")]
    EmptyForwarder,
    /// The forwarder has a port and no address.
    #[error("the forwarder for {domain:?} has the port {port} but no address")]
    ForwarderPort {
        /// The forwarder's domain.
        domain: String,
        /// The port.
        port: u16,
    },
    /// The subnet's prefix does not end at a label of its reverse names.
    #[error("the subnet {net} has no reverse zone of its own: its prefix is no multiple of {bits}, or all or nothing")]
    ReverseZone {
        /// The subnet.
        net: IpNet,
        /// The bits of one label: 8 or 4.
        bits: u8,
    },
    /// Two subnets of one family have DHCP.
    #[error("both {first} and {second} have DHCP; only one {family} subnet can")]
    SecondDhcp {
        /// The family.
        family: Family,
        /// The first subnet.
        first: IpNet,
        /// The second subnet.
        second: IpNet,
    },
    /// The address is of another family than its subnet.
    #[error("the {field} {address} is not of the family of the subnet {net}")]
    Family {
        /// The field.
        field: Field,
        /// The address.
        address: IpAddr,
        /// The subnet.
        net: IpNet,
    },
    /// The setting is for IPv4 only.
    #[error("the IPv6 subnet {net} has a {field}, which only IPv4 has")]
    OnlyIpv4 {
        /// The setting.
        field: Field,
        /// The subnet.
        net: IpNet,
    },
    /// The range has more than 65536 addresses.
    #[error("the DHCP range {start} to {end} has more than 65536 addresses")]
    RangeTooLarge {
        /// The first address.
        start: IpAddr,
        /// The last address.
        end: IpAddr,
    },
    /// The DHCP host has nothing that identifies its guest.
    #[error("the DHCP host {0} lacks what its guest is known by")]
    UnknownGuest(IpAddr),
    /// The lease time has more seconds than dnsmasq can count.
    #[error("the lease time {0} is more than dnsmasq counts, 2147483647 seconds")]
    LeaseTime(LeaseTime),
    /// The MTU is larger than DHCP can express.
    #[error("the MTU {0} is more than DHCP can say, 65535")]
    Mtu(u32),
}

/// A field of a [`Config`](crate::Config) whose value people write.
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
