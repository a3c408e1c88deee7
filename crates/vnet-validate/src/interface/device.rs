//! The devices at both ends: the host's, and the guest's network card.

use vnet_types::InterfaceName;
use vnet_xml::interface::{DeviceAddress, Driver, Source, Teaming};
use vnet_xml::{Interface, NodePath, did_you_mean};

use super::Types;
use crate::finding::Finding;
use crate::rules;

const MTU: Types = Types(&["network", "bridge", "ethernet", "vhostuser"]);
const COALESCE: Types = Types(&["network", "bridge"]);
const QUEUES: Types = Types(&["network", "bridge", "direct", "ethernet", "vhostuser", "vdpa"]);
const TAP: Types = Types(&["network", "bridge", "ethernet"]);
const VIRTIO_ONLY: Types = Types(&["vhostuser", "vdpa"]);

/// The network cards that QEMU has.
const MODELS: &[&str] = &[
    "virtio",
    "virtio-transitional",
    "virtio-non-transitional",
    "e1000",
    "e1000e",
    "e1000-82544gc",
    "e1000-82545em",
    "igb",
    "rtl8139",
    "ne2k_pci",
    "ne2k_isa",
    "pcnet",
    "tulip",
    "vmxnet3",
    "usb-net",
    "spapr-vlan",
    "lan9118",
    "smc91c111",
    "i82550",
    "i82551",
    "i82557a",
    "i82557b",
    "i82557c",
    "i82558a",
    "i82558b",
    "i82559a",
    "i82559b",
    "i82559c",
    "i82559er",
    "i82562",
    "i82801",
    "sungem",
    "sunhme",
    // Models of other hypervisors that libvirt knows.
    "netfront",
    "vlance",
    "vmxnet",
    "vmxnet2",
    "scm91c111",
    "Am79C970A",
    "Am79C973",
    "82540EM",
    "82545EM",
    "82543GC",
];

/// The minimum MTU of IPv4 (RFC 791) and of IPv6 (RFC 8200), and the maximum length of a packet.
const MTU_IPV4: u32 = 68;
const MTU_IPV6: u32 = 1280;
const MTU_MOST: u32 = 65_535;

pub(super) fn check(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(target(interface, &root.element("target")));
    findings.extend(script(interface, root));
    findings.extend(model(interface, &root.element("model").attribute("type")));
    if let Some(driver) = &interface.driver {
        findings.extend(virtio(interface, driver, &root.element("driver")));
        findings.extend(queues(interface, driver, &root.element("driver")));
    }
    findings.extend(backend(interface, &root.element("backend")));
    findings.extend(teaming(interface, &root.element("teaming")));
    findings.extend(mtu(interface, &root.element("mtu").attribute("size")));
    if interface.coalesce_rx_frames.is_some() && !COALESCE.has(&interface.source) {
        let message = format!("only interfaces of type {} can hold back interrupts", COALESCE.list());
        let finding = Finding::new(rules::COALESCE_UNSUPPORTED, root.element("coalesce"), message);
        findings.push(finding.help("leave `<coalesce>` out"));
    }
    if interface.acpi_index.is_some_and(|index| index > 16_383) {
        let message = "the index that the firmware gives a device is at most 16383";
        let finding = Finding::new(rules::ACPI_INDEX, root.element("acpi").attribute("index"), message);
        findings.push(finding.help("write a number from 1 to 16383"));
    }
    findings.extend(on_pci(interface, root));
    findings
}

fn target(interface: &Interface, path: &NodePath) -> Vec<Finding> {
    let Some(target) = &interface.target else { return Vec::new() };
    let mut findings = Vec::new();
    let is_ethernet = matches!(interface.source, Source::Ethernet(_));
    if target.managed == Some(false) && !is_ethernet {
        let message = format!("an interface of type {} makes its own device", interface.source.word());
        let finding = Finding::new(rules::UNMANAGED_UNSUPPORTED, path.attribute("managed"), message);
        findings.push(finding.help("leave `managed` out, or write `type='ethernet'`"));
    } else if target.managed == Some(false) && target.dev.is_none() {
        let message = "a device that is there already needs its name";
        let finding = Finding::new(rules::UNMANAGED_WITHOUT_DEV, path.attribute("dev"), message);
        findings.push(finding.help("write `<target dev='tap0' managed='no'/>`"));
    }
    if let Some(dev) = &target.dev {
        findings.extend(device_name(dev, target.managed == Some(false), &path.attribute("dev")));
    }
    findings
}

