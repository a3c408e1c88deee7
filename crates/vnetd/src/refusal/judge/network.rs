//! `<network>`: the reader's checks, and those of the driver that follow.

use std::net::IpAddr;

use vnet_rpc::{ErrorCode, ErrorDomain};
use vnet_types::MacAddr;

use super::ip::{Subnet, number_of};
use super::tree::Element;
use super::{Judgement, by_network, dns, forward, ip, is_root, is_uuid, of, parts, unsupported, xml_error, yes_no};

/// Checks a definition as it is read.
pub(super) fn check(root: &Element) -> Judgement {
    is_root(root, "network")?;
    let Some(name) = root.text_of("name") else { return Err(by_network(ErrorCode::NoName, "")) };
    no_sign(name, '/')?;
    if root.text_of("uuid").is_some_and(|uuid| !is_uuid(uuid)) {
        return Err(by_network(ErrorCode::InternalError, "malformed uuid element"));
    }
    if root.text_of("title").is_some_and(|title| title.contains('\n')) {
        return Err(xml_error("Network title can't contain newlines"));
    }
    if let Some(ipv6) = root.filled("ipv6").filter(|ipv6| !["yes", "no"].contains(ipv6)) {
        return Err(xml_error(format!("Invalid ipv6 setting '{ipv6}' in network '{name}'")));
    }
    yes_no(Some(root), "trustGuestRxFilters")?;
    let domain = root.child("domain");
    yes_no(domain, "localOnly")?;
    yes_no(domain, "register")?;
    let domain_has = |attribute: &str| domain.is_some_and(|domain| domain.attribute(attribute) == Some("yes"));
    if domain_has("register") && !domain_has("localOnly") {
        return Err(unsupported(format!(
            "attribute 'register=yes' in <domain> element requires 'localOnly=yes' in network {name}"
        )));
    }
    if let Some(limits) = root.child("bandwidth") {
        parts::bandwidth(limits, false, false)?;
    }
    if let Some(vlan) = root.child("vlan") {
        parts::vlan(vlan)?;
    }
    yes_no(root.child("port"), "isolated")?;
    bridge(name, root)?;
    if let Some(dns) = root.child("dns") {
        dns::check(name, dns)?;
    }
    if let Some(port) = root.child("virtualport") {
        parts::virtual_port(port, true)?;
    }
    root.children("portgroup").try_for_each(parts::port_group)?;
    root.children("ip").try_for_each(|element| ip::check(name, element))?;
    routes(name, root)?;
    if let Some(element) = root.child("forward") {
        forward::check(name, element)?;
    }
    of_mode(name, root)?;
    let has_no_value = |option: &Element| option.attribute("value").is_none();
    match root.child("dnsmasq:options").is_some_and(|it| it.children("dnsmasq:option").any(has_no_value)) {
        true => Err(by_network(ErrorCode::InternalError, "No dnsmasq options value specified")),
        false => Ok(()),
    }
}

fn no_sign(name: &str, sign: char) -> Judgement {
    match name.contains(sign) {
        true => Err(of(ErrorCode::XmlDetail, ErrorDomain::Xml, format!("invalid char in name: {sign}"))),
        false => Ok(()),
    }
}

/// Checks what the bridge has.
fn bridge(name: &str, root: &Element) -> Judgement {
    if root.filled_of("bridge", "delay").is_some_and(|delay| delay.trim().parse::<u64>().is_err()) {
        return Err(xml_error(format!("Invalid delay value in network '{name}'")));
    }
    let manager = root.filled_of("bridge", "macTableManager");
    if let Some(manager) = manager.filter(|manager| !["kernel", "libvirt"].contains(manager)) {
        return Err(xml_error(format!("Invalid macTableManager setting '{manager}' in network '{name}'")));
    }
    if let Some(text) = root.filled_of("mac", "address") {
        let wrong = |kind: &str| Err(xml_error(format!("Invalid {kind} address '{text}' in network '{name}'")));
        match text.parse::<MacAddr>() {
            Err(_) => return wrong("bridge mac"),
            Ok(mac) if mac.is_multicast() => return wrong("multicast bridge mac"),
            Ok(_) => {}
        }
    }
    match root.filled_of("mtu", "size") {
        Some(size) if size.trim_start().parse::<u32>().is_err() => {
            Err(xml_error(format!("Invalid mtu size '{size}' in network '{name}'")))
        }
        _ => Ok(()),
    }
}

