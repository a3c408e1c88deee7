//! Reads `<interface>`: each element has its grammar and its reader, in the order of the model.

use super::ip::{self, interface_ip};
use super::port_forward::{self, port_forward};
use super::source::{self, source};
use super::{Filter, Interface, Source, address, backend, device, driver};
use crate::bandwidth::{self, BandwidthOf, bandwidth};
use crate::element::Element;
use crate::grammar::{Grammar, TEXT};
use crate::network::route::{self, route};
use crate::value::{number, text, yes_no};
use crate::virtual_port::{self, TypeIs, virtual_port};
use crate::vlan::{self, vlan};

/// The models that are always printed in this spelling.
const MODELS: [&str; 21] = [
    "netfront",
    "rtl8139",
    "virtio",
    "e1000",
    "e1000e",
    "igb",
    "virtio-transitional",
    "virtio-non-transitional",
    "usb-net",
    "spapr-vlan",
    "lan9118",
    "scm91c111",
    "vlance",
    "vmxnet",
    "vmxnet2",
    "vmxnet3",
    "Am79C970A",
    "Am79C973",
    "82540EM",
    "82545EM",
    "82543GC",
];

pub(crate) static GRAMMAR: Grammar = Grammar::new(
    &["type", "managed", "trustGuestRxFilters"],
    &[
        ("mac", &device::MAC),
        ("source", &source::GRAMMAR),
        ("vlan", &vlan::GRAMMAR),
        ("virtualport", &virtual_port::GRAMMAR),
        ("bandwidth", &bandwidth::GRAMMAR),
        ("port", &PORT),
        ("ip", &ip::GRAMMAR),
        ("route", &route::GRAMMAR),
        ("portForward", &port_forward::GRAMMAR),
        ("script", &PATH),
        ("downscript", &PATH),
        ("backenddomain", &NAME),
        ("target", &device::TARGET),
        ("guest", &device::GUEST),
        ("model", &MODEL),
        ("driver", &driver::GRAMMAR),
        ("backend", &backend::GRAMMAR),
        ("filterref", &device::FILTER),
        ("tune", &TUNE),
        ("teaming", &device::TEAMING),
        ("link", &device::LINK),
        ("mtu", &MTU),
        ("coalesce", &COALESCE),
        ("boot", &device::BOOT),
        ("alias", &NAME),
        ("rom", &device::ROM),
        ("acpi", &ACPI),
        ("address", &address::GRAMMAR),
    ],
);
static PORT: Grammar = Grammar::new(&["isolated"], &[]);
static PATH: Grammar = Grammar::new(&["path"], &[]);
static NAME: Grammar = Grammar::new(&["name"], &[]);
static MODEL: Grammar = Grammar::new(&["type"], &[]);
static TUNE: Grammar = Grammar::new(&[], &[("sndbuf", &TEXT)]);
static MTU: Grammar = Grammar::new(&["size"], &[]);
static COALESCE: Grammar = Grammar::new(&[], &[("rx", &RX)]);
static RX: Grammar = Grammar::new(&[], &[("frames", &FRAMES)]);
static FRAMES: Grammar = Grammar::new(&["max"], &[]);
static ACPI: Grammar = Grammar::new(&["index"], &[]);