/// Checks that the kernel accepts the name. One `%d` may stand for a number.
fn device_name(dev: &str, exists: bool, path: &NodePath) -> Option<Finding> {
    let finding =
        |message: String, help: &str| Some(Finding::new(rules::TARGET_NAME, path.clone(), message).help(help));
    let template = dev.matches('%').count() == 1 && dev.contains("%d");
    if template && exists {
        return finding(
            format!("`{dev}` stands for a name that is free, not for a device that is there"),
            "write its name",
        );
    }
    let example = if template { dev.replace("%d", "0") } else { dev.to_owned() };
    match example.parse::<InterfaceName>() {
        Ok(_) if dev.contains('%') && !template => {
            finding(format!("in `{dev}` a `%` stands for something else than a number"), "write one `%d`, or none")
        }
        Ok(_) => None,
        Err(error) => finding(error.to_string(), "write at most 15 letters, digits, `_`, `-` and `.`"),
    }
}

fn script(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    if matches!(interface.source, Source::Ethernet(_)) {
        return Vec::new();
    }
    let word = interface.source.word();
    let mut findings = Vec::new();
    if interface.script.is_some() {
        let message = format!("interfaces of type {word} have no script");
        let finding = Finding::new(rules::SCRIPT_UNSUPPORTED, root.element("script"), message);
        findings.push(finding.help("leave `<script>` out, or write `type='ethernet'`"));
    }
    if interface.downscript.is_some() {
        let message = format!("interfaces of type {word} never run a `<downscript>`: it has no effect");
        let finding = Finding::new(rules::DOWNSCRIPT_WITHOUT_EFFECT, root.element("downscript"), message);
        findings.push(finding.help("leave it out, or write `type='ethernet'`"));
    }
    findings
}

fn model(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let model = interface.model.as_deref()?;
    if VIRTIO_ONLY.has(&interface.source) && !interface.is_virtio() {
        let message = format!("an interface of type {} is a virtio device, not `{model}`", interface.source.word());
        return Some(Finding::new(rules::VIRTIO_NEEDED, path.clone(), message).help("write `<model type='virtio'/>`"));
    }
    // This list is incomplete, so an unknown model is reported only if it is almost one of these.
    if MODELS.contains(&model) {
        return None;
    }
    let meant = did_you_mean(model, MODELS.iter().copied())?;
    let message = format!("QEMU has no network card `{model}`");
    Some(Finding::new(rules::MODEL_MISSPELLED, path.clone(), message).help(format!("did you mean `{meant}`?")))
}

/// Only PCI devices have an ACPI index or a ROM. A device without an address can still become a PCI
/// device.
fn on_pci(interface: &Interface, root: &NodePath) -> Option<Finding> {
    if matches!(interface.address, None | Some(DeviceAddress::Pci { .. } | DeviceAddress::Unassigned)) {
        return None;
    }
    let (name, path) = match (&interface.rom, interface.acpi_index) {
        (Some(_), _) => ("a ROM", root.element("rom")),
        (None, Some(_)) => ("an index of the firmware's", root.element("acpi").attribute("index")),
        (None, None) => return None,
    };
    let finding = Finding::new(rules::NOT_ON_PCI, path, format!("only PCI devices have {name}"));
    Some(finding.help("leave it out, or write `<address type='pci'/>`"))
}

fn virtio(interface: &Interface, driver: &Driver, path: &NodePath) -> Vec<Finding> {
    if may_be_virtio(interface) {
        return Vec::new();
    }
    let options = [
        ("iommu", driver.iommu.is_some()),
        ("ats", driver.ats.is_some()),
        ("packed", driver.packed.is_some()),
        ("page_per_vq", driver.page_per_vq.is_some()),
    ];
    let model = interface.model.as_deref().unwrap_or("the hypervisor's default");
    if let Some((name, _)) = options.into_iter().find(|(_, is_set)| *is_set) {
        let message = format!("only virtio devices have `{name}`; the model is {model}");
        let finding = Finding::new(rules::VIRTIO_OPTION, path.attribute(name), message);
        return vec![finding.help("write `<model type='virtio'/>`")];
    }
    let message = format!("`<driver>` has no effect: only virtio devices have one; the model is {model}");
    vec![Finding::new(rules::DRIVER_WITHOUT_EFFECT, path.clone(), message).help("write `<model type='virtio'/>`")]
}

