//! Prints `<interface>` as libvirt does, byte for byte: in the order of `virDomainNetDefFormat`,
//! with the same omissions.

use std::fmt;

use super::{Interface, LinkState, Source};
use crate::hostdev::write_driver;
use crate::style::Print;
use crate::write::{Value, Writer};
use crate::{Comments, Style};

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, Style::default())
    }
}

impl Print for Interface {
    fn comments(&self) -> &Comments {
        &self.comments
    }

    fn print_bare(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let mut writer = Writer::new(f, style.libvirt);
        let managed = matches!(&self.source, Source::Hostdev(source) if source.managed);
        let root = writer.tag("interface")?.attribute("type", self.source.word())?;
        let root = root.optional("managed", managed.then_some("yes"))?;
        let root = root.yes_no("trustGuestRxFilters", self.trust_guest_rx_filters)?;
        root.around(|writer| self.write(writer, !style.inactive))?;
        writer.finish()
    }
}

impl Interface {
    /// `live`: print what only a running guest has, too.
    fn write(&self, writer: &mut Writer<'_>, live: bool) -> fmt::Result {
        self.mac.iter().try_for_each(|mac| mac.write(writer, live))?;
        if let Source::Hostdev(source) = &self.source {
            source.driver.iter().try_for_each(|driver| write_driver(writer, driver))?;
        }
        self.source.write(writer, live, self.is_passt())?;
        self.vlan.iter().try_for_each(|vlan| vlan.write(writer))?;
        self.virtual_port.iter().try_for_each(|port| port.write(writer))?;
        self.bandwidth.iter().try_for_each(|bandwidth| bandwidth.write(writer))?;
        if self.port_isolated.is_some() {
            writer.tag("port")?.yes_no("isolated", self.port_isolated)?.empty()?;
        }
        self.ips.iter().try_for_each(|ip| ip.write(writer))?;
        self.routes.iter().try_for_each(|route| route.write(writer))?;
        self.port_forwards.iter().try_for_each(|forward| forward.write(writer))?;
        only(writer, "script", "path", self.script.as_ref())?;
        only(writer, "downscript", "path", self.downscript.as_ref())?;
        only(writer, "backenddomain", "name", self.backend_domain.as_ref())?;
        self.target.iter().try_for_each(|target| target.write(writer, live))?;
        self.guest.iter().try_for_each(|guest| guest.write(writer, live))?;
        only(writer, "model", "type", self.model.as_ref())?;
        if self.is_virtio() {
            self.driver.iter().try_for_each(|driver| driver.write(writer))?;
        }
        self.backend.iter().try_for_each(|backend| backend.write(writer, self.is_virtio()))?;
        self.filter.iter().try_for_each(|filter| filter.write(writer))?;
        if let Some(sndbuf) = self.sndbuf {
            writer.tag("tune")?.around(|writer| writer.text("sndbuf", &sndbuf.to_string()))?;
        }
        self.teaming.iter().try_for_each(|teaming| teaming.write(writer))?;
        let link = self.link.map(|link| if link == LinkState::Up { "up" } else { "down" });
        only(writer, "link", "state", link)?;
        only(writer, "mtu", "size", self.mtu)?;
        if let Some(frames) = self.coalesce_rx_frames {
            writer
                .tag("coalesce")?
                .around(|writer| writer.tag("rx")?.around(|writer| only(writer, "frames", "max", Some(frames))))?;
        }
        self.boot.iter().try_for_each(|boot| boot.write(writer))?;
        only(writer, "alias", "name", self.alias.as_ref().filter(|alias| live || alias.starts_with("ua-")))?;
        self.rom.iter().try_for_each(|rom| rom.write(writer))?;
        only(writer, "acpi", "index", self.acpi_index)?;
        self.address.iter().try_for_each(|address| address.write(writer))
    }
}

/// Writes an element with one attribute, if there is a value.
fn only(writer: &mut Writer<'_>, element: &'static str, attribute: &str, value: Option<impl Value>) -> fmt::Result {
    match value {
        Some(value) => writer.tag(element)?.attribute(attribute, value)?.empty(),
        None => Ok(()),
    }
}
