//! libvirt network XML: read with places, printed as libvirt prints it.
//!
//! [`Network::parse`] reads a definition and finds everything that is wrong with its text: each
//! [`Problem`] has a code, a place and, if possible, help. `Display` prints a definition as libvirt
//! does, byte for byte. The model in [`network`] is plain data; `vnet-validate` checks whether it
//! makes sense.
//!
//! ```
//! use vnet_xml::Network;
//! use vnet_xml::network::{Dhcp, DhcpHost, DhcpRange, Forward, ForwardMode, Ip};
//!
//! let mut network = Network::new("lab");
//! network.forward = Some(Forward::new(ForwardMode::Nat));
//! let mut dhcp = Dhcp::default();
//! dhcp.ranges.push(DhcpRange::new("192.168.122.100".parse()?, "192.168.122.199".parse()?));
//! let mut host = DhcpHost::new("192.168.122.10".parse()?);
//! host.mac = Some("52:54:00:00:00:10".parse()?);
//! dhcp.hosts.push(host);
//! let mut ip = Ip::new("192.168.122.1/24".parse()?);
//! ip.dhcp = Some(dhcp);
//! network.ips.push(ip);
//!
//! let text = network.to_string();
//! assert!(text.contains("      <host mac='52:54:00:00:00:10' ip='192.168.122.10'/>\n"));
//! assert_eq!(text.parse::<Network>()?.to_string(), text);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Differences from libvirt
//!
//! - Unknown elements and attributes, repeated elements and stray text are warnings; libvirt says
//!   nothing.
//! - A negative `mtu` or `delay` is an error; libvirt wraps it around.
//! - A `<dhcp>` that has only `<bootp>` is kept; libvirt loses it.
//! - Comments are kept: each is printed at the element that it stands at; libvirt drops them.
//! - All printed values are escaped, white space in attributes too; libvirt does not escape all of
//!   them.
//! - An IPv6 address with a scope (`%eth0`) is an error.
//! - `connections` is read, and printed in the live form; libvirt does not read it but counts anew.
//! - A `<forward>` that has only `<driver model>` is printed well-formed; libvirt's output is not.
//! - A running nat network is printed with the ports of its definition; libvirt adds 1024 to 65535.
//! - Namespace prefixes that `<metadata>` uses are declared on `<metadata>`, even if the document
//!   declares them further out.
//! - `stp`, `managed` and the `default` of a portgroup are read as libvirt reads them, with a
//!   warning if libvirt does not know the written word.
//! - Devices and PCI addresses beside each other in `<forward>`, or a `<pf>` beside addresses, are
//!   all kept; libvirt drops some silently.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bandwidth;
mod bridge_name;
mod builder;
mod characters;
mod comments;
mod definition;
mod document;
mod domain;
mod edit;
mod element;
mod encoding;
mod grammar;
mod hostdev;
pub mod interface;
mod markup;
pub mod network;
pub mod network_port;
mod problem;
mod rules;
#[cfg(feature = "serde")]
mod serde_text;
mod source;
#[cfg(feature = "proptest")]
pub mod strategy;
mod style;
mod suggest;
mod tokens;
mod tree;
mod value;
mod virtual_port;
mod vlan;
mod write;

pub use bandwidth::{Bandwidth, Rate};
pub use bridge_name::{BridgeName, BridgeNameError, BridgeTemplate};
pub use builder::Limits;
pub use comments::Comments;
pub use definition::Definition;
pub use document::{Parsed, Refused};
pub use domain::Domain;
pub use edit::{Edit, Replacement, edited};
pub use hostdev::{HostdevDriver, HostdevDriverName};
pub use interface::Interface;
pub use network::Network;
pub use network_port::NetworkPort;
pub use problem::{Code, Problem, Rule, Severity};
pub use rules::{KEPT_FILE_UNUSED, KEPT_UNDER_OTHER_NAME, RULES, UPDATE_REFUSED};
pub use source::{NodePath, SourceMap, Span};
pub use style::{Libvirt, Printed, Style};
pub use suggest::did_you_mean;
pub use virtual_port::{VirtualPort, VirtualPortType};
pub use vlan::{NativeMode, Vlan, VlanTag};
pub use vnet_types::Spelled;
