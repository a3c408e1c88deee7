//! Turns an interface on passt into passt's settings, as libvirt does (`qemu_passt.c`).

use std::path::{Path, PathBuf};

use vnet_passt::{
    Connection, ForwardedRange, GuestAddress, Passt, PortForward, PortRangeError, Ports, Protocol, Target,
};
use vnet_xml::Interface;
use vnet_xml::interface::{self, PortForwardRange, Source};

/// Why passt cannot connect an interface. `vnet-validate` finds all of these with their place
/// beforehand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPasst {
    /// The interface has another type or another backend.
    #[error("passt connects interfaces of type user and vhostuser with `<backend type='passt'/>` only")]
    Interface,
    /// A range of ports ends before it starts, or beyond the last port.
    #[error("a forwarded range of ports is invalid")]
    Ports(#[source] PortRangeError),
    /// A range of ports has no start.
    #[error("a forwarded range of ports lacks its start")]
    Start,
}

/// passt's settings for an interface, with its socket and its process id file in `folder`.
///
/// # Errors
/// [`NotPasst`] for an interface that passt cannot connect.
pub fn passt(interface: &Interface, folder: &Path) -> Result<Passt, NotPasst> {
    let mut passt = Passt::new(folder.join("passt.socket"));
    let (connection, dev) = match &interface.source {
        Source::User { dev } => (Connection::Stream, dev),
        Source::Vhostuser(source) => (Connection::VhostUser, &source.dev),
        _ => return Err(NotPasst::Interface),
    };
    let backend = interface.backend.as_ref().filter(|_| interface.is_passt()).ok_or(NotPasst::Interface)?;
    passt.connection = connection;
    passt.pid_file = Some(folder.join("passt.pid"));
    passt.mtu = interface.mtu;
    passt.interface = dev.clone();
    passt.log_file = backend.log_file.as_ref().map(PathBuf::from);
    passt.hostname = backend.hostname.clone();
    passt.fqdn = backend.fqdn.clone();
    passt.addresses = interface.ips.iter().map(|ip| GuestAddress { ip: ip.address, prefix: ip.prefix }).collect();
    passt.forwards = interface.port_forwards.iter().map(forward).collect::<Result<_, _>>()?;
    Ok(passt)
}

fn forward(forward: &interface::PortForward) -> Result<PortForward, NotPasst> {
    let mut ports = Ports::default();
    ports.address = forward.address;
    ports.device = forward.dev.clone();
    // A range without ports forwards nothing.
    let ranges = forward.ranges.iter().filter(|range| **range != PortForwardRange::default());
    ports.ranges = ranges.map(range).collect::<Result<_, _>>()?;
    let protocol = match forward.protocol {
        interface::Protocol::Tcp => Protocol::Tcp,
        interface::Protocol::Udp => Protocol::Udp,
    };
    Ok(PortForward::new(protocol, ports))
}

fn range(range: &PortForwardRange) -> Result<ForwardedRange, NotPasst> {
    let target = match (range.exclude, range.to) {
        (Some(true), _) => Target::Excluded,
        (_, Some(to)) => Target::From(to),
        (_, None) => Target::Same,
    };
    ForwardedRange::new(range.start.ok_or(NotPasst::Start)?, range.end, target).map_err(NotPasst::Ports)
}
