//! Prints `<source>` as libvirt does.

use std::fmt;

use super::{EthernetSource, HostdevAddress, Reconnect, Source, UdpSource, VhostuserMode, VhostuserSource};
use crate::hostdev::pci_attributes;
use crate::network::mac_table_attribute;
use crate::write::Writer;

impl Source {
    /// `passt`: whether passt is the backend.
    pub(in crate::interface) fn write(&self, writer: &mut Writer<'_>, live: bool, passt: bool) -> fmt::Result {
        match self {
            Self::User { dev: None } | Self::Null => Ok(()),
            Self::User { dev: Some(dev) } => writer.tag("source")?.attribute("dev", dev)?.empty(),
            Self::Ethernet(EthernetSource { ips, routes }) if ips.is_empty() && routes.is_empty() => Ok(()),
            Self::Ethernet(EthernetSource { ips, routes }) => writer.tag("source")?.around(|writer| {
                ips.iter().try_for_each(|ip| ip.write(writer))?;
                routes.iter().try_for_each(|route| route.write(writer))
            }),
            Self::Vhostuser(source) => source.write(writer, passt),
            Self::Server(socket) | Self::Client(socket) | Self::Mcast(socket) => {
                let tag = writer.tag("source")?.optional("address", socket.address.as_ref())?;
                tag.attribute("port", socket.port)?.empty()
            }
            Self::Udp(UdpSource { remote, local }) => {
                let tag = writer.tag("source")?.optional("address", remote.address.as_ref())?;
                tag.attribute("port", remote.port)?.around(|writer| {
                    let tag = writer.tag("local")?.optional("address", local.address.as_ref())?;
                    tag.attribute("port", local.port)?.empty()
                })
            }
            Self::Network(source) => {
                let tag = writer.tag("source")?.attribute("network", &source.network)?;
                let tag = tag.optional("portgroup", source.port_group.as_ref())?;
                if !live {
                    return tag.empty();
                }
                let tag = tag.optional("portid", source.port_id)?.optional("bridge", source.bridge.as_ref())?;
                mac_table_attribute(tag, source.mac_table_manager)?.empty()
            }
            Self::Bridge(source) => {
                let tag = writer.tag("source")?.attribute("bridge", &source.bridge)?;
                mac_table_attribute(tag, source.mac_table_manager.filter(|_| live))?.empty()
            }
            Self::Internal { name } => writer.tag("source")?.attribute("name", name)?.empty(),
            Self::Direct(source) => {
                writer.tag("source")?.attribute("dev", &source.dev)?.attribute("mode", source.mode.word())?.empty()
            }
            Self::Hostdev(source) => writer.tag("source")?.around(|writer| match source.address {
                HostdevAddress::Pci(address) => {
                    pci_attributes(writer.tag("address")?.attribute("type", "pci")?, address)?.empty()
                }
                HostdevAddress::Usb { bus, device } => {
                    let tag = writer.tag("address")?.attribute("type", "usb")?;
                    tag.attribute("bus", bus)?.attribute("device", device)?.empty()
                }
            }),
            Self::Vdpa { dev } => writer.tag("source")?.attribute("dev", dev)?.empty(),
            Self::Vds(source) => {
                let tag = writer.tag("source")?.attribute("switchid", source.switch_id)?;
                let tag = tag.optional("portid", source.port_id)?;
                let tag = tag.optional("portgroupid", source.port_group_id.as_ref())?;
                tag.optional("connectionid", source.connection_id)?.empty()
            }
        }
    }
}

impl VhostuserSource {
    fn write(&self, writer: &mut Writer<'_>, passt: bool) -> fmt::Result {
        if passt {
            return match &self.dev {
                Some(dev) => writer.tag("source")?.attribute("dev", dev)?.empty(),
                None => Ok(()),
            };
        }
        let Some(path) = &self.path else { return Ok(()) };
        let mode = if self.mode == VhostuserMode::Client { "client" } else { "server" };
        let tag = writer.tag("source")?.attribute("type", "unix")?.attribute("path", path)?.attribute("mode", mode)?;
        let Some(reconnect) = self.reconnect else { return tag.empty() };
        tag.around(|writer| {
            let (enabled, timeout) = match reconnect {
                Reconnect::No => (false, None),
                Reconnect::After { timeout } => (true, Some(timeout)),
            };
            writer.tag("reconnect")?.yes_no("enabled", Some(enabled))?.optional("timeout", timeout)?.empty()
        })
    }
}