/// Checks the routes, and that each gateway is in a subnet of the bridge.
fn routes(name: &str, root: &Element) -> Judgement {
    let gateways: Vec<IpAddr> =
        root.children("route").map(|route| parts::route(name, route)).collect::<Result<_, _>>()?;
    for gateway in gateways {
        let has = |ip: &Element| {
            let is_near = |it: Subnet| {
                let (low, high) = it.ends();
                it.address.is_ipv4() == gateway.is_ipv4() && (low..=high).contains(&number_of(gateway))
            };
            ip::parsed(name, ip).is_ok_and(is_near)
        };
        if !root.children("ip").any(has) {
            let words = format!("unreachable static route gateway '{gateway}' specified for network '{name}'");
            return Err(unsupported(words));
        }
    }
    Ok(())
}

/// How many devices a `<forward>` lists.
fn devices(root: &Element) -> usize {
    let Some(forward) = root.child("forward") else { return 0 };
    let listed = forward.children("interface").count().max(usize::from(forward.filled("dev").is_some()));
    if listed > 0 { listed } else { forward.children("address").count() }
}

/// Checks what goes with the mode.
fn of_mode(name: &str, root: &Element) -> Judgement {
    let mode = forward::mode(root);
    let devices = devices(root);
    let bridge = |attribute: &str| root.filled_of("bridge", attribute);
    match mode {
        "route" | "nat" if root.child("ip").is_none() => {
            let words = format!("{mode} forwarding requested, but no IP address provided for network '{name}'");
            return Err(xml_error(words));
        }
        "route" | "nat" if devices > 1 => {
            return Err(xml_error(format!(
                "multiple forwarding interfaces specified for network '{name}', only one is supported"
            )));
        }
        "open" if devices > 0 => {
            let words = format!("forward dev not allowed for network '{name}' with forward mode='{mode}'");
            return Err(xml_error(words));
        }
        "private" | "vepa" | "passthrough" | "hostdev" => {
            for (attribute, what) in
                [("name", "name"), ("zone", "zone"), ("macTableManager", "macTableManager setting")]
            {
                if bridge(attribute).is_some() {
                    let words = format!("bridge {what} not allowed in {mode} mode (network '{name}')");
                    return Err(xml_error(words));
                }
            }
        }
        _ => {}
    }
    if !makes_bridge(mode) {
        let has_delay = bridge("delay").is_some_and(|delay| delay.trim().parse() != Ok(0_u64));
        if has_delay || bridge("stp").is_some() || bridge("zone").is_some() {
            return Err(xml_error(format!(
                "bridge delay/stp/zone options only allowed in open, route, nat, and isolated mode, not in {mode} \
                 (network '{name}')"
            )));
        }
        let has_pf = root.child("forward").is_some_and(|forward| forward.child("pf").is_some());
        if bridge("name").is_some() && (devices > 0 || has_pf) {
            return Err(xml_error(format!(
                "A network with forward mode='{mode}' can specify a bridge name or a forward dev, but not both (network \
                 '{name}')"
            )));
        }
        if root.filled_of("mtu", "size").is_some_and(|size| size != "0") {
            return Err(xml_error(format!(
                "mtu size only allowed in open, route, nat, and isolated mode, not in {mode} (network '{name}')"
            )));
        }
    }
    Ok(())
}

/// Whether a network of this mode has a bridge of its own.
fn makes_bridge(mode: &str) -> bool {
    ["none", "nat", "route", "open"].contains(&mode)
}

