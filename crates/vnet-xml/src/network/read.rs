//! Reads `<network>`: each element has its grammar and its reader, in the order of the model.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vnet_types::{AddressRange, Family, InterfaceName, PortRange, Uuid};

use super::model::*;
use crate::element::{Element, Grammar};
use crate::value::{ip, ipv4, number, on_off, parsed, text, word, yes_no};

pub(crate) fn network(root: &Element<'_>) -> Network {
    root.expect(&Grammar {
        attributes: &["connections", "ipv6"],
        children: &[
            "name",
            "uuid",
            "title",
            "description",
            "forward",
            "bridge",
            "mtu",
            "mac",
            "domain",
            "dns",
            "ip",
            "route",
        ],
        unsupported: &["trustGuestRxFilters", "metadata", "vlan", "bandwidth", "port", "virtualport", "portgroup"],
    });
    Network {
        name: name(root),
        uuid: root.child("uuid").and_then(|element| uuid(&element)),
        title: filled_text(root, "title"),
        description: filled_text(root, "description"),
        ipv6: root.filled("ipv6", yes_no) == Some(true),
        forward: root.child("forward").map(|element| forward(&element)),
        bridge: root.child("bridge").map(|element| bridge(&element)),
        mtu: root.child("mtu").and_then(|element| {
            element.expect(&Grammar { attributes: &["size"], children: &[], unsupported: &[] });
            element.depends_on("size");
            element.filled("size", number).filter(|size| *size != 0)
        }),
        mac: root.child("mac").and_then(|element| {
            element.expect(&Grammar { attributes: &["address"], children: &[], unsupported: &[] });
            element.depends_on("address");
            element.filled("address", parsed)
        }),
        domain: root.child("domain").and_then(|element| domain(&element)),
        dns: root.child("dns").map(|element| dns(&element)),
        ips: root.children("ip", subnet),
        routes: root.children("route", route),
    }
}

fn name(root: &Element<'_>) -> String {
    let Some(element) = root.required_child("name") else { return String::new() };
    let name = element.only_text();
    if name.is_empty() || name.contains(['/', '\n']) {
        element.invalid_text("a name: at least one character, no `/`, no newline");
    }
    name.to_owned()
}

fn uuid(element: &Element<'_>) -> Option<Uuid> {
    let text = Some(element.only_text()).filter(|text| !text.is_empty())?;
    let invalid = |_| element.invalid_text("a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b");
    text.parse().map_err(invalid).ok()
}

fn filled_text(element: &Element<'_>, name: &str) -> Option<String> {
    element.child(name).map(|child| child.only_text().to_owned()).filter(|text| !text.is_empty())
}

