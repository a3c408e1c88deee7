//! `<domain>` and `<dns>`: the names that the network's DNS server knows, and its options.

pub(crate) mod options;

use vnet_xml::network::{Dns, DnsHost, Domain, Forwarder, Srv, Txt};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;
use crate::words::{self, LONGEST_LABEL};

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(found) = &network.domain {
        let path = root.element("domain");
        findings.extend(domain(found, &path));
        findings.extend(unanswered(network, found, &path));
    }
    findings.extend(options::check(network, root));
    if let Some(dns) = &network.dns {
        let path = root.element("dns");
        findings.extend(disabled(dns, &path).or_else(|| unheard(network, dns, &path)));
        findings.extend(records(dns, &path));
        findings.extend(itself(network, dns, &path));
    }
    findings
}

/// dnsmasq ignores a forwarder that has one of its own addresses.
fn itself(network: &Network, dns: &Dns, path: &NodePath) -> Vec<Finding> {
    let own = |forwarder: &Forwarder| {
        let addr = forwarder.addr.filter(|_| forwarder.port.is_none_or(|port| port == 53))?;
        Some((addr, network.ips.iter().position(|ip| ip.address == addr)?))
    };
    let forwarders = dns.forwarders.iter().enumerate();
    let forwarders = forwarders.filter_map(|(index, forwarder)| Some((index, own(forwarder)?)));
    let finding = |(index, (addr, ip))| {
        let message = format!("`{addr}` is this network's own DNS server: nothing is forwarded to it");
        let at = path.nth("forwarder", index).attribute("addr");
        let network = path.parent().unwrap_or_else(|| path.clone());
        Finding::new(rules::DNS_FORWARDER_ITSELF, at, message)
            .related(network.nth("ip", ip).attribute("address"), "the network has the address here")
            .help(
                "write the address of another DNS server, or leave `addr` out: the domain is then answered here alone",
            )
    };
    forwarders.map(finding).collect()
}

fn domain(domain: &Domain, path: &NodePath) -> Vec<Finding> {
    let name = words::name(path.attribute("name"), "the domain", &domain.name);
    let register = (domain.register == Some(true) && domain.local_only != Some(true)).then(|| {
        let message = "only a domain that is answered here alone can be registered with the host's resolver";
        Finding::new(rules::DOMAIN_REGISTER, path.attribute("register"), message)
            .help("add `localOnly='yes'`, or leave `register` out")
    });
    name.into_iter().chain(register).collect()
}

/// The resolver of the host would ask a DNS server that the network does not have.
fn unanswered(network: &Network, domain: &Domain, path: &NodePath) -> Option<Finding> {
    let is_sound = domain.register == Some(true) && domain.local_only == Some(true);
    let is_asked = is_sound && network.registered_domain().is_none();
    is_asked.then(|| {
        let message = "the network has no DNS server that the host could ask for names of the domain";
        Finding::new(rules::DOMAIN_REGISTER_UNANSWERED, path.attribute("register"), message)
            .help("leave `register` out; a network with an `<ip>` has a DNS server, unless `<dns enable='no'/>`")
    })
}

/// The first element in `<dns>`. These elements have no effect when no server answers.
fn first_record(dns: &Dns, path: &NodePath) -> Option<NodePath> {
    let counts = [
        ("forwarder", dns.forwarders.len()),
        ("txt", dns.txts.len()),
        ("srv", dns.srvs.len()),
        ("host", dns.hosts.len()),
    ];
    let (name, _) = counts.into_iter().find(|(_, count)| *count > 0)?;
    Some(path.nth(name, 0))
}

fn disabled(dns: &Dns, path: &NodePath) -> Option<Finding> {
    let record = first_record(dns, path).filter(|_| dns.enable == Some(false))?;
    let message = "DNS is disabled, yet there are records or forwarders for it";
    let finding = Finding::new(rules::DNS_DISABLED_WITH_RECORDS, path.attribute("enable"), message);
    Some(finding.related(record, "the first is here").help("write `enable='yes'`, or leave `<dns>` without children"))
}

fn unheard(network: &Network, dns: &Dns, path: &NodePath) -> Option<Finding> {
    first_record(dns, path).filter(|_| network.ips.is_empty() && network.forward_mode().has_own_bridge())?;
    let message = "nobody answers DNS queries in a network without an `<ip>`";
    let finding = Finding::new(rules::DNS_WITHOUT_IP, path.clone(), message);
    Some(finding.help("add an `<ip>` for the bridge, or leave `<dns>` out"))
}

fn records(dns: &Dns, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, record) in dns.forwarders.iter().enumerate() {
        findings.extend(forwarder(record, &path.nth("forwarder", index)));
    }
    for (index, record) in dns.txts.iter().enumerate() {
        findings.extend(txt(record, &path.nth("txt", index)));
    }
    for (index, record) in dns.srvs.iter().enumerate() {
        findings.extend(srv(record, &path.nth("srv", index)));
    }
    for (index, record) in dns.hosts.iter().enumerate() {
        findings.extend(host(record, &path.nth("host", index)));
    }
    findings
}

