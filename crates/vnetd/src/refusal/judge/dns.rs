//! `<dns>` and what is in it.

use super::tree::Element;
use super::{Judgement, detail, ip, xml_error, yes_no};

/// The longest name of a service.
const SERVICE_MAX: usize = 63;

pub(super) fn check(name: &str, dns: &Element) -> Judgement {
    yes_no(Some(dns), "enable")?;
    yes_no(Some(dns), "forwardPlainNames")?;
    for forwarder in dns.children("forwarder") {
        match forwarder.attribute("addr") {
            Some(address) if ip::parse(address).is_none() => {
                return Err(xml_error(format!("Invalid forwarder IP address '{address}' in network '{name}'")));
            }
            None if forwarder.attribute("domain").is_none() => {
                return Err(xml_error("Invalid forwarder element, must contain at least one of addr or domain"));
            }
            _ => {}
        }
    }
    dns.children("host").try_for_each(|element| host(name, element, false))?;
    dns.children("srv").try_for_each(|element| srv(name, element, false))?;
    dns.children("txt").try_for_each(|element| txt(name, element, false))?;
    let has_data = ["forwarder", "host", "srv", "txt"].iter().any(|element| dns.child(element).is_some());
    match dns.attribute("enable") == Some("no") && has_data {
        true => Err(xml_error(format!("Extra data in disabled network '{name}'"))),
        false => Ok(()),
    }
}

pub(super) fn host(name: &str, host: &Element, is_partial: bool) -> Judgement {
    let record = |what: &str| detail(format!("{what} in network '{name}' DNS HOST record"));
    let (address, has_name) = (host.attribute("ip"), host.child("hostname").is_some());
    if host.children("hostname").any(|it| it.text().is_empty()) || !(has_name || is_partial) {
        return Err(record("Missing hostname"));
    }
    match address {
        Some(address) if ip::parse(address).is_none() => Err(record("Invalid IP address")),
        None if !is_partial => Err(record("Missing IP address")),
        None if !has_name => Err(record("Missing ip and hostname")),
        _ => Ok(()),
    }
}

pub(super) fn txt(name: &str, txt: &Element, is_partial: bool) -> Judgement {
    let Some(record) = txt.attribute("name") else {
        return Err(detail(format!("missing required name attribute in DNS TXT record of network {name}")));
    };
    if record.contains([' ', ',']) {
        return Err(detail(format!("prohibited character in DNS TXT record name '{record}' of network {name}")));
    }
    if txt.attribute("value").is_none() && !is_partial {
        let what = format!("missing required value attribute in DNS TXT record named '{record}' of network {name}");
        return Err(detail(what));
    }
    Ok(())
}

pub(super) fn srv(name: &str, srv: &Element, is_partial: bool) -> Judgement {
    let (service, protocol) = (srv.attribute("service"), srv.attribute("protocol"));
    let Some(service) = service.or_else(|| is_partial.then_some("")) else {
        return Err(detail(format!("missing required service attribute in DNS SRV record of network '{name}'")));
    };
    if service.len() > SERVICE_MAX {
        return Err(detail(format!(
            "service attribute '{service}' in network '{name}' is too long, limit is {SERVICE_MAX} bytes"
        )));
    }
    let strange = |what: &str, value: &str, signs: &str| {
        let is_wrong = value.chars().any(|it| !it.is_ascii_alphanumeric() && !signs.contains(it));
        let words = format!("invalid character in {what} attribute '{value}' in DNS SRV record of network '{name}'");
        if is_wrong { Err(detail(words)) } else { Ok(()) }
    };
    strange("service", service, "_-+/*")?;
    match protocol {
        Some(protocol) => strange("protocol", protocol, "-+/")?,
        None if is_partial => {}
        None => {
            return Err(detail(format!(
                "missing required protocol attribute in DNS SRV record '{service}' of network '{name}'"
            )));
        }
    }
    for (attribute, least, wrong) in [("port", 1, "invalid"), ("priority", 0, "Invalid"), ("weight", 0, "invalid")] {
        let Some(value) = srv.filled(attribute) else { continue };
        let number = value.parse::<u64>();
        if number.is_ok() && srv.attribute("target").is_none() {
            return Err(detail(format!(
                "DNS SRV {attribute} attribute not permitted without target for service '{service}' in network '{name}'"
            )));
        }
        if !number.is_ok_and(|number| (least..=65535).contains(&number)) {
            return Err(detail(format!(
                "{wrong} DNS SRV {attribute} attribute for service '{service}' in network '{name}'"
            )));
        }
    }
    Ok(())
}
