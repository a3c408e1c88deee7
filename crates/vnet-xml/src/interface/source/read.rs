//! Reads `type` and `<source>`: each type has its grammar and its reader.

use vnet_types::InterfaceName;

use super::{
    BridgeSource, DirectMode, DirectSource, EthernetSource, HostdevAddress, HostdevSource, NetworkSource, Reconnect,
    Socket, Source, UdpSource, VdsSource, VhostuserMode, VhostuserSource,
};
use crate::element::{Element, Switch, Value};
use crate::grammar::Grammar;
use crate::hostdev::{self, pci_address};
use crate::interface::ip::{self, interface_ip};
use crate::network::mac_table_manager;
use crate::network::route::{self, route};
use crate::value::{number, number_of_any_base, parsed, text, word, yes_no};

/// `<source>` of any type; the other grammars are for one type each.
pub(in crate::interface) static GRAMMAR: Grammar = Grammar::new(
    &[
        "network",
        "portgroup",
        "portid",
        "type",
        "path",
        "bridge",
        "macTableManager",
        "dev",
        "mode",
        "address",
        "port",
        "name",
        "switchid",
        "portgroupid",
        "connectionid",
    ],
    &[
        ("address", &ADDRESS),
        ("ip", &ip::GRAMMAR),
        ("route", &route::GRAMMAR),
        ("reconnect", &RECONNECT),
        ("local", &LOCAL),
    ],
);
static DEV: Grammar = Grammar::new(&["dev"], OF_HOST);
static BARE: Grammar = Grammar::new(&[], OF_HOST);
static NAME: Grammar = Grammar::new(&["name"], OF_HOST);
static VHOSTUSER: Grammar = Grammar::new(
    &["type", "path", "mode", "dev"],
    &[("ip", &ip::GRAMMAR), ("route", &route::GRAMMAR), ("reconnect", &RECONNECT)],
);
static RECONNECT: Grammar = Grammar::new(&["enabled", "timeout"], &[]);
static SOCKET: Grammar = Grammar::new(&["address", "port"], OF_HOST);
static UDP: Grammar =
    Grammar::new(&["address", "port"], &[("ip", &ip::GRAMMAR), ("route", &route::GRAMMAR), ("local", &LOCAL)]);
static LOCAL: Grammar = Grammar::new(&["address", "port"], &[]);
static NETWORK: Grammar = Grammar::new(&["network", "portgroup", "portid", "bridge", "macTableManager"], OF_HOST);
// libvirt adds `network`, `portgroup` and `portid` to the source of a running guest on a network,
// whatever the type of the source has become.
static BRIDGE: Grammar = Grammar::new(&["bridge", "macTableManager", "network", "portgroup", "portid"], OF_HOST);
static DIRECT: Grammar = Grammar::new(&["dev", "mode", "network", "portgroup", "portid"], &[]);
static HOSTDEV: Grammar = Grammar::new(
    &["network", "portgroup", "portid"],
    &[("address", &ADDRESS), ("ip", &ip::GRAMMAR), ("route", &route::GRAMMAR)],
);
/// `<address>` of a device of the host, of any type.
static ADDRESS: Grammar = Grammar::new(&["type", "domain", "bus", "slot", "function", "device"], &[]);
static USB: Grammar = Grammar::new(&["type", "bus", "device"], &[]);
static VDS: Grammar = Grammar::new(&["switchid", "portid", "portgroupid", "connectionid"], OF_HOST);

/// The children that describe the host's end; for the type `ethernet` only.
const OF_HOST: &[crate::grammar::Child] = &[("ip", &ip::GRAMMAR), ("route", &route::GRAMMAR)];

/// Reads `mode` of a macvtap device.
pub(crate) fn direct_mode(text: &str) -> Result<DirectMode, String> {
    word(text, DirectMode::WORDS)
}

/// The reader of a type's `<source>`. It gets the interface, and the element if there is one.
type Read = fn(&Element<'_>, Option<&Element<'_>>) -> Option<Source>;

const TYPES: &[(&str, Read)] = &[
    ("network", network),
    ("user", user),
    ("bridge", bridge),
    ("ethernet", ethernet),
    ("direct", direct),
    ("hostdev", host_device),
    ("vhostuser", vhostuser),
    ("server", |it, source| socket(needed(it, source)?, true, &SOCKET).map(Source::Server)),
    ("client", |it, source| socket(needed(it, source)?, false, &SOCKET).map(Source::Client)),
    ("mcast", |it, source| socket(needed(it, source)?, false, &SOCKET).map(Source::Mcast)),
    ("udp", udp),
    ("internal", internal),
    ("vdpa", vdpa),
    ("null", null),
    ("vds", vds),
];

/// Reads `type` and `<source>` of an `<interface>`.
pub(in crate::interface) fn source(interface: &Element<'_>) -> Option<Source> {
    let source = interface.child("source");
    let read = match interface.has("type") {
        true => interface.value("type", |text| word(text, TYPES))?,
        false => user,
    };
    if let Some(source) = source.as_ref().filter(|_| !std::ptr::fn_addr_eq(read, ethernet as Read)) {
        for element in OF_HOST.iter().filter_map(|(name, _)| source.child(name)) {
            element.misplaced_here("only interfaces of type ethernet can say it of the host's end");
        }
    }
    read(interface, source.as_ref())
}

/// The `<source>` of a type that requires it.
fn needed<'e, 't>(interface: &Element<'t>, source: Option<&'e Element<'t>>) -> Option<&'e Element<'t>> {
    if source.is_none() {
        interface.missing_child("source");
    }
    source
}

