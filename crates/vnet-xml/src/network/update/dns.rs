//! Updates of the children of `<dns>`.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Command, Given, Put, Section, UpdateError, UpdateRefusal, Updated, only, places};
use crate::NodePath;
use crate::element::Element;
use crate::network::dns::{HOST, SRV, TXT, dns_host, srv, txt};
use crate::network::{Dns, DnsHost, Network, Srv, Txt};
use crate::value::{ip, number, text};

/// What a deletion says about the record to delete; absent parts match anything.
struct WantedHost {
    ip: Option<IpAddr>,
    hostnames: HashSet<String>,
}

struct WantedSrv {
    service: Option<String>,
    protocol: Option<String>,
    domain: Option<String>,
    target: Option<String>,
}

pub(super) fn hosts(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    if command == Command::Delete {
        let given = Given::read(document, "host", wanted_host)?;
        let WantedHost { ip, hostnames } = &given.value;
        if ip.is_none() && hostnames.is_empty() {
            return Err(given.refuse("", UpdateRefusal::Nothing));
        }
        let fits = |host: &DnsHost| *ip == Some(host.ip) || host.hostnames.iter().any(|name| hostnames.contains(name));
        let dns = network.dns.get_or_insert_default();
        let found = only(&places(&dns.hosts, fits), || "such `<host>` of DNS".to_owned());
        let at = found.map_err(|reason| given.refuse("", reason))?;
        dns.hosts.remove(at);
        tidy(&mut network);
        return Ok(given.deleted(network, &path().nth("host", at)));
    }
    let given = Given::read(document, "host", dns_host)?;
    let hosts = &mut network.dns.get_or_insert_default().hosts;
    let same = places(hosts, |host| host.ip == given.value.ip);
    let what = || format!("DNS host with the address `{}`", given.value.ip);
    let put = match command {
        Command::Modify => Put::InPlaceOf(only(&same, what).map_err(|reason| given.refuse("ip", reason))?),
        _ if same.is_empty() => Put::new(command),
        _ => return Err(given.refuse("ip", UpdateRefusal::Exists(format!("a {}", what())))),
    };
    let at = put.into(hosts, given.value.clone());
    Ok(given.put(network, command, path().nth("host", at)))
}

fn wanted_host(element: &Element<'_>) -> Option<WantedHost> {
    element.expect(&HOST);
    let hostnames = element.children("hostname", |hostname| Some(hostname.only_text().to_owned()));
    Some(WantedHost { ip: element.value("ip", ip), hostnames: hostnames.into_iter().collect() })
}

pub(super) fn txts(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    if command == Command::Delete {
        let given = Given::read(document, "txt", |element| {
            element.expect(&TXT);
            element.required("name", text)
        })?;
        let name = &given.value;
        let txts = &mut network.dns.get_or_insert_default().txts;
        let found = txts.iter().position(|txt| txt.name == *name);
        let absent = || given.refuse("name", UpdateRefusal::Absent(format!("TXT record `{name}`")));
        let at = found.ok_or_else(absent)?;
        txts.remove(at);
        tidy(&mut network);
        return Ok(given.deleted(network, &path().nth("txt", at)));
    }
    let given = Given::read(document, "txt", txt)?;
    let Txt { name, .. } = &given.value;
    let txts = &mut network.dns.get_or_insert_default().txts;
    let put = match (command, txts.iter().position(|txt| txt.name == *name)) {
        (Command::Modify, Some(at)) => Put::InPlaceOf(at),
        (Command::Modify, None) => {
            return Err(given.refuse("name", UpdateRefusal::Absent(format!("TXT record `{name}`"))));
        }
        (_, Some(_)) => return Err(given.refuse("name", UpdateRefusal::Exists(format!("a TXT record `{name}`")))),
        (_, None) => Put::new(command),
    };
    let at = put.into(txts, given.value.clone());
    Ok(given.put(network, command, path().nth("txt", at)))
}

pub(super) fn srvs(mut network: Network, command: Command, document: &[u8]) -> Result<Updated, UpdateError> {
    let what = || "such SRV record".to_owned();
    if command == Command::Delete {
        let given = Given::read(document, "srv", wanted_srv)?;
        let srvs = &mut network.dns.get_or_insert_default().srvs;
        let found = only(&places(srvs, |srv| given.value.fits(srv)), what);
        let at = found.map_err(|reason| given.refuse("", reason))?;
        srvs.remove(at);
        tidy(&mut network);
        return Ok(given.deleted(network, &path().nth("srv", at)));
    }
    let given = Given::read(document, "srv", srv)?;
    if command == Command::Modify {
        return Err(given.refuse("", UpdateRefusal::NotModified(Section::DnsSrv)));
    }
    let Srv { service, protocol, domain, target, .. } = given.value.clone();
    let wanted = WantedSrv { service: Some(service), protocol: Some(protocol), domain, target };
    let srvs = &mut network.dns.get_or_insert_default().srvs;
    if srvs.iter().any(|srv| wanted.fits(srv)) {
        return Err(given.refuse("service", UpdateRefusal::Exists("such an SRV record".to_owned())));
    }
    let at = Put::new(command).into(srvs, given.value.clone());
    Ok(given.put(network, command, path().nth("srv", at)))
}

impl WantedSrv {
    fn fits(&self, srv: &Srv) -> bool {
        let same = |wanted: &Option<String>, has: Option<&String>| wanted.is_none() || wanted.as_ref() == has;
        same(&self.service, Some(&srv.service))
            && same(&self.protocol, Some(&srv.protocol))
            && same(&self.domain, srv.domain.as_ref())
            && same(&self.target, srv.target.as_ref())
    }
}

fn wanted_srv(element: &Element<'_>) -> Option<WantedSrv> {
    element.expect(&SRV);
    for name in ["port", "priority", "weight"] {
        element.value::<u16>(name, number);
    }
    let value = |name| element.value(name, text);
    Some(WantedSrv {
        service: value("service"),
        protocol: value("protocol"),
        domain: value("domain"),
        target: value("target"),
    })
}

/// Removes a `<dns>` that sets nothing.
fn tidy(network: &mut Network) {
    network.dns.take_if(|dns| *dns == Dns::default());
}

fn path() -> NodePath {
    NodePath::root("network").element("dns")
}
