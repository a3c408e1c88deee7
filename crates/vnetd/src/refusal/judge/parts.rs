//! What networks, groups of ports and ports share: bandwidth, VLANs, virtual ports, and routes.

use std::net::IpAddr;

use vnet_rpc::{ErrorCode, ErrorDomain};

use super::ip::{self, Subnet, number_of};
use super::tree::Element;
use super::{Judgement, Refusal, invalid, is_uuid, number, of, required, word, xml_error, yes_no};

/// The highest number of a VLAN.
const VLAN_MAX: u64 = 4095;
/// The longest name of a profile of a virtual port.
const PROFILE_MAX: usize = 39;
const U32: u64 = u32::MAX as u64;

fn by_nobody(code: ErrorCode, words: impl Into<String>) -> Refusal {
    of(code, ErrorDomain::None, words)
}

/// Checks a `<portgroup>`.
pub(super) fn port_group(group: &Element) -> Judgement {
    if group.filled("name").is_none() {
        return Err(xml_error("Missing required name attribute in portgroup"));
    }
    yes_no(Some(group), "trustGuestRxFilters")?;
    if let Some(port) = group.child("virtualport") {
        virtual_port(port, false)?;
    }
    if let Some(limits) = group.child("bandwidth") {
        bandwidth(limits, false, false)?;
    }
    group.child("vlan").map_or(Ok(()), vlan)
}

/// Checks what a port has beside its owner and its MAC address.
pub(super) fn port(port: &Element) -> Judgement {
    if let Some(port) = port.child("virtualport") {
        virtual_port(port, false)?;
    }
    if let Some(limits) = port.child("bandwidth") {
        bandwidth(limits, true, true)?;
    }
    if let Some(tags) = port.child("vlan") {
        vlan(tags)?;
    }
    yes_no(port.child("port"), "isolated")?;
    yes_no(port.child("rxfilters"), "trustGuest")?;
    let plug = port.child("plug");
    word(plug, "type", &["none", "network", "bridge", "direct", "hostdev-pci"])?;
    let Some((plug, kind)) = plug.and_then(|plug| Some((plug, plug.attribute("type")?))) else { return Ok(()) };
    match kind {
        "network" | "bridge" => match plug.attribute("macTableManager") {
            _ if plug.attribute("bridge").is_none() => Err(xml_error("Missing network port bridge name")),
            Some(manager) if !["kernel", "libvirt"].contains(&manager) => {
                Err(xml_error(format!("Invalid macTableManager setting '{manager}' in network port")))
            }
            _ => Ok(()),
        },
        "direct" => match plug.attribute("mode") {
            _ if plug.attribute("dev").is_none() => Err(xml_error("Missing network port link device name")),
            Some(mode) if !["vepa", "private", "bridge", "passthrough"].contains(&mode) => {
                Err(xml_error(format!("Invalid mode setting '{mode}' in network port")))
            }
            _ => Ok(()),
        },
        "hostdev-pci" => match plug.child("address") {
            None => yes_no(Some(plug), "managed").and(Err(xml_error("Missing network port PCI address"))),
            Some(_) => yes_no(Some(plug), "managed"),
        },
        _ => Ok(()),
    }
}