fn user(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let dev = source.and_then(|source| {
        source.expect(&DEV);
        source.filled("dev", parsed)
    });
    Some(Source::User { dev })
}

/// Reads `upstream` of `<backend>`, another name for `<source dev>`.
pub(in crate::interface) fn upstream(interface: &Element<'_>, backend: &Element<'_>, source: &mut Source) {
    let upstream: Option<InterfaceName> = backend.filled("upstream", parsed);
    let dev = match source {
        Source::User { dev } => dev,
        Source::Vhostuser(source) => &mut source.dev,
        other => return backend.useless_attribute("upstream", &format!("on an interface of type {}", other.word())),
    };
    match dev {
        None if upstream.is_some() => {
            *dev = upstream;
            interface.child_stands_at("source", "dev", backend, "upstream");
        }
        Some(dev) if upstream.is_some_and(|upstream| upstream != *dev) => {
            backend.contradicts("upstream", &format!("`<source dev='{dev}'>`"));
        }
        _ => {}
    }
}

fn ethernet(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let Some(source) = source else { return Some(Source::ethernet()) };
    source.expect(&BARE);
    let (ips, routes) = (source.children("ip", interface_ip), source.children("route", route));
    Some(Source::Ethernet(EthernetSource { ips, routes }))
}

fn vhostuser(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let Some(source) = source else { return Some(Source::Vhostuser(VhostuserSource::default())) };
    source.expect(&VHOSTUSER);
    source.value("type", |text| word(text, &[("unix", ())]));
    let mode = |text: &str| word(text, &[("client", VhostuserMode::Client), ("server", VhostuserMode::Server)]);
    let reconnect = source.child("reconnect").and_then(|reconnect| {
        reconnect.expect(&RECONNECT);
        match reconnect.required("enabled", yes_no)? {
            true => Some(Reconnect::After { timeout: reconnect.required("timeout", number)? }),
            false => {
                reconnect.useless_attribute("timeout", "beside `enabled='no'`");
                Some(Reconnect::No)
            }
        }
    });
    Some(Source::Vhostuser(VhostuserSource {
        path: source.filled("path", text),
        mode: source.filled("mode", mode).unwrap_or_default(),
        reconnect,
        dev: source.filled("dev", parsed),
    }))
}

fn socket(element: &Element<'_>, may_lack_address: bool, grammar: &'static Grammar) -> Option<Socket> {
    element.expect(grammar);
    let address = element.value("address", text);
    if address.is_none() && !may_lack_address {
        element.missing("address");
        return None;
    }
    Some(Socket { address, port: element.required("port", number)? })
}

fn udp(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    let local = source.required_child("local").and_then(|local| socket(&local, false, &LOCAL));
    Some(Source::Udp(UdpSource { remote: socket(source, false, &UDP)?, local: local? }))
}

fn network(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&NETWORK);
    Some(Source::Network(NetworkSource {
        port_group: source.filled("portgroup", text),
        port_id: source.filled("portid", parsed),
        bridge: source.filled("bridge", text),
        mac_table_manager: source.filled("macTableManager", mac_table_manager),
        network: source.required("network", name)?,
    }))
}

/// A name that is not empty.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a name".to_owned()) } else { Ok(text.to_owned()) }
}

fn bridge(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&BRIDGE);
    source.live_form_of_network("bridge");
    let mac_table_manager = source.filled("macTableManager", mac_table_manager);
    Some(Source::Bridge(BridgeSource { bridge: source.required("bridge", name)?, mac_table_manager }))
}

fn internal(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&NAME);
    Some(Source::Internal { name: source.required("name", name)? })
}

fn direct(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&DIRECT);
    source.live_form_of_network("direct");
    let mode = source.filled("mode", direct_mode).unwrap_or_default();
    Some(Source::Direct(DirectSource { dev: source.required("dev", parsed)?, mode }))
}

const MANAGED: Switch = Switch { word: "yes", opposite: "no", any_case: false };

fn host_device(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&HOSTDEV);
    let managed = interface.is_word("managed", &MANAGED).unwrap_or_default();
    let driver = interface.child("driver").and_then(|element| hostdev::driver(&element));
    let address = source.required_child("address")?;
    let is_usb = address.required("type", |text| word(text, &[("pci", false), ("usb", true)]))?;
    let address = if is_usb {
        address.expect(&USB);
        let (bus, device) =
            (address.required("bus", number_of_any_base), address.required("device", number_of_any_base));
        HostdevAddress::Usb { bus: bus?, device: device? }
    } else {
        address.expect(&hostdev::PCI);
        HostdevAddress::Pci(pci_address(&address)?)
    };
    Some(Source::Hostdev(HostdevSource { address, managed, driver }))
}

fn vdpa(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&DEV);
    Some(Source::Vdpa { dev: source.required("dev", name)? })
}

fn null(_: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    if let Some(source) = source {
        source.expect(&BARE);
    }
    Some(Source::Null)
}

fn vds(interface: &Element<'_>, source: Option<&Element<'_>>) -> Option<Source> {
    let source = needed(interface, source)?;
    source.expect(&VDS);
    let integer: Value<i64> = |text| text.parse().map_err(|_| "a whole number".to_owned());
    Some(Source::Vds(VdsSource {
        switch_id: source.required("switchid", parsed)?,
        port_id: source.filled("portid", integer),
        port_group_id: source.filled("portgroupid", text),
        connection_id: source.filled("connectionid", integer),
    }))
}
