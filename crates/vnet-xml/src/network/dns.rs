//! `<dns>`: the names that are answered here, and the servers for all other names.

use std::fmt;
use std::net::IpAddr;

use crate::element::Element;
use crate::grammar::{Grammar, TEXT};
use crate::value::{ip, number, text, yes_no};
use crate::write::Writer;

/// `<dns>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Dns {
    /// `enable`, yes if absent.
    pub enable: Option<bool>,
    /// `forwardPlainNames`, yes if absent.
    pub forward_plain_names: Option<bool>,
    /// `<forwarder>`
    pub forwarders: Vec<Forwarder>,
    /// `<txt>`
    pub txts: Vec<Txt>,
    /// `<srv>`
    pub srvs: Vec<Srv>,
    /// `<host>`
    pub hosts: Vec<DnsHost>,
}

/// `<forwarder>`: where DNS queries go. With a domain and no address, queries for the domain are
/// resolved locally.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Forwarder {
    /// `domain`
    pub domain: Option<String>,
    /// `addr`
    pub addr: Option<IpAddr>,
    /// `port`: the server's port; 53 if absent. Since libvirt 12.0.
    pub port: Option<u16>,
}

/// `<txt>`
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Txt {
    /// `name`
    pub name: String,
    /// `value`
    pub value: String,
}

/// `<srv>`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Srv {
    /// `service`, without the underscore.
    pub service: String,
    /// `protocol`, without the underscore.
    pub protocol: String,
    /// `domain`
    pub domain: Option<String>,
    /// `target`: the host that has the service.
    pub target: Option<String>,
    /// `port`
    pub port: Option<u16>,
    /// `priority`
    pub priority: Option<u16>,
    /// `weight`
    pub weight: Option<u16>,
}

/// `<host ip>` of `<dns>`: names of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DnsHost {
    /// `ip`
    pub ip: IpAddr,
    /// `<hostname>`, at least one.
    pub hostnames: Vec<String>,
}

pub(super) static GRAMMAR: Grammar = Grammar::new(
    &["enable", "forwardPlainNames"],
    &[("forwarder", &FORWARDER), ("txt", &TXT), ("srv", &SRV), ("host", &HOST)],
);
static FORWARDER: Grammar = Grammar::new(&["domain", "addr", "port"], &[]);
pub(super) static TXT: Grammar = Grammar::new(&["name", "value"], &[]);
pub(super) static SRV: Grammar =
    Grammar::new(&["service", "protocol", "domain", "target", "port", "priority", "weight"], &[]);
pub(super) static HOST: Grammar = Grammar::new(&["ip"], &[("hostname", &TEXT)]);

pub(super) fn dns(element: &Element<'_>) -> Dns {
    element.expect(&GRAMMAR);
    Dns {
        enable: element.value("enable", yes_no),
        forward_plain_names: element.value("forwardPlainNames", yes_no),
        forwarders: element.children("forwarder", forwarder),
        txts: element.children("txt", txt),
        srvs: element.children("srv", srv),
        hosts: element.children("host", dns_host),
    }
}

fn forwarder(element: &Element<'_>) -> Option<Forwarder> {
    element.expect(&FORWARDER);
    let (domain, addr) = (element.value("domain", text), element.value("addr", ip));
    let forwarder = Forwarder { domain, addr, port: element.value("port", number) };
    if !element.has("domain") && !element.has("addr") {
        element.missing("addr");
        return None;
    }
    Some(forwarder)
}

pub(super) fn txt(element: &Element<'_>) -> Option<Txt> {
    element.expect(&TXT);
    let (name, value) = (element.required("name", text), element.required("value", text));
    Some(Txt { name: name?, value: value? })
}

pub(super) fn srv(element: &Element<'_>) -> Option<Srv> {
    element.expect(&SRV);
    let (service, protocol) = (element.required("service", text), element.required("protocol", text));
    let (port, priority) = (element.value("port", number), element.value("priority", number));
    let weight = element.value("weight", number);
    let (domain, target) = (element.value("domain", text), element.value("target", text));
    Some(Srv { service: service?, protocol: protocol?, domain, target, port, priority, weight })
}

pub(super) fn dns_host(element: &Element<'_>) -> Option<DnsHost> {
    element.expect(&HOST);
    let hostnames = element.children("hostname", |hostname| {
        let name = hostname.only_text();
        if name.is_empty() {
            hostname.invalid_text("a host name");
        }
        (!name.is_empty()).then(|| name.to_owned())
    });
    if hostnames.is_empty() {
        element.required_child("hostname");
    }
    let ip = element.required("ip", ip)?;
    (!hostnames.is_empty()).then_some(DnsHost { ip, hostnames })
}

impl Dns {
    pub(super) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let tag = writer.tag("dns")?.yes_no("enable", self.enable)?;
        let tag = tag.yes_no("forwardPlainNames", self.forward_plain_names)?;
        if [self.forwarders.len(), self.txts.len(), self.srvs.len(), self.hosts.len()] == [0; 4] {
            return tag.empty();
        }
        tag.around(|writer| {
            for it in &self.forwarders {
                let tag = writer.tag("forwarder")?.optional("domain", it.domain.as_ref())?;
                tag.optional("addr", it.addr)?.optional("port", it.port)?.empty()?;
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
