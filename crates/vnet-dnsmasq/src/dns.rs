//! The options for DNS.

use std::net::Ipv6Addr;

use vnet_types::IpNet;

use crate::line::{Lines, labels, name, only, quoted};
use crate::{Domain, Error, Field, Forwarder, Srv, Txt};

pub(crate) fn forwarders(conf: &mut Lines, forwarders: &[Forwarder]) -> Result<(), Error> {
    for forwarder in forwarders {
        let zone = match &forwarder.domain {
            Some(domain) => format!("/{}/", forwarder_domain(domain)?),
            None => String::new(),
        };
        let server = match (forwarder.addr, forwarder.port) {
            (Some(addr), Some(port)) => format!("{addr}#{port}"),
            (Some(addr), None) => addr.to_string(),
            (None, port) => {
                let domain = forwarder.domain.clone().ok_or(Error::EmptyForwarder)?;
                port.map_or(Ok(()), |port| Err(Error::ForwarderPort { domain, port }))?;
                "#".to_owned()
            }
        };
        conf.push(Field::ForwarderDomain, format_args!("server={zone}{server}"))?;
    }
    if forwarders.iter().any(|forwarder| forwarder.addr.is_some() && forwarder.domain.is_none()) {
        conf.plain("no-resolv");
    }
    Ok(())
}

/// Checks the domain of a forwarder. Empty means names without a dot; a leading dot has no effect;
/// a leading star matches any name with this ending.
fn forwarder_domain(domain: &str) -> Result<&str, Error> {
    let inner = domain.strip_prefix('*').unwrap_or(domain);
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    if !domain.is_empty() {
        name(Field::ForwarderDomain, inner)?;
    }
    Ok(domain)
}

pub(crate) fn domain(conf: &mut Lines, domain: &Domain) -> Result<(), Error> {
    let own = name(Field::Domain, &domain.name)?;
    if domain.local_only {
        conf.push(Field::Domain, format_args!("local=/{own}/"))?;
    }
    conf.push(Field::Domain, format_args!("domain={own}"))?;
    conf.plain("expand-hosts");
    Ok(())
}

/// The zone of a subnet's reverse names (RFC 1035 §3.5, RFC 3596 §2.5).
pub(crate) fn reverse_zone(net: IpNet) -> Result<String, Error> {
    let bits = if net.addr().is_ipv4() { 8 } else { 4 };
    if !net.prefix_len().is_multiple_of(bits) || net.prefix_len() == 0 || net.prefix_len() == net.max_prefix_len() {
        return Err(Error::ReverseZone { net, bits });
    }
    let labels = usize::from(net.prefix_len() / bits);
    let (labels, suffix): (Vec<String>, _) = match net {
        IpNet::V4(v4) => {
            (v4.addr().octets().map(|octet| octet.to_string()).into_iter().take(labels).collect(), "in-addr")
        }
        IpNet::V6(v6) => (nibbles(v6.addr()).map(|nibble| format!("{nibble:x}")).take(labels).collect(), "ip6"),
    };
    let zone: Vec<String> = labels.into_iter().rev().collect();
    Ok(format!("{}.{suffix}.arpa", zone.join(".")))
}

fn nibbles(address: Ipv6Addr) -> impl Iterator<Item = u8> {
    address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 0xf])
}

pub(crate) fn txt(conf: &mut Lines, txt: &Txt) -> Result<(), Error> {
    let own = labels(Field::TxtName, only(Field::TxtName, &txt.name, |c| c.is_ascii_graphic() && c != ',')?)?;
    let own = quoted(Field::TxtName, own)?;
    let value = quoted(Field::TxtValue, &txt.value)?;
    conf.push(Field::TxtValue, format_args!("txt-record={own},{value}"))
}

pub(crate) fn srv(conf: &mut Lines, srv: &Srv) -> Result<(), Error> {
    let signs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '/');
    let service = only(Field::SrvService, &srv.service, |c| signs(c) || matches!(c, '_' | '*'))?;
    let protocol = only(Field::SrvProtocol, &srv.protocol, signs)?;
    let mut record = format!("_{service}._{protocol}");
    if let Some(domain) = &srv.domain {
        record = format!("{record}.{}", name(Field::SrvDomain, domain)?);
    }
    labels(Field::SrvService, &record)?;
    if let Some(target) = srv.target.as_deref().filter(|target| *target != ".") {
        let numbers = [srv.port.unwrap_or(1), srv.priority.unwrap_or(0), srv.weight.unwrap_or(0)];
        let said = match [srv.port, srv.priority, srv.weight].map(Option::unwrap_or_default) {
            [0, 0, 0] => 0,
            [_, 0, 0] => 1,
            [_, _, 0] => 2,
            _ => 3,
        };
        let fields: String = numbers[..said].iter().map(|number| format!(",{number}")).collect();
        record = format!("{record},{}{fields}", name(Field::SrvTarget, target)?);
    }
    conf.push(Field::SrvService, format_args!("srv-host={record}"))
}
