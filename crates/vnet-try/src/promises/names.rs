//! The promises of a network's name server. Pure.

use std::collections::BTreeSet;

use vnet_lab::dns::{Kind, Question, Record};
use vnet_types::Family;
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, Forwarder};

use crate::promise::Promise;

/// Whether a network has a name server.
pub(super) fn has_names(network: &Network) -> bool {
    network.answers_names() && !network.ips.is_empty() && !crate::options::is_without_names(network)
}

/// Its answers, in the order of the elements.
pub(super) fn names(network: &Network) -> Vec<Promise> {
    let dns = network.dns.clone().unwrap_or_default();
    let domain = network.domain.as_ref().map(|domain| domain.name.clone());
    let mut promises = Vec::new();
    for host in &dns.hosts {
        for name in &host.hostnames {
            let question = Question::address(name, host.ip);
            promises.push(Promise::Answer { question, record: Record::Address(host.ip) });
        }
        let full = |name: &String| match &domain {
            Some(domain) if !name.contains('.') => format!("{name}.{domain}"),
            _ => name.clone(),
        };
        let names: BTreeSet<_> = host.hostnames.iter().map(full).collect();
        promises.push(Promise::Reverse { ip: host.ip, names: names.into_iter().collect() });
    }
    for srv in &dns.srvs {
        let domain = srv.domain.clone().or_else(|| domain.clone()).map_or(String::new(), |domain| format!(".{domain}"));
        let target = srv.target.clone().filter(|target| target != ".").unwrap_or_default();
        let is_there = !target.is_empty();
        let number = |number: Option<u16>, absent| if is_there { number.unwrap_or(absent) } else { 0 };
        promises.push(Promise::Answer {
            question: Question { name: format!("_{}._{}{domain}", srv.service, srv.protocol), kind: Kind::Srv },
            record: Record::Service {
                priority: number(srv.priority, 0),
                weight: number(srv.weight, 0),
                // dnsmasq answers so where it was told no port.
                port: srv.port.filter(|port| is_there && *port != 0).unwrap_or(1),
                target,
            },
        });
    }
    for txt in &dns.txts {
        let question = Question { name: txt.name.clone(), kind: Kind::Txt };
        promises.push(Promise::Answer { question, record: Record::Text(txt.value.clone().into_bytes()) });
    }
    let leases = network.ips.iter().filter(|ip| ip.dhcp.as_ref().is_some_and(|dhcp| !dhcp.ranges.is_empty()));
    promises.extend(leases.map(|ip| Promise::OwnName { family: Family::of(ip.address) }));
    promises.extend(forwarded(network, &dns.forwarders));
    promises
}

/// The servers that are asked: for each domain with servers of its own, and for everything else.
fn forwarded(network: &Network, forwarders: &[Forwarder]) -> Vec<Promise> {
    let own = network.domain.as_ref().filter(|own| own.local_only == Some(true)).map(|own| &own.name);
    let domains: BTreeSet<_> = forwarders.iter().filter_map(|it| it.domain.clone()).collect();
    let general = || forwarders.iter().filter(|it| it.domain.is_none()).filter_map(|it| it.addr);
    let special = domains.into_iter().filter(|domain| !domain.is_empty() && Some(domain) != own).map(|domain| {
        let of_domain = || forwarders.iter().filter(|it| it.domain.as_ref() == Some(&domain));
        let servers = of_domain().filter_map(|it| it.addr);
        let servers = if of_domain().all(|it| it.addr.is_some()) { servers.collect() } else { general().collect() };
        Promise::Forwarded { servers, domain: Some(domain) }
    });
    let rest = Promise::Forwarded { servers: general().collect(), domain: None };
    // An isolated network does not forward questions to the host's servers.
    let is_asked = |promise: &Promise| match promise {
        Promise::Forwarded { servers, .. } => !servers.is_empty() || network.forward_mode() != ForwardMode::None,
        _ => true,
    };
    special.chain([rest]).filter(is_asked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarders_are_asked_for_their_domain() {
        let mut network = Network::new("n");
        network.ips.push("192.168.122.1/24".parse().map(vnet_xml::network::Ip::new).unwrap());
        let forwarder = |domain: Option<&str>, addr: Option<&str>| {
            let mut forwarder = Forwarder::default();
            forwarder.domain = domain.map(str::to_owned);
            forwarder.addr = addr.map(|addr| addr.parse().unwrap());
            forwarder
        };
        let forwarders = [forwarder(Some("a.example"), Some("8.8.4.4")), forwarder(None, Some("8.8.8.8"))];
        network.dns = Some(vnet_xml::network::Dns::default());
        network.dns.as_mut().unwrap().forwarders = forwarders.to_vec();
        let texts: Vec<_> = names(&network).iter().map(|promise| promise.text(&[])).collect();
        let expected = ["DNS: names in a.example are asked of 8.8.4.4", "DNS: other names are asked of 8.8.8.8"];
        assert_eq!(texts, expected);
    }
}