fn forwarder(forwarder: &Forwarder, path: &NodePath) -> Option<Finding> {
    let port = |message| Some(Finding::new(rules::DNS_FORWARDER_PORT, path.attribute("port"), message));
    match forwarder {
        Forwarder { port: Some(0), .. } => port("no server has the port 0")?.help("write 1 to 65535").into(),
        Forwarder { domain: Some(_), addr: None, port: Some(_), .. } => {
            let finding = port("the port is of a server, and the forwarder names none")?;
            Some(finding.help("add `addr`, or leave `port` out"))
        }
        Forwarder { domain: None, addr: None, .. } => {
            let message = "the forwarder says neither which domain nor which server";
            let finding = Finding::new(rules::DNS_FORWARDER_EMPTY, path.clone(), message);
            Some(finding.help("write `addr` for a server, `domain` for a domain, or both"))
        }
        Forwarder { domain: Some(domain), .. } => forwarder_domain(domain, path.attribute("domain")),
        Forwarder { .. } => None,
    }
}

/// The empty domain means names without a dot; a leading `*` means all names with that ending.
fn forwarder_domain(domain: &str, path: NodePath) -> Option<Finding> {
    let inner = domain.strip_prefix('*').unwrap_or(domain);
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    if domain.is_empty() { None } else { words::name(path, "the domain", inner) }
}

fn txt(txt: &Txt, path: &NodePath) -> Vec<Finding> {
    let name = match txt.name.chars().find(|c| matches!(c, ' ' | ',')) {
        Some(character) => {
            let message = format!("the name {:?} of a TXT record has the character {character:?}", txt.name);
            let instead = txt.name.replace([' ', ','], "-");
            let finding = Finding::new(rules::DNS_TXT_NAME, path.attribute("name"), message);
            Some(finding.help(format!("write for example `name='{instead}'`")))
        }
        None => txt_name(&txt.name, path.attribute("name")),
    };
    let value = words::text(path.attribute("value"), "the record's value", &txt.value);
    name.into_iter().chain(value).collect()
}

/// The name may have characters that host names do not allow.
fn txt_name(name: &str, path: NodePath) -> Option<Finding> {
    let odd = words::breaks_syntax(&path, "the record's name", name, |c| !c.is_ascii_graphic());
    odd.or_else(|| words::labels(path, "the record's name", name))
}

fn srv(srv: &Srv, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(srv_word(srv, path));
    // `.` means that the service does not exist.
    let target = srv.target.as_ref().filter(|target| *target != ".");
    let names = [("domain", srv.domain.as_ref()), ("target", target)];
    for (attribute, value) in names {
        let what = format!("the record's {attribute}");
        findings.extend(value.and_then(|value| words::name(path.attribute(attribute), &what, value)));
    }
    let numbers = [("port", srv.port), ("priority", srv.priority), ("weight", srv.weight)];
    let needless = numbers.iter().find(|(_, number)| number.is_some()).filter(|_| srv.target.is_none());
    if let Some((attribute, _)) = needless {
        let message = format!("the SRV record has a {attribute}, but no target that it is about");
        let finding = Finding::new(rules::DNS_SRV_WITHOUT_TARGET, path.attribute(attribute), message);
        findings.push(finding.help(format!("add `target='host.example.com'`, or leave `{attribute}` out")));
    } else if srv.port == Some(0) {
        let finding = Finding::new(rules::DNS_SRV_PORT_ZERO, path.attribute("port"), "no service has the port 0");
        findings.push(finding.help("write 1 to 65535"));
    }
    findings
}

/// The service and the protocol become labels of the record's name, behind a `_`.
fn srv_word(srv: &Srv, path: &NodePath) -> Vec<Finding> {
    let words = [
        (rules::DNS_SRV_SERVICE, "service", &srv.service, "_-+/*", "ldap"),
        (rules::DNS_SRV_PROTOCOL, "protocol", &srv.protocol, "-+/", "tcp"),
    ];
    let check = |(rule, attribute, value, special, example): (_, &str, &String, &str, &str)| {
        let odd = value.chars().find(|c| !c.is_ascii_alphanumeric() && !special.contains(*c));
        let message = match odd {
            _ if value.is_empty() => format!("the {attribute} of an SRV record is empty"),
            Some(character) => format!("the {attribute} {value:?} of an SRV record has the character {character:?}"),
            // The underscore is a part of the label.
            None if value.len() >= LONGEST_LABEL => {
                format!(
                    "the {attribute} of an SRV record is {} bytes long, the limit is {}",
                    value.len(),
                    LONGEST_LABEL - 1
                )
            }
            None => return None,
        };
        let help = format!("write it without underscore and domain, for example `{attribute}='{example}'`");
        Some(Finding::new(rule, path.attribute(attribute), message).help(help))
    };
    words.into_iter().filter_map(check).collect()
}

fn host(host: &DnsHost, path: &NodePath) -> Vec<Finding> {
    if host.hostnames.is_empty() {
        let message = format!("the address `{}` is given no name", host.ip);
        let finding = Finding::new(rules::DNS_HOST_WITHOUT_NAME, path.clone(), message);
        return vec![finding.help("add `<hostname>name</hostname>`")];
    }
    let check = |(index, name): (usize, &String)| {
        let path = path.nth("hostname", index);
        if name.is_empty() {
            let finding = Finding::new(rules::DNS_HOST_WITHOUT_NAME, path, format!("a name of `{}` is empty", host.ip));
            return Some(finding.help("write a name, or leave `<hostname>` out"));
        }
        words::name(path, "the name", name).map(|finding| match name.strip_prefix("*.") {
            Some(domain) => finding.help(format!(
                "for all names of a domain write `<dnsmasq:option value='address=/{domain}/{}'/>` in `<dnsmasq:options>`",
                host.ip
            )),
            None => finding,
        })
    };
    host.hostnames.iter().enumerate().filter_map(check).collect()
}
