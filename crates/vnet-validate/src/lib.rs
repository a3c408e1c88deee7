//! Every finding on a libvirt network definition at once, with a code, a path and help.
//!
//! [`check`] judges a definition alone: what libvirt refuses when it is defined and when it is
//! started, and what it should refuse. [`check_parsed`] judges one that was read, with the problems
//! of its text in mind. [`check_against`] judges it on a host. All three take any kind of document:
//! a network, a network port, an interface, a domain. They take the model of [`vnet_xml`], whether
//! it was read or built in code, and never see text: a finding has the
//! [`NodePath`](vnet_xml::NodePath) of the value that is wrong. [`RULES`] has every rule, those of
//! the text too.
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
//! A finding is one mistake: what follows from it is not reported again. Rules are grouped by the
//! hundred of their code: 1 the network and its bridge, 2 subnets and DHCP, 3 DNS, 4 static routes,
//! 5 forwarding, pools, portgroups and network ports, 6 the host, 7 guests' interfaces, 8 what
//! libvirt can do and vnet cannot.
//!
//! # Differences from libvirt
//!
//! - Everything is said at once, and where; libvirt stops at the first thing, and finds some only
//!   at the start.
//! - Routes and subnets are compared with the host's by what they have in common, in both families;
//!   libvirt compares equal IPv4 networks.
//! - A DHCP host belongs to its subnet, and no two hosts share a MAC address or an address; ranges
//!   do not overlap. libvirt looks at that in `net-update` alone, and not at all of it.
//! - A `<nat>` port range of one port is a warning; libvirt reads it and then does not start.
//! - In a network of Open vSwitch a portgroup with a VLAN and a `<virtualport>` of no type is
//!   right: the network's type is its own. libvirt prints such a definition as an example, and
//!   refuses to define it.
//! - Values that would be options of their own in dnsmasq's configuration are refused; libvirt
//!   writes them as they come.
//! - A `<virtualport>` that no guest could use, and a pool without any device, are warnings;
//!   libvirt is silent until a guest is attached.
//! - What a guest's interfaces cannot share, MAC addresses, PCI addresses, devices and ports of the
//!   host, is looked at together; libvirt finds some of it at the start, and leaves the rest to
//!   passt and QEMU.
//! - Forwarded ports are 1 to 65535, a range ends after it begins, and a port leads to one place;
//!   libvirt hands passt whatever there is.
//! - What QEMU alone refuses, such as a guest's routes, is let be in a domain of another
//!   hypervisor; an `<interface>` by itself is taken for QEMU's.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod collision;
mod dhcp;
mod dns;
mod finding;
mod forward;
mod groups;
mod host;
mod interface;
mod ip;
mod judge;
mod lease;
mod mode;
mod network;
mod network_port;
mod reservation;
mod route;
mod rules;
mod subnets;
mod support;
mod words;

pub use dns::options::refused_by_dnsmasq;
pub use finding::{Finding, Related, follows_from};
pub use judge::{KnownHost, Subject, check, check_against, check_parsed, check_update};
pub use rules::{OBSTACLE, RULES, Rule, Stage, rule};
pub use support::{unsupported_interface, unsupported_network};
