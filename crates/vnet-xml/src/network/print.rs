//! Prints `<network>` as libvirt does, byte for byte: `virNetworkDefFormat`'s order, and what it leaves out.

use std::fmt;

use super::model::*;
use crate::write::{Tag, Writer};

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer::new(f);
        let root = writer.tag("network")?.optional("ipv6", self.ipv6.then_some("yes"))?;
        root.around(|writer| self.write(writer))
    }
}

impl Network {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.text("name", &self.name)?;
        if let Some(uuid) = self.uuid {
            writer.text("uuid", &uuid.to_string())?;
        }
        for (name, text) in [("title", &self.title), ("description", &self.description)] {
            if let Some(text) = text {
                writer.text(name, text)?;
            }
        }
        if let Some(forward) = self.forward.as_ref().filter(|forward| forward.mode != ForwardMode::None) {
            forward.write(writer)?;
        }
        self.bridge.clone().unwrap_or_default().write(writer)?;
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
        self.ips.iter().try_for_each(|ip| ip.write(writer))?;
        self.routes.iter().try_for_each(|route| route.write(writer))
    }
}

impl Forward {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let mode = self.mode.word();
        let tag = writer.tag("forward")?.optional("dev", self.interfaces.first())?.attribute("mode", mode)?;
        let nat = self.nat.as_ref().filter(|nat| **nat != Nat::default() && self.mode == ForwardMode::Nat);
        if self.interfaces.is_empty() && nat.is_none() {
            return tag.empty();
        }
        tag.around(|writer| {
            if let Some(nat) = nat {
                nat.write(writer)?;
            }
            let write = |name| writer.tag("interface")?.attribute("dev", name)?.empty();
            self.interfaces.iter().try_for_each(write)
        })
    }
}

impl Nat {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("nat")?.yes_no("ipv6", self.ipv6)?;
        if self.addresses.is_none() && self.ports.is_none() {
            return tag.empty();
        }
        tag.around(|writer| {
            if let Some(range) = self.addresses {
                let tag = writer.tag("address")?.attribute("start", range.start())?;
                tag.attribute("end", range.end())?.empty()?;
            }
            if let Some(range) = self.ports {
                writer.tag("port")?.attribute("start", range.start())?.attribute("end", range.end())?.empty()?;
            }
            Ok(())
        })
    }
}

impl Bridge {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("bridge")?.optional("name", self.name.as_ref())?;
        let stp = if self.stp.unwrap_or(true) { "on" } else { "off" };
        tag.attribute("stp", stp)?.attribute("delay", self.delay.unwrap_or(0))?.empty()
    }
}

impl Dns {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("dns")?.yes_no("enable", self.enable)?;
        let tag = tag.yes_no("forwardPlainNames", self.forward_plain_names)?;
        if [self.forwarders.len(), self.txts.len(), self.srvs.len(), self.hosts.len()] == [0; 4] {
            return tag.empty();
        }
        tag.around(|writer| {
            for it in &self.forwarders {
                let tag = writer.tag("forwarder")?.optional("domain", it.domain.as_ref())?;
                tag.optional("addr", it.addr)?.empty()?;
            }
            for it in &self.txts {
                writer.tag("txt")?.attribute("name", &it.name)?.attribute("value", &it.value)?.empty()?;
            }
            self.srvs.iter().try_for_each(|srv| srv.write(writer))?;
            for it in &self.hosts {
                let names =
                    |writer: &mut Writer<'_>| it.hostnames.iter().try_for_each(|name| writer.text("hostname", name));
                writer.tag("host")?.attribute("ip", it.ip)?.around(names)?;
            }
            Ok(())
        })
    }
}

impl Srv {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("srv")?.attribute("service", &self.service)?.attribute("protocol", &self.protocol)?;
        let tag = tag.optional("domain", self.domain.as_ref())?.optional("target", self.target.as_ref())?;
        let some = |number: Option<u16>| number.filter(|number| *number != 0);
        let tag = tag.optional("port", some(self.port))?.optional("priority", some(self.priority))?;
        tag.optional("weight", some(self.weight))?.empty()
    }
}

impl Ip {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let mask = self.mask.filter(|mask| *mask != Mask::Prefix(0));
        let tag = writer.tag("ip")?.optional("family", self.family)?.attribute("address", self.address)?;
        mask_attribute(tag, mask)?.yes_no("localPtr", self.local_ptr)?.around(|writer| {
            if let Some(root) = &self.tftp_root {
                writer.tag("tftp")?.attribute("root", root)?.empty()?;
            }
            // libvirt leaves `<bootp>` out where it is alone; that loses what was written.
            match &self.dhcp {
                Some(dhcp) if *dhcp != Dhcp::default() => writer.tag("dhcp")?.around(|writer| dhcp.write(writer)),
                Some(_) | None => Ok(()),
            }
        })
    }
}

impl Dhcp {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        for range in &self.ranges {
            let tag = writer.tag("range")?.attribute("start", range.start)?.attribute("end", range.end)?;
            around_lease(tag, range.lease)?;
        }
        for host in &self.hosts {
            let tag = writer.tag("host")?.optional("mac", host.mac.as_ref())?.optional("id", host.id.as_ref())?;
            around_lease(tag.optional("name", host.name.as_ref())?.attribute("ip", host.ip)?, host.lease)?;
        }
        match &self.bootp {
            Some(bootp) => {
                writer.tag("bootp")?.attribute("file", &bootp.file)?.optional("server", bootp.server)?.empty()
            }
            None => Ok(()),
        }
    }
}

impl Route {
    fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("route")?.optional("family", self.family)?.attribute("address", self.address)?;
        let tag = mask_attribute(tag, self.mask)?.attribute("gateway", self.gateway)?;
        tag.optional("metric", self.metric)?.empty()
    }
}

fn mask_attribute<'a, 'w>(tag: Tag<'a, 'w>, mask: Option<Mask>) -> Result<Tag<'a, 'w>, fmt::Error> {
    match mask {
        Some(Mask::Netmask(netmask)) => tag.attribute("netmask", netmask),
        Some(Mask::Prefix(prefix)) => tag.attribute("prefix", prefix),
        None => Ok(tag),
    }
}

fn around_lease(tag: Tag<'_, '_>, lease: Option<Lease>) -> fmt::Result {
    let Some(lease) = lease else { return tag.empty() };
    tag.around(|writer| {
        let unit = (lease.expiry != 0).then(|| lease.unit.word());
        writer.tag("lease")?.attribute("expiry", lease.expiry)?.optional("unit", unit)?.empty()
    })
}
