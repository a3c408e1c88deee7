//! `<dhcp>`: ranges and hosts.

use std::net::IpAddr;

use vnet_rpc::{ErrorCode, ErrorDomain};
use vnet_types::MacAddr;

use super::ip::{Subnet, address, number_of, parse};
use super::tree::Element;
use super::{Judgement, Refusal, by_network, number, of, required, unsupported, word, xml_error};

/// How many addresses may follow the first one of a range.
const RANGE_MAX: u128 = 65535;
/// The shortest lease, in seconds.
const LEASE_MIN: u64 = 120;

pub(super) fn check(name: &str, ip: &Subnet, dhcp: &Element) -> Judgement {
    dhcp.children("range").try_for_each(|element| range(name, ip, element))?;
    dhcp.children("host").try_for_each(|element| host(name, ip, element, false))?;
    if let Some(bootp) = dhcp.child("bootp").filter(|_| ip.address.is_ipv4()) {
        required(bootp, "file")?;
        bootp.attribute("server").map_or(Ok(()), |server| address(server).map(drop))?;
    }
    Ok(())
}

pub(super) fn range(name: &str, ip: &Subnet, range: &Element) -> Judgement {
    let end = |which: &str| {
        let missing = || xml_error(format!("Missing '{which}' attribute in dhcp range for network '{name}'"));
        address(range.attribute(which).ok_or_else(missing)?)
    };
    let (start, end) = (end("start")?, end("end")?);
    let (network, prefix) = (ip.address, ip.prefix);
    let wrong = |words: String| -> Refusal { of(ErrorCode::InternalError, ErrorDomain::None, words) };
    if start.is_ipv4() != end.is_ipv4() {
        return Err(wrong(format!("mismatch of address family in range {start} - {end}")));
    }
    if start.is_ipv4() != network.is_ipv4() {
        return Err(wrong(format!("mismatch of address family in range {start} - {end} for network {network}")));
    }
    let (low, high) = ip.ends();
    let (first, last) = (number_of(start), number_of(end));
    if ![first, last].iter().all(|it| (low..=high).contains(it)) {
        let what = format!("range {start} - {end} is not entirely within network {network}/{prefix}");
        return Err(wrong(what));
    }
    let within = format!("of range {start} - {end} in network {network}/{prefix}");
    if start.is_ipv4() && first == low {
        return Err(wrong(format!("start {within} is the network address")));
    }
    if start.is_ipv4() && last == high {
        return Err(wrong(format!("end {within} is the broadcast address")));
    }
    span(start, end)?;
    range.child("lease").map_or(Ok(()), lease)
}

/// Checks that two addresses are the ends of a range that is not too long.
pub(super) fn span(start: IpAddr, end: IpAddr) -> Judgement {
    let (first, last) = (number_of(start), number_of(end));
    let wrong = |words: String| Err(of(ErrorCode::InternalError, ErrorDomain::None, words));
    if last < first {
        let words = if start.is_ipv4() { "is reversed " } else { "start larger than end" };
        return wrong(format!("range {start} - {end} {words}"));
    }
    // Of addresses of IPv6 all but the last part must be equal.
    match last - first > RANGE_MAX || (start.is_ipv6() && first >> 16 != last >> 16) {
        true => wrong(format!("range {start} - {end} is too large (> {RANGE_MAX})")),
        false => Ok(()),
    }
}

pub(super) fn host(name: &str, ip: &Subnet, host: &Element, is_partial: bool) -> Judgement {
    let (mac, id, host_name) = (host.attribute("mac"), host.attribute("id"), host.attribute("name"));
    if let Some(text) = mac {
        if ip.address.is_ipv6() {
            return Err(xml_error(format!(
                "Invalid to specify MAC address '{text}' in network '{name}' IPv6 static host definition"
            )));
        }
        match text.parse::<MacAddr>() {
            Err(_) => return Err(xml_error(format!("Cannot parse MAC address '{text}' in network '{name}'"))),
            Ok(mac) if mac.is_multicast() => {
                return Err(xml_error(format!(
                    "expected unicast mac address, found multicast '{text}' in network '{name}'"
                )));
            }
            Ok(_) => {}
        }
    }
    if let Some(id) = id
        && let Some(wrong) = id.chars().find(|it| !it.is_ascii_hexdigit() && *it != ':')
    {
        return Err(xml_error(format!("Invalid character '{wrong}' in id '{id}' of network '{name}'")));
    }
    if let Some(host_name) = host_name.filter(|it| !it.starts_with(|it: char| it.is_ascii_alphanumeric())) {
        return Err(xml_error(format!("Cannot use host name '{host_name}' in network '{name}'")));
    }
    let address = host.attribute("ip").map(|text| {
        let wrong = || xml_error(format!("Invalid IP address in static host definition for network '{name}'"));
        parse(text).ok_or_else(wrong)
    });
    let address = address.transpose()?;
    let must_have = |family: &str, what: &str| {
        Err(xml_error(format!("Static host definition in {family} network '{name}' must have {what} attribute")))
    };
    match (is_partial, ip.address) {
        (true, _) if mac.is_none() && host_name.is_none() && address.is_none() => {
            return Err(xml_error(format!(
                "At least one of name, mac, or ip attribute must be specified for static host definition in network \
                 '{name}'"
            )));
        }
        (false, IpAddr::V6(_)) if id.is_none() && host_name.is_none() => return must_have("IPv6", "id or name"),
        (false, IpAddr::V4(_)) if mac.is_none() && host_name.is_none() => return must_have("IPv4", "mac or name"),
        (false, _) if address.is_none() => {
            return Err(xml_error(format!("Missing IP address in static host definition for network '{name}'")));
        }
        _ => {}
    }
    host.child("lease").map_or(Ok(()), lease)
}

/// An entry that is to be added has an address of the family that its parent has.
pub(super) fn family(ip: &Subnet, host: &Element) -> Judgement {
    let address = host.attribute("ip").and_then(parse);
    match address.is_some_and(|address| address.is_ipv4() != ip.address.is_ipv4()) {
        true => {
            let words =
                "the address family of a host entry IP must match the address family of the dhcp element's parent";
            Err(by_network(ErrorCode::OperationInvalid, words))
        }
        false => Ok(()),
    }
}

fn lease(lease: &Element) -> Judgement {
    let Some(expiry) = number(lease, "expiry", u64::MAX)? else { return Ok(()) };
    word(Some(lease), "unit", &["seconds", "minutes", "hours"])?;
    let unit = match lease.attribute("unit") {
        Some("seconds") => 1,
        Some("hours") => 3600,
        _ => 60,
    };
    match expiry > 0 && expiry.saturating_mul(unit) < LEASE_MIN {
        true => Err(unsupported("The minimum lease time should be greater than 2 minutes")),
        false => Ok(()),
    }
}