pub(super) fn bandwidth(bandwidth: &Element, has_class: bool, has_floor: bool) -> Judgement {
    if number(bandwidth, "classID", U32)?.is_some() && !has_class {
        let words = "classID attribute not supported on <bandwidth> in this usage context";
        return Err(by_nobody(ErrorCode::XmlDetail, words));
    }
    for (rate, has_floor) in [("inbound", has_floor), ("outbound", false)] {
        let Some(rate) = bandwidth.child(rate) else { continue };
        let mut given = [None; 4];
        for (attribute, given) in ["average", "peak", "burst", "floor"].into_iter().zip(&mut given) {
            *given = number(rate, attribute, u64::MAX)?;
        }
        let wrong = |words: &str| Err(by_nobody(ErrorCode::ConfigUnsupported, words));
        match given {
            [None, _, _, None] => {
                return Err(by_nobody(ErrorCode::XmlDetail, "Missing mandatory average or floor attributes"));
            }
            [None, peak, burst, _] if peak.or(burst).is_some() => {
                return wrong("'peak' and 'burst' require 'average' attribute");
            }
            [_, _, _, Some(_)] if !has_floor => return wrong("floor attribute is not supported for this config"),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that the kernel can count the limits.
pub(super) fn limits(bandwidth: &Element) -> Judgement {
    const SPEED_MAX: u64 = 1 << 54;
    const SIZE_MAX: u64 = U32 >> 10;
    for rate in ["inbound", "outbound"].iter().filter_map(|rate| bandwidth.child(rate)) {
        for (limit, most) in [("average", SPEED_MAX), ("peak", SPEED_MAX), ("burst", SIZE_MAX), ("floor", SPEED_MAX)] {
            let value = number(rate, limit, u64::MAX)?.unwrap_or_default();
            if value > most {
                let words = format!("value '{value}' is too big for '{limit}' parameter, maximum is '{most}'");
                return Err(by_nobody(ErrorCode::Overflow, words));
            }
        }
    }
    Ok(())
}

pub(super) fn vlan(vlan: &Element) -> Judgement {
    let wrong = |words: String| Err(by_nobody(ErrorCode::XmlError, words));
    let count = vlan.children("tag").count();
    if count == 0 {
        let words = "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement";
        return wrong(words.to_owned());
    }
    let mut has_native = false;
    for tag in vlan.children("tag") {
        required(tag, "id")?;
        let id = number(tag, "id", U32)?.unwrap_or_default();
        if id > VLAN_MAX {
            return wrong(format!("vlan tag id {id} too large (maximum {VLAN_MAX})"));
        }
        word(Some(tag), "nativeMode", &["tagged", "untagged"])?;
        let is_native = tag.attribute("nativeMode").is_some();
        if is_native && has_native {
            return wrong("duplicate native vlan setting".to_owned());
        }
        has_native |= is_native;
    }
    let Some(trunk) = vlan.filled("trunk").filter(|trunk| !trunk.eq_ignore_ascii_case("yes")) else { return Ok(()) };
    if count > 1 {
        return wrong(format!(
            "invalid \"trunk='{trunk}'\" in <vlan> - trunk='yes' is required for more than one vlan tag"
        ));
    }
    if has_native {
        let words = "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id";
        return wrong(words.to_owned());
    }
    match trunk.eq_ignore_ascii_case("no") {
        true => Ok(()),
        false => wrong(format!("invalid \"trunk='{trunk}'\" in <vlan> - must be yes or no")),
    }
}

pub(super) fn virtual_port(port: &Element, needs_type: bool) -> Judgement {
    const TYPES: [&str; 4] = ["802.1Qbg", "802.1Qbh", "openvswitch", "midonet"];
    let wrong = |words: &str| Err(by_nobody(ErrorCode::XmlError, words));
    match port.attribute("type") {
        Some(kind) if !TYPES.contains(&kind) => {
            let words = format!("unknown virtualport type {kind}");
            return Err(by_nobody(ErrorCode::ConfigUnsupported, words));
        }
        None if needs_type => return wrong("missing required virtualport type"),
        _ => {}
    }
    let Some(parameters) = port.child("parameters") else { return Ok(()) };
    let numbers = [
        ("managerid", 0xff, "value of managerid out of range"),
        ("typeid", 0x00ff_ffff, "value for typeid out of range"),
        ("typeidversion", 0xff, "value of typeidversion out of range"),
    ];
    for (parameter, most, words) in numbers {
        let Some(text) = parameters.attribute(parameter) else { continue };
        let value = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        match value {
            Err(_) => return wrong(&format!("cannot parse value of {parameter} parameter")),
            Ok(value) if value > most => return wrong(words),
            Ok(_) => {}
        }
    }
    let is_wrong = |parameter: &str| parameters.attribute(parameter).is_some_and(|text| !is_uuid(text));
    if is_wrong("instanceid") {
        return wrong("cannot parse instanceid parameter as a uuid");
    }
    if parameters.attribute("profileid").is_some_and(|profile| profile.len() > PROFILE_MAX) {
        return wrong("profileid parameter too long");
    }
    if is_wrong("interfaceid") {
        return wrong("cannot parse interfaceid parameter as a uuid");
    }
    Ok(())
}

/// Checks a `<route>`, and returns its gateway.
pub(super) fn route(name: &str, route: &Element) -> Result<IpAddr, Refusal> {
    let wrong = |words: String| xml_error(format!("{name}: {words} in route definition"));
    let prefix = number(route, "prefix", U32)?;
    if number(route, "metric", U32)? == Some(0) {
        return Err(invalid(route, "metric", "Zero is not permitted"));
    }
    let [family, address, netmask, gateway] = ["family", "address", "netmask", "gateway"].map(|it| route.attribute(it));
    let missing = |what: &str| wrong(format!("Missing required {what} attribute"));
    let address_text = address.ok_or_else(|| missing("address"))?;
    let gateway_text = gateway.ok_or_else(|| missing("gateway"))?;
    let bad = |what: &str, text: &str| wrong(format!("Bad {what} address '{text}'"));
    let address = ip::parse(address_text).ok_or_else(|| bad("network", address_text))?;
    let gateway = ip::parse(gateway_text).ok_or_else(|| bad("gateway", gateway_text))?;
    let mask = match family {
        None | Some("ipv4") => {
            let family = family.map_or("No", |_| "IPv4");
            let other = |what: &str| wrong(format!("{family} family specified for non-IPv4 {what} '{address_text}'"));
            if address.is_ipv6() {
                return Err(other("address"));
            }
            if gateway.is_ipv6() {
                return Err(other("gateway"));
            }
            let mask = netmask.map(|mask| ip::parse(mask).ok_or_else(|| bad("netmask", mask))).transpose()?;
            let netmask = netmask.unwrap_or_default();
            if mask.is_some_and(|mask| mask.is_ipv6()) {
                let words =
                    format!("{name}: Invalid netmask '{netmask}' for address '{address_text}' (both must be IPv4)");
                return Err(xml_error(words));
            }
            if mask.is_some() && prefix.is_some() {
                let words = format!("{name}: Route definition cannot have both a prefix and a netmask");
                return Err(xml_error(words));
            }
            mask
        }
        Some("ipv6") => {
            let other = |what: &str, text: &str| Err(wrong(format!("ipv6 {what} '{text}'")));
            if address.is_ipv4() {
                return other("family specified for non-IPv6 address", address_text);
            }
            if netmask.is_some() {
                return Err(wrong(format!("Specifying netmask invalid for IPv6 address '{address_text}'")));
            }
            if gateway.is_ipv4() {
                return other("specified for non-IPv6 gateway address", gateway_text);
            }
            None
        }
        Some(family) => return Err(wrong(format!("Unrecognized family '{family}'"))),
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let given = prefix.unwrap_or_default();
    let prefix = u8::try_from(given).ok().filter(|prefix| *prefix <= most);
    let range =
        || xml_error(format!("{name}: Invalid prefix {given} specified in route definition, must be 0 - {most}"));
    let first = match mask {
        Some(mask) => number_of(address) & number_of(mask),
        None => Subnet { address, prefix: prefix.ok_or_else(range)? }.ends().0,
    };
    match first == number_of(address) {
        true => Ok(gateway),
        false => {
            let words = format!("{name}: Address '{address_text}' in route definition is not a network address");
            Err(xml_error(words))
        }
    }
}
