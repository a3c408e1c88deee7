//! Prints `<network>` as libvirt does, byte for byte: in the order of `virNetworkDefFormat`, with
//! the same omissions.

use std::fmt;

use super::{Bridge, DNSMASQ_NAMESPACE, Dns, ForwardMode, Network, metadata};
use crate::style::Print;
use crate::write::Writer;
use crate::{Comments, Style};

/// Which of the two forms is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The form of a running network.
    Live,
    /// The form on disk.
    Inactive,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, Style::default())
    }
}

impl Print for Network {
    fn comments(&self) -> &Comments {
        &self.comments
    }

    fn print_bare(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let form = if style.inactive { Form::Inactive } else { Form::Live };
        let mut writer = Writer::new(f, style.libvirt);
        let namespace = (!self.dnsmasq_options.is_empty()).then_some(DNSMASQ_NAMESPACE);
        let connections = (form == Form::Live && self.connections > 0).then_some(self.connections);
        let root = writer.tag("network")?.optional("xmlns:dnsmasq", namespace)?;
        let root = root.optional("connections", connections)?.optional("ipv6", self.ipv6.then_some("yes"))?;
        let root = root.yes_no("trustGuestRxFilters", self.trust_guest_rx_filters)?;
        root.around(|writer| self.write(writer, form))?;
        writer.finish()
    }
}

impl Network {
    fn write(&self, writer: &mut Writer<'_>, form: Form) -> fmt::Result {
        writer.text("name", &self.name)?;
        if let Some(uuid) = self.uuid {
            writer.text("uuid", &uuid.to_string())?;
        }
        for (name, text) in [("title", &self.title), ("description", &self.description)] {
            if let Some(text) = text {
                writer.text(name, text)?;
            }
        }
        if let Some(metadata) = metadata::whole(self.metadata.as_ref(), &self.extensions)? {
            writer.verbatim(&metadata)?;
        }
        if let Some(forward) = self.forward.as_ref().filter(|forward| forward.mode != ForwardMode::None) {
            forward.write(writer, form)?;
        }
        match &self.bridge {
            Some(bridge) => bridge.write(writer, self.forward_mode())?,
            None => Bridge::default().write(writer, self.forward_mode())?,
        }
        if let Some(size) = self.mtu {
            writer.tag("mtu")?.attribute("size", size)?.empty()?;
        }
        if let Some(mac) = self.mac {
            writer.tag("mac")?.attribute("address", mac)?.empty()?;
        }
        if let Some(domain) = &self.domain {
            let tag = writer.tag("domain")?.attribute("name", &domain.name)?;
            tag.yes_no("localOnly", domain.local_only)?.yes_no("register", domain.register)?.empty()?;
        }
        if let Some(dns) = self.dns.as_ref().filter(|dns| **dns != Dns::default()) {
            dns.write(writer)?;
        }
        self.vlan.iter().try_for_each(|vlan| vlan.write(writer))?;
        self.bandwidth.iter().try_for_each(|bandwidth| bandwidth.write(writer))?;
        if let Some(isolated) = self.port_isolated {
            writer.tag("port")?.yes_no("isolated", Some(isolated))?.empty()?;
        }
        self.ips.iter().try_for_each(|ip| ip.write(writer))?;
        self.routes.iter().try_for_each(|route| route.write(writer))?;
        self.virtual_port.iter().try_for_each(|port| port.write(writer))?;
        self.port_groups.iter().try_for_each(|group| group.write(writer))?;
        if self.dnsmasq_options.is_empty() {
            return Ok(());
        }
        writer.tag("dnsmasq:options")?.around(|writer| {
            let mut options = self.dnsmasq_options.iter();
            options.try_for_each(|value| writer.tag("dnsmasq:option")?.attribute("value", value)?.empty())
        })
    }
}