/// Whether it is a virtio device, or becomes one because no model is given.
fn may_be_virtio(interface: &Interface) -> bool {
    interface.is_virtio() || interface.model.is_none() && VIRTIO_ONLY.has(&interface.source)
}

fn queues(interface: &Interface, driver: &Driver, path: &NodePath) -> Vec<Finding> {
    let mut findings = Vec::new();
    if driver.queues.is_some() && !QUEUES.has(&interface.source) {
        let message = format!("an interface of type {} has one queue", interface.source.word());
        let finding = Finding::new(rules::QUEUES_UNSUPPORTED, path.attribute("queues"), message);
        findings.push(finding.help(format!("leave `queues` out: only {} have more", QUEUES.list())));
    } else if driver.queues.is_some() && interface.is_passt() {
        let message = "passt has one pair of queues";
        let finding = Finding::new(rules::QUEUES_UNSUPPORTED, path.attribute("queues"), message);
        findings.push(finding.help("leave `queues` out"));
    }
    for (name, size) in [("rx_queue_size", driver.rx_queue_size), ("tx_queue_size", driver.tx_queue_size)] {
        let Some(size) = size.filter(|size| !size.is_power_of_two() || !(256..=1024).contains(size)) else { continue };
        let rule = if size.is_power_of_two() { rules::QUEUE_SIZE_UNUSUAL } else { rules::QUEUE_SIZE };
        let message = format!("a queue of {size} descriptors cannot be: QEMU has 256, 512 and 1024");
        findings.push(Finding::new(rule, path.attribute(name), message).help("write one of these"));
    }
    findings
}

fn backend(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let tap = interface.backend.as_ref()?.tap.as_ref().filter(|_| !TAP.has(&interface.source))?;
    let message = format!("an interface of type {} has no tap that `{tap}` could make", interface.source.word());
    let finding = Finding::new(rules::BACKEND_TAP_UNSUPPORTED, path.attribute("tap"), message);
    Some(finding.help(format!("leave `tap` out: it is for interfaces of type {}", TAP.list())))
}

fn teaming(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let (message, help) = match interface.teaming.as_ref()? {
        Teaming::Persistent if !may_be_virtio(interface) => {
            ("the device that stays has to be virtio: it holds the pair together", "write `<model type='virtio'/>`")
        }
        Teaming::Transient { .. } if !matches!(interface.source, Source::Hostdev(_) | Source::Network(_)) => (
            "the device that goes has to be one of the host's",
            "use an interface of type hostdev, or of type network in a network of mode hostdev",
        ),
        _ => return None,
    };
    Some(Finding::new(rules::TEAMING, path.clone(), message).help(help))
}

fn mtu(interface: &Interface, path: &NodePath) -> Option<Finding> {
    let size = interface.mtu?;
    let is_user = matches!(interface.source, Source::User { .. });
    if !(MTU.has(&interface.source) || is_user && interface.is_passt()) {
        let message = format!("the MTU of an interface of type {} cannot be set", interface.source.word());
        let finding = Finding::new(rules::MTU_UNSUPPORTED, path.clone(), message);
        let types = format!("leave `<mtu>` out: it is for interfaces of type {}, and user with passt", MTU.list());
        return Some(finding.help(types));
    }
    if !(MTU_IPV4..=MTU_MOST).contains(&size) {
        let message = format!("an MTU of {size} bytes cannot be: it is {MTU_IPV4} to {MTU_MOST}");
        let finding = Finding::new(rules::INTERFACE_MTU_RANGE, path.clone(), message);
        return Some(finding.help("write 1500, or up to 9000 where all devices on the way have it"));
    }
    if size < MTU_IPV6 {
        let message = format!("with an MTU of {size} bytes there is no IPv6: that needs {MTU_IPV6}");
        let finding = Finding::new(rules::INTERFACE_MTU_WITHOUT_IPV6, path.clone(), message);
        return Some(finding.help("write 1280 or more, unless the guest is to have IPv4 alone"));
    }
    None
}
