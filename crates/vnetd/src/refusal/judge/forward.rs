//! `<forward>`: the mode, translation and the pool of devices.

use super::ip::{address, parse};
use super::tree::Element;
use super::{Judgement, detail, dhcp, unsupported, word, xml_error, yes_no};

/// The modes that libvirt knows.
const MODES: [&str; 9] = ["none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"];
/// The highest port.
const PORT_MAX: u64 = 65535;

/// The mode of a network; without a `<forward>` it is isolated.
pub(super) fn mode(network: &Element) -> &str {
    network.child("forward").map_or("none", |forward| forward.filled("mode").unwrap_or("nat"))
}

pub(super) fn check(name: &str, forward: &Element) -> Judgement {
    let mode = forward.filled("mode").unwrap_or("nat");
    if !MODES.contains(&mode) {
        return Err(unsupported(format!("unknown forwarding type '{mode}'")));
    }
    word(forward.child("driver"), "name", &["kvm", "xen", "vfio"])?;
    let only_one = |element: &str| match forward.children(element).count() > 1 {
        true => Err(xml_error(format!("Only one <{element}> element is allowed in <forward> of network {name}"))),
        false => Ok(()),
    };
    only_one("nat")?;
    if let Some(nat) = forward.child("nat") {
        self::nat(name, mode, nat)?;
    }
    let has = |element: &str| forward.child(element).is_some();
    let dev = forward.filled("dev");
    if dev.is_some() && (has("address") || has("pf")) {
        return Err(xml_error(format!(
            "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present in network \
             {name}"
        )));
    }
    if dev.is_some() || has("interface") {
        return interfaces(name, forward, dev);
    }
    if has("address") {
        return forward.children("address").try_for_each(|device| pool_address(name, device));
    }
    only_one("pf")?;
    match forward.child("pf") {
        Some(pf) if pf.attribute("dev").is_none() => {
            Err(xml_error(format!("Missing required dev attribute in <pf> element of network '{name}'")))
        }
        _ => Ok(()),
    }
}

fn interfaces(name: &str, forward: &Element, dev: Option<&str>) -> Judgement {
    let mut listed: Vec<&str> = Vec::new();
    for (at, interface) in forward.children("interface").enumerate() {
        let Some(device) = interface.attribute("dev") else {
            return Err(xml_error(format!(
                "Missing required dev attribute in <forward> <interface> element of network {name}"
            )));
        };
        match dev.filter(|_| at == 0) {
            Some(dev) if dev != device => {
                return Err(xml_error(format!(
                    "<forward dev='{dev}'> must match first <interface dev='{device}'/> in network {name}"
                )));
            }
            _ if listed.contains(&device) => {
                return Err(xml_error(format!("interface '{device}' can only be listed once in network {name}")));
            }
            _ => listed.push(device),
        }
    }
    Ok(())
}

fn pool_address(name: &str, device: &Element) -> Judgement {
    match device.attribute("type") {
        None => Err(xml_error(format!("missing address type in network {name}"))),
        Some("pci") => Ok(()),
        Some(kind @ ("none" | "netdev")) => {
            Err(xml_error(format!("unsupported address type '{kind}' in network {name}")))
        }
        Some(kind) => Err(unsupported(format!("unknown address type '{kind}' in network {name}"))),
    }
}

fn nat(name: &str, mode: &str, nat: &Element) -> Judgement {
    if mode != "nat" {
        return Err(xml_error(format!(
            "The <nat> element can only be used when <forward> 'mode' is 'nat' in network {name}"
        )));
    }
    yes_no(Some(nat), "ipv6")?;
    let only_one = |element: &str| match nat.children(element).count() > 1 {
        true => {
            let words = format!("Only one <{element}> element is allowed in <nat> in <forward> in network {name}");
            Err(xml_error(words))
        }
        false => Ok(()),
    };
    only_one("address")?;
    if let Some(addresses) = nat.child("address") {
        for end in ["start", "end"] {
            if addresses.attribute(end).is_none() {
                return Err(xml_error(format!(
                    "missing '{end}' attribute in <address> element in <nat> in <forward> in network {name}"
                )));
            }
        }
        for end in ["start", "end"] {
            let text = addresses.attribute(end).unwrap_or_default();
            if parse(text).is_none_or(|address| address.is_ipv6()) {
                return Err(xml_error(format!(
                    "Bad ipv4 {end} address '{text}' in <nat> in <forward> in network '{name}'"
                )));
            }
        }
        let [start, end] = ["start", "end"].map(|end| address(addresses.attribute(end).unwrap_or_default()));
        dhcp::span(start?, end?)?;
    }
    only_one("port")?;
    let Some(ports) = nat.child("port") else { return Ok(()) };
    let number = |end: &str| ports.attribute(end).and_then(|text| text.parse::<u64>().ok());
    let (start, end) = (number("start"), number("end"));
    let is_port = |number: &u64| *number <= PORT_MAX;
    let wrong = |end: &str| {
        detail(format!("Missing or invalid '{end}' attribute in <port> in <nat> in <forward> in network {name}"))
    };
    let start = start.filter(is_port).ok_or_else(|| wrong("start"))?;
    end.filter(is_port).filter(|end| *end >= start).map(drop).ok_or_else(|| wrong("end"))
}
