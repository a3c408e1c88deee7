//! Every finding on a libvirt network definition at once, with a code, a path and help.
//!
//! [`check`] checks a definition alone: it finds what libvirt refuses when the network is defined
//! or started, and what libvirt should refuse. [`check_parsed`] checks a definition that was read,
//! and leaves out findings that follow from errors in the text. [`check_against`] checks it on a
//! host, and [`Together`] compares it with the others of a host. All take any kind of document: a
//! network, a network port, an interface, a domain.
//! They take the model of [`vnet_xml`], whether it was read or built in code, and never see text: a
//! finding has the [`NodePath`](vnet_xml::NodePath) of the wrong value. [`RULES`] lists every rule,
//! including those of the text.
//!
//! ```
//! use vnet_xml::Network;
//! use vnet_xml::network::{Forward, ForwardMode, Ip, Route};
//!
//! let mut network = Network::new("lab");
//! network.forward = Some(Forward::new(ForwardMode::Route));
//! network.ips.push(Ip::new("10.20.0.1/24".parse()?));
//! network.routes.push(Route::new("10.30.0.0/16".parse()?, "10.21.0.2".parse()?));
//!
//! let findings = vnet_validate::check(&network);
//! let [finding] = &findings[..] else { panic!("one mistake, one finding") };
//! assert_eq!(finding.code.to_string(), "VN0407");
//! assert_eq!(finding.path.as_str(), "/network/route[1]/@gateway");
//! assert_eq!(finding.message, "the gateway `10.21.0.2` is in none of the network's own subnets");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each mistake gives one finding: what only follows from it is not reported. Rules are grouped by
//! the hundred of their code: 1 the network and its bridge, 2 subnets and DHCP, 3 DNS, 4 static
//! routes, 5 forwarding, pools, portgroups and network ports, 6 the host, 7 guests' interfaces, 8
//! what libvirt can do and vnet or OVN cannot, 9 what several definitions share.
//!
//! # Differences from libvirt
//!
//! - All mistakes are reported at once, each with its place. libvirt reports the first one only,
//!   and some only when the network starts.
//! - Routes and subnets are compared with the host's for overlaps, in both families. libvirt finds
//!   only equal IPv4 networks.
//! - A DHCP host belongs to its subnet, and no two hosts share a MAC address or an address; ranges
//!   do not overlap. libvirt checks a part of this, in `net-update` only.
//! - A `<nat>` port range of one port is a warning; libvirt reads it and then does not start.
//! - In a network of Open vSwitch a portgroup with a VLAN may have a `<virtualport>` without a
//!   type: it inherits the network's type. libvirt prints such a definition as an example, and
//!   refuses to define it.
//! - Values that would become options in dnsmasq's configuration are refused. libvirt writes them
//!   unchanged.
//! - A `<virtualport>` that no guest could use, and a pool without any device, are warnings.
//!   libvirt reports them only when a guest is attached.
//! - MAC addresses, PCI addresses, devices and ports of the host that two interfaces of a guest
//!   share are found. libvirt finds some of them when the guest starts, and leaves the rest to
//!   passt and QEMU.
//! - Forwarded ports are 1 to 65535, the end of a range is not below its start, and a port has one
//!   destination. libvirt passes everything to passt unchecked.
//! - What only QEMU refuses, such as a guest's routes, is accepted in a domain of another
//!   hypervisor. An `<interface>` alone is checked as QEMU's.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod collision;
mod dhcp;
mod dns;
mod driver;
mod egress;
mod finding;
mod forward;
mod free;
mod groups;
mod host;
mod interface;
mod ip;
mod judge;
mod lease;
mod mode;
mod network;
mod network_port;
mod ovn;
mod port_forward;
mod reservation;
mod route;
mod rules;
mod subnets;
mod support;
mod together;
mod words;

pub use dns::options::refused_by_dnsmasq;
pub use finding::{Finding, Related, follows_from};
pub use free::free_subnets;
pub use judge::{KnownHost, Subject, check, check_against, check_parsed, check_update};
pub use ovn::refused_by_ovn;
pub use rules::{OBSTACLE, RULES, Rule, Stage, rule};
pub use support::unsupported_interface;
pub use together::Together;
