//! The promises of a guest's interface on passt
//! (<https://libvirt.org/formatdomain.html#userspace-connection-using-passt>).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use vnet_passt::{Passt, Protocol};
use vnet_types::{Family, IpNet, MacAddr};
use vnet_xml::Interface;
use vnet_xml::interface::{PortForward, Source as Kind};

use super::ports::{idle, of_port, samples};
use crate::guest::{Addressing, Guest};
use crate::promise::{Promise, Source};
use crate::world::World;

/// The most ports of a forward that are tried.
const MOST_PORTS: usize = 12;
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// The guest. It is told its IPv4 address, forms an IPv6 address itself, and is told another.
pub(crate) fn guest(passt: &Passt, mac: MacAddr, world: &World) -> Guest {
    let uplink = world.uplink_by(passt.interface.as_ref());
    let [v4, v6] = FAMILIES.map(|family| {
        let declared = passt.addresses.iter().find(|it| Family::of(it.ip) == family);
        declared.map_or((uplink.host(family), Some(uplink.prefix(family))), |it| (it.ip, it.prefix.or(by_class(it.ip))))
    });
    let advertised = IpNet::new(v6.0, 64).expect("a prefix of IPv6").trunc();
    let addresses =
        vec![Addressing::Told(v4.0, v4.1), Addressing::Advertised(advertised), Addressing::Told(v6.0, v6.1)];
    Guest { addresses, ..Guest::new("guest", mac) }
}

/// All promises of that guest, in the order of its elements.
pub(crate) fn promises(passt: &Passt, world: &World) -> Vec<Promise> {
    let mut promises: Vec<Promise> = [0, 2, 1].map(|address| Promise::Address { guest: 0, address }).into();
    if let Some(device) = &passt.interface {
        let router = Some(world.uplink_by(Some(device)).gateway());
        promises.push(Promise::Router { router, of: Some(device.clone()) });
    }
    promises.extend(passt.mtu.map(Promise::Mtu));
    promises.extend(passt.hostname.clone().map(Promise::Hostname));
    promises.extend(passt.fqdn.clone().map(Promise::Fqdn));
    promises.push(Promise::Forwarded { servers: Vec::new(), domain: None });
    promises.extend(FAMILIES.map(|family| Promise::Out(family, Source::Host)));
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let ports: BTreeSet<u16> = passt
            .forwards
            .iter()
            .filter(|forward| forward.protocol == protocol)
            .flat_map(|forward| samples(forward).into_iter().take(MOST_PORTS))
            .chain(idle(passt, protocol))
            .collect();
        promises.extend(ports.into_iter().flat_map(|port| of_port(passt, world, protocol, port)));
    }
    promises.extend(passt.log_file.clone().map(Promise::Log));
    promises
}

/// What was not tried, and where the imagined host differs from a real one.
pub(crate) fn notes(interface: &Interface, has_names: bool) -> Vec<String> {
    let is_shared = matches!(interface.source, Kind::Vhostuser(_));
    let log = interface.backend.as_ref().and_then(|backend| backend.log_file.as_ref());
    let has_more = |forward: &PortForward| forward.ranges.len() * 3 > MOST_PORTS;
    let further = |forward: &PortForward| forward.address.is_some_and(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let notes = [
        (is_shared, "the guest was connected by a stream: no memory is shared here".to_owned()),
        (
            log.is_some(),
            format!("whether {} can be written was not tried: the log was another file", log.map_or("", |it| it)),
        ),
        (interface.port_forwards.iter().any(has_more), "not every range of ports was tried".to_owned()),
        (
            interface.port_forwards.iter().any(further) && interface.ips.is_empty(),
            "the further addresses of the host were on `lo`: where one is on the uplink with the longest prefix, the \
             guest gets it from passt of 2025 and later, and by IPv6 from every passt"
                .to_owned(),
        ),
        (!has_names, "the host's name server was not tried: there is no /etc/resolv.conf".to_owned()),
    ];
    notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note).collect()
}

/// The prefix length of an IPv4 address without one, by its class, as passt's manual says.
fn by_class(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(ip) if ip < Ipv4Addr::new(128, 0, 0, 0) => Some(8),
        IpAddr::V4(ip) if ip < Ipv4Addr::new(192, 0, 0, 0) => Some(16),
        IpAddr::V4(_) => Some(24),
        IpAddr::V6(_) => None,
    }
}
