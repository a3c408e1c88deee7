//! dnsmasq configuration, hosts files and leases of a virtual network.
//!
//! A [`Config`] describes what guests are told; [`Config::render`] renders the files that
//! dnsmasq(8) reads, with libvirt's options in libvirt's order. [`command_line`] returns the
//! arguments that run dnsmasq on them, [`parse_leases`] reads its lease file. Nothing here touches
//! a file or a process.
//!
//! libvirt writes values unchanged. This crate quotes what dnsmasq accepts in quotes and refuses
//! the rest, with the field and the value in the [`Error`]: no value can become an option of its
//! own. Options that would keep a network from working are refused; [`objection`] says which. Other
//! differences from libvirt:
//!
//! - a comma in a TXT record is a comma and does not start another string;
//! - a DHCP host keeps its name even if it looks like a lease time, an address or a keyword;
//! - a TFTP root or a boot file of an IPv6 subnet is refused, not ignored.
//!
//! ```
//! use std::path::PathBuf;
//! use vnet_dnsmasq::{Config, Dhcp, DhcpRange, Paths, Reach, Subnet};
//!
//! let mut subnet = Subnet::new("192.168.152.1/24".parse()?);
//! subnet.dhcp = Some(Dhcp::with_ranges([DhcpRange::new("192.168.152.2-192.168.152.254".parse()?)]));
//! let mut config = Config::new("virbr2".parse()?);
//! config.reach = Reach::Isolated;
//! config.subnets.push(subnet);
//!
//! let paths = Paths::new(PathBuf::from("/run/n.hosts"), PathBuf::from("/run/n.addnhosts"));
//! let rendered = config.render(&paths)?;
//! assert!(rendered.conf.contains("\ndhcp-range=192.168.152.2,192.168.152.254,255.255.255.0\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod command;
mod config;
mod dhcp;
mod dns;
mod error;
mod help;
mod hosts;
mod lease_time;
mod leases;
mod line;
mod option;
mod render;

pub use command::command_line;
pub use config::{
    Boot, Config, Dhcp, DhcpHost, DhcpRange, Dns, DnsHost, Domain, Forwarder, PlainNames, Reach, Srv, Subnet, Txt,
};
pub use error::{Error, Field};
pub use lease_time::{LeaseTime, ParseLeaseTimeError};
pub use leases::{Client, Lease, ParseLeaseError, ParseLeasesError, parse_leases};
pub use option::{Objection, Surroundings, is_wildcard, objection};
pub use render::{Paths, Rendered};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