/// Checks a definition that was read, as it is kept or started.
pub(super) fn validate(root: &Element) -> Judgement {
    let (name, mode) = (root.text_of("name").unwrap_or_default(), forward::mode(root));
    no_sign(name, '\n')?;
    let dns = root.child("dns");
    if !makes_bridge(mode) {
        let has_records =
            dns.is_some_and(|dns| ["txt", "host", "srv"].iter().any(|record| dns.child(record).is_some()));
        for (element, is_there) in [
            ("mac", root.filled_of("mac", "address").is_some()),
            ("ip", root.child("ip").is_some()),
            ("dns", has_records),
            ("domain", root.child("domain").is_some_and(|domain| domain.attribute("name").is_some())),
        ] {
            if is_there {
                return Err(unsupported(format!(
                    "Unsupported <{element}> element in network {name} with forward mode='{mode}'"
                )));
            }
        }
    }
    let has_limits = makes_bridge(mode) || (mode == "bridge" && root.filled_of("bridge", "name").is_some());
    if root.child("bandwidth").is_some() && !has_limits {
        return Err(unsupported(format!(
            "Unsupported network-wide <bandwidth> element in network {name} with forward mode='{mode}'"
        )));
    }
    root.child("bandwidth").map_or(Ok(()), parts::limits)?;
    pool(name, mode, root)?;
    for (family, is_v6) in [("IPv4", false), ("IPv6", true)] {
        let is_served = |ip: &&Element| {
            let has = |dhcp: &Element| dhcp.child("range").is_some() || dhcp.child("host").is_some();
            ip.attribute("address").is_some_and(|it| it.contains(':') == is_v6) && ip.child("dhcp").is_some_and(has)
        };
        if root.children("ip").filter(is_served).count() > 1 {
            return Err(unsupported(format!(
                "Multiple {family} dhcp sections found -- dhcp is supported only for a single {family} address on each \
                 network"
            )));
        }
    }
    groups(name, mode, root, has_limits)
}

fn pool(name: &str, mode: &str, root: &Element) -> Judgement {
    let Some(forward) = root.child("forward") else { return Ok(()) };
    let device = forward.filled("dev").or_else(|| forward.child("interface")?.attribute("dev"));
    match device {
        Some(device) if mode == "hostdev" => {
            return Err(unsupported(format!(
                "hostdev network '{name}' lists '{device}' in the device pool, but hostdev networks require all devices \
                 to be listed by PCI address, not network device name"
            )));
        }
        None if mode != "hostdev" && forward.child("address").is_some() => {
            return Err(unsupported(format!(
                "network '{name}' has forward mode '{mode}' but lists a device by PCI address in the device pool. This is \
                 only supported for networks with forward mode 'hostdev'"
            )));
        }
        _ => {}
    }
    match forward.child("pf").is_some() && device.is_some() {
        true => Err(unsupported(format!(
            "<address>, <interface>, and <pf> elements of <forward> in network {name} are mutually exclusive"
        ))),
        false => Ok(()),
    }
}

/// Checks the groups of ports, and who may have VLANs.
fn groups(name: &str, mode: &str, root: &Element, has_limits: bool) -> Judgement {
    let kind = |of: &Element| of.child("virtualport").map(|port| port.attribute("type").unwrap_or_default().to_owned());
    let is_switched = |port: Option<String>| port.is_none_or(|kind| kind == "openvswitch");
    let allows = ["hostdev", "passthrough"].contains(&mode) || (mode == "bridge" && is_switched(kind(root)));
    let has_vlan = root.child("vlan").is_some();
    let (mut default, mut is_wrong) = (None, false);
    let all: Vec<&Element> = root.children("portgroup").collect();
    for (at, group) in all.iter().enumerate() {
        let group_name = group.attribute("name").unwrap_or_default();
        if has_vlan || group.child("vlan").is_some() {
            is_wrong |= match kind(group) {
                Some(kind) => mode != "bridge" || kind != "openvswitch",
                None => !allows,
            };
        }
        if group.attribute("default").is_some_and(|it| it.eq_ignore_ascii_case("yes")) {
            if let Some(first) = default {
                return Err(unsupported(format!(
                    "network '{name}' has multiple default <portgroup> elements ({first} and {group_name}), but only one \
                     default is allowed"
                )));
            }
            default = Some(group_name);
        }
        if all[at + 1..].iter().any(|other| other.attribute("name") == Some(group_name)) {
            return Err(unsupported(format!(
                "multiple <portgroup> elements with the same name ({group_name}) in network '{name}'"
            )));
        }
        if group.child("bandwidth").is_some() && !has_limits {
            return Err(unsupported(format!(
                "Unsupported <bandwidth> element in network '{name}' in portgroup '{group_name}' with forward \
                 mode='{mode}'"
            )));
        }
    }
    if is_wrong || (has_vlan && !allows && default.is_none()) {
        return Err(unsupported(format!(
            "<vlan> element specified for network {name}, whose type doesn't support vlan configuration"
        )));
    }
    Ok(())
}