/// Reads `<interface>`; `None` if it does not say what it is connected to.
pub(crate) fn interface(root: &Element<'_>) -> Option<Interface> {
    root.expect(&GRAMMAR);
    let (mut source, backend) = (source(root), root.child("backend"));
    if let (Some(source), Some(backend)) = (&mut source, &backend) {
        source::upstream(root, backend, source);
    }
    let has_port =
        matches!(source, None | Some(Source::Network(_) | Source::Bridge(_) | Source::Direct(_) | Source::Hostdev(_)));
    // An interface on a network may take the type from the network.
    let type_is = if matches!(source, Some(Source::Network(_))) { TypeIs::Optional } else { TypeIs::Required };
    let of =
        if matches!(source, Some(Source::Network(_))) { BandwidthOf::NetworkInterface } else { BandwidthOf::Anything };
    let is_hostdev = matches!(source, Some(Source::Hostdev(_)));
    if let Some(source) = source.as_ref().filter(|_| !is_hostdev) {
        root.useless_attribute("managed", &format!("on an interface of type {}", source.word()));
    }
    let interface = Interface {
        source: source.clone().unwrap_or(Source::Null),
        trust_guest_rx_filters: root.filled("trustGuestRxFilters", yes_no),
        mac: root.child("mac").and_then(|element| device::mac(&element)),
        vlan: root.child("vlan").and_then(|element| vlan(&element)),
        virtual_port: root.child("virtualport").and_then(|element| {
            if !has_port {
                element.misplaced_here("only interfaces of type network, bridge, direct and hostdev have a port");
            }
            virtual_port(&element, type_is)
        }),
        bandwidth: root.child("bandwidth").and_then(|element| bandwidth(&element, of)),
        port_isolated: root.child("port").and_then(|element| {
            element.expect(&PORT);
            element.depends_on("isolated");
            element.value("isolated", yes_no)
        }),
        ips: root.children("ip", interface_ip),
        routes: root.children("route", route),
        port_forwards: root.children("portForward", port_forward),
        script: only(root, "script", &PATH),
        downscript: only(root, "downscript", &PATH),
        backend_domain: only(root, "backenddomain", &NAME),
        target: root.child("target").and_then(|element| device::target(&element)),
        guest: root.child("guest").and_then(|element| device::guest(&element)),
        model: root.child("model").and_then(|element| model(&element)),
        driver: if is_hostdev { None } else { root.child("driver").and_then(|element| driver::driver(&element)) },
        backend: backend.and_then(|element| backend::backend(&element)),
        filter: root.child("filterref").and_then(|element| filter(&element, source.as_ref())),
        sndbuf: root.child("tune").and_then(|element| sndbuf(&element)),
        teaming: root.child("teaming").and_then(|element| device::teaming(&element)),
        link: root.child("link").and_then(|element| device::link(&element)),
        mtu: root.child("mtu").and_then(|element| {
            element.expect(&MTU);
            element.depends_on("size");
            element.filled("size", number).filter(|size| *size != 0)
        }),
        coalesce_rx_frames: root.child("coalesce").and_then(|element| rx_frames(&element)),
        boot: root.child("boot").and_then(|element| device::boot(&element)),
        alias: only(root, "alias", &NAME),
        rom: root.child("rom").and_then(|element| device::rom(&element)),
        acpi_index: root.child("acpi").and_then(|element| {
            element.expect(&ACPI);
            element.filled("index", number).filter(|index| *index != 0)
        }),
        address: root.child("address").and_then(|element| address::address(&element)),
        comments: root.comments(""),
    };
    source.map(|_| interface)
}

/// The attribute of an element that has one attribute and nothing else.
fn only(root: &Element<'_>, name: &str, grammar: &'static Grammar) -> Option<String> {
    let element = root.child(name)?;
    element.expect(grammar);
    let attribute = grammar.attributes[0];
    element.depends_on(attribute);
    element.filled(attribute, text)
}

fn model(element: &Element<'_>) -> Option<String> {
    element.expect(&MODEL);
    element.depends_on("type");
    element.filled("type", |text| {
        if let Some(model) = MODELS.iter().find(|model| model.eq_ignore_ascii_case(text)) {
            return Ok((*model).to_owned());
        }
        match text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
            true => Ok(text.to_owned()),
            false => Err("a model: letters, digits, `_` and `-`".to_owned()),
        }
    })
}

/// Reads `<filterref>`. It applies only to types whose packets can be filtered at a port.
fn filter(element: &Element<'_>, source: Option<&Source>) -> Option<Filter> {
    let filter = device::filter(element);
    match source {
        None | Some(Source::Network(_) | Source::Bridge(_) | Source::Ethernet(_)) => filter,
        Some(source) => {
            element.useless(&format!("on an interface of type {}", source.word()));
            None
        }
    }
}

fn sndbuf(element: &Element<'_>) -> Option<u64> {
    element.expect(&TUNE);
    let sndbuf = element.child("sndbuf")?;
    let text = sndbuf.only_text().trim();
    number(text).map_err(|expected| sndbuf.invalid_text(&expected)).ok()
}

fn rx_frames(element: &Element<'_>) -> Option<u32> {
    element.expect(&COALESCE);
    let rx = element.child("rx")?;
    rx.expect(&RX);
    let frames = rx.child("frames")?;
    frames.expect(&FRAMES);
    frames.filled("max", number).filter(|frames| *frames != 0)
}