fn forward(element: &Element<'_>) -> Forward {
    element.expect(&Grammar {
        attributes: &["dev", "mode"],
        children: &["interface", "nat"],
        unsupported: &["managed", "driver", "pf", "address"],
    });
    let dev: Option<InterfaceName> = element.filled("dev", parsed);
    let mut interfaces: Vec<InterfaceName> = element.children("interface", |interface| {
        interface.expect(&Grammar { attributes: &["dev", "connections"], children: &[], unsupported: &[] });
        interface.required("dev", parsed)
    });
    if let Some(dev) = dev {
        match interfaces.first() {
            None => interfaces.push(dev),
            Some(first) if *first != dev => {
                let help = "`dev` is the name of the first `<interface>`: leave one of them out";
                element.exclusive("interface", "dev", help);
            }
            Some(_) => {}
        }
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = interfaces.iter().find(|name| !seen.insert(*name)) {
        element.repeated(format!("the device `{twice}` is listed twice"));
    }
    Forward {
        mode: element.filled("mode", forward_mode).unwrap_or_default(),
        interfaces,
        nat: element.child("nat").map(|nat| translation(&nat)),
    }
}

fn forward_mode(text: &str) -> Result<ForwardMode, String> {
    let later = ["bridge", "private", "vepa", "passthrough", "hostdev"];
    if later.contains(&text) {
        return Err("a mode that vnet supports: those are `nat`, `route` and `open`".to_owned());
    }
    word(text, ForwardMode::WORDS)
}

fn translation(element: &Element<'_>) -> Nat {
    element.expect(&Grammar { attributes: &["ipv6"], children: &["address", "port"], unsupported: &[] });
    let ends = Grammar { attributes: &["start", "end"], children: &[], unsupported: &[] };
    Nat {
        ipv6: element.value("ipv6", yes_no),
        addresses: element.child("address").and_then(|range| {
            range.expect(&ends);
            let (start, end) = (range.required("start", ipv4), range.required("end", ipv4));
            let ends = AddressRange::new(IpAddr::V4(start?), IpAddr::V4(end?));
            ends.map_err(|_| range.invalid("end", "at or after `start`")).ok()
        }),
        ports: element.child("port").and_then(|range| {
            range.expect(&ends);
            let (start, end) = (range.required("start", number), range.required("end", number));
            let (start, end) = (start?, end?);
            // libvirt takes 0 to 0 for no range at all.
            if (start, end) == (0, 0) {
                return None;
            }
            PortRange::new(start, end).map_err(|_| range.invalid("end", "at or after `start`")).ok()
        }),
    }
}

fn bridge(element: &Element<'_>) -> Bridge {
    element.expect(&Grammar {
        attributes: &["name", "stp", "delay"],
        children: &[],
        unsupported: &["zone", "macTableManager"],
    });
    Bridge {
        name: element.filled("name", parsed),
        stp: element.filled("stp", on_off),
        delay: element.filled("delay", number),
    }
}

fn domain(element: &Element<'_>) -> Option<Domain> {
    element.expect(&Grammar { attributes: &["name", "localOnly", "register"], children: &[], unsupported: &[] });
    element.depends_on("name");
    let (local_only, register) = (element.value("localOnly", yes_no), element.value("register", yes_no));
    Some(Domain { name: element.value("name", text)?, local_only, register })
}

fn dns(element: &Element<'_>) -> Dns {
    element.expect(&Grammar {
        attributes: &["enable", "forwardPlainNames"],
        children: &["forwarder", "txt", "srv", "host"],
        unsupported: &[],
    });
    Dns {
        enable: element.value("enable", yes_no),
        forward_plain_names: element.value("forwardPlainNames", yes_no),
        forwarders: element.children("forwarder", forwarder),
        txts: element.children("txt", |txt| {
            txt.expect(&Grammar { attributes: &["name", "value"], children: &[], unsupported: &[] });
            let (name, value) = (txt.required("name", text), txt.required("value", text));
            Some(Txt { name: name?, value: value? })
        }),
        srvs: element.children("srv", srv),
        hosts: element.children("host", dns_host),
    }
}

fn forwarder(element: &Element<'_>) -> Option<Forwarder> {
    element.expect(&Grammar { attributes: &["domain", "addr"], children: &[], unsupported: &["port"] });
    let forwarder = Forwarder { domain: element.value("domain", text), addr: element.value("addr", ip) };
    if !element.has("domain") && !element.has("addr") {
        element.missing("addr");
        return None;
    }
    Some(forwarder)
}

fn srv(element: &Element<'_>) -> Option<Srv> {
    element.expect(&Grammar {
        attributes: &["service", "protocol", "domain", "target", "port", "priority", "weight"],
        children: &[],
        unsupported: &[],
    });
    let (service, protocol) = (element.required("service", text), element.required("protocol", text));
    let (port, priority) = (element.value("port", number), element.value("priority", number));
    let weight = element.value("weight", number);
    let (domain, target) = (element.value("domain", text), element.value("target", text));
    Some(Srv { service: service?, protocol: protocol?, domain, target, port, priority, weight })
}

fn dns_host(element: &Element<'_>) -> Option<DnsHost> {
    element.expect(&Grammar { attributes: &["ip"], children: &["hostname"], unsupported: &[] });
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

fn subnet(element: &Element<'_>) -> Option<Ip> {
    element.expect(&Grammar {
        attributes: &["family", "address", "netmask", "prefix", "localPtr"],
        children: &["dhcp", "tftp"],
        unsupported: &[],
    });
    let family = element.filled("family", family);
    let netmask = element.filled("netmask", ipv4).map(Mask::Netmask);
    let prefix = element.filled("prefix", number).filter(|prefix| *prefix != 0).map(Mask::Prefix);
    if netmask.is_some() && prefix.is_some() {
        element.exclusive("netmask", "prefix", "both say how large the subnet is: leave one of them out");
    }
    let local_ptr = element.value("localPtr", yes_no);
    let tftp_root = element.child("tftp").and_then(|tftp| {
        tftp.expect(&Grammar { attributes: &["root"], children: &[], unsupported: &[] });
        tftp.depends_on("root");
        tftp.filled("root", text)
    });
    let dhcp = element.child("dhcp").map(|element| dhcp(&element)).filter(|dhcp| *dhcp != Dhcp::default());
    Some(Ip { family, address: element.required("address", ip)?, mask: netmask.or(prefix), local_ptr, tftp_root, dhcp })
}

fn family(text: &str) -> Result<Family, String> {
    word(text, &[("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)])
}

fn dhcp(element: &Element<'_>) -> Dhcp {
    element.expect(&Grammar { attributes: &[], children: &["range", "host", "bootp"], unsupported: &[] });
    Dhcp {
        ranges: element.children("range", |range| {
            range.expect(&Grammar { attributes: &["start", "end"], children: &["lease"], unsupported: &[] });
            let (start, end) = (range.required("start", ip), range.required("end", ip));
            let lease = range.child("lease").and_then(|element| lease(&element));
            Some(DhcpRange { start: start?, end: end?, lease })
        }),
        hosts: element.children("host", dhcp_host),
        bootp: element.child("bootp").and_then(|bootp| {
            bootp.expect(&Grammar { attributes: &["file", "server"], children: &[], unsupported: &[] });
            let (file, server) = (bootp.required("file", text), bootp.value("server", ip));
            Some(Bootp { file: file?, server })
        }),
    }
}

fn dhcp_host(element: &Element<'_>) -> Option<DhcpHost> {
    element.expect(&Grammar { attributes: &["mac", "id", "name", "ip"], children: &["lease"], unsupported: &[] });
    let mac = element.value("mac", parsed);
    let (id, name) = (element.value("id", text), element.value("name", text));
    let lease = element.child("lease").and_then(|element| lease(&element));
    Some(DhcpHost { mac, id, name, ip: element.required("ip", ip)?, lease })
}

fn lease(element: &Element<'_>) -> Option<Lease> {
    element.expect(&Grammar { attributes: &["expiry", "unit"], children: &[], unsupported: &[] });
    element.depends_on("expiry");
    let unit = element.value("unit", |text| word(text, LeaseUnit::WORDS));
    let expiry = element.value("expiry", number)?;
    Some(Lease { expiry, unit: unit.unwrap_or_default() })
}

fn route(element: &Element<'_>) -> Option<Route> {
    element.expect(&Grammar {
        attributes: &["family", "address", "netmask", "prefix", "gateway", "metric"],
        children: &[],
        unsupported: &[],
    });
    let family = element.value("family", family);
    let netmask = element.value("netmask", ipv4).map(Mask::Netmask);
    let prefix = element.value("prefix", number).map(Mask::Prefix);
    if element.has("netmask") && element.has("prefix") {
        element.exclusive("netmask", "prefix", "both say how large the network is: leave one of them out");
    }
    let metric = element.value("metric", |text| match number(text) {
        Ok(0) | Err(_) => Err("a whole number of at most 32 bits, and not 0".to_owned()),
        Ok(metric) => Ok(metric),
    });
    let (address, gateway) = (element.required("address", ip), element.required("gateway", ip));
    Some(Route { family, address: address?, mask: netmask.or(prefix), gateway: gateway?, metric })
}
