//! The results of `plan`, `attach` and `apply` for the interfaces of a guest.

use serde::Serialize;
use vnet_driver::{AttachOptions, Device, Driver, Error, KnownPort, PortOutcome};
use vnet_passt::Passt;
use vnet_xml::{Definition, Interface};

use crate::changes::{ChangeJson, changes};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::failure;
use crate::guest::Guest;
use crate::hypervisor::{Connect, PasstJson};
use crate::notes;
use crate::output::{Format, note, print_json};

/// A guest's interfaces and the changes. `docs/json.md` describes the shape.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `None` when it was refused, or when the document defines several.
    port: Option<PortJson>,
    /// All interfaces, in the order of the document.
    ports: Vec<PortJson>,
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A port for programs, with what a hypervisor needs.
#[derive(Debug, Serialize)]
pub(crate) struct PortJson {
    name: String,
    /// `None` while the device does not exist.
    ifindex: Option<u32>,
    queues: u16,
    vnet_hdr: bool,
    /// The guest's MAC address.
    mac: String,
    /// `None` while the device does not exist.
    mtu: Option<u32>,
    /// The file of a macvtap; a tap uses `/dev/net/tun`.
    device_node: Option<String>,
    managed: bool,
    /// Whether another program makes the device; then `name` is not the name of a link.
    recorded: bool,
    /// The name of the device on the host. `None` while it does not exist.
    device: Option<String>,
    /// What identifies it among the ports of its network.
    uuid: Option<String>,
    guest: Option<String>,
    network: Option<String>,
    bridge: Option<String>,
    lower: Option<String>,
    /// `None` when the guest is not behind passt.
    passt: Option<PasstJson>,
    /// The PCI address of a device that the guest has for itself; then `name` is not the name of a
    /// link.
    function: Option<String>,
    /// How a hypervisor uses the device. `None` in lists, and for a guest behind passt.
    connect: Option<Connect>,
}

/// A call of the driver for the interfaces of a guest.
pub(crate) type Call = fn(&Driver, &[&Interface], &AttachOptions) -> Result<Vec<PortOutcome>, Error>;

/// The interfaces of a document that were heard by the driver.
pub(crate) struct Heard {
    pub(crate) checked: Checked,
    pub(crate) ports: Vec<(Interface, PortOutcome)>,
}

/// Checks the interfaces of a document, calls the driver for them, and prints the diagnostics.
/// `None` when they were refused, which is printed too.
pub(crate) fn heard(
    document: Document,
    which: impl Fn(&Definition, &Document) -> anyhow::Result<Guest>,
    driver: &Driver,
    options: AttachOptions,
    call: Call,
    format: Format,
) -> anyhow::Result<Option<Heard>> {
    let mut checked = Checked::new(document);
    let Some(definition) = checked.sound() else { return refuse(&checked, format).map(|()| None) };
    let guest = match which(definition, &checked.document) {
        Ok(guest) => guest,
        Err(error) => {
            // The findings on this host replace those about the document alone.
            let found = driver.checker()?.check(definition)?;
            checked.hear(&found.findings);
            return if checked.sound().is_some() { Err(error) } else { refuse(&checked, format).map(|()| None) };
        }
    };
    let interfaces = guest.interfaces();
    match call(driver, &interfaces, &guest.options(options)) {
        Ok(outcomes) => {
            for (index, outcome) in outcomes.iter().enumerate() {
                guest.hear(&mut checked, index, &outcome.findings);
            }
            if format == Format::Human {
                let notes = outcomes.iter().map(|outcome| notes::notes(&outcome.notes));
                note(human(&checked) + &notes.collect::<String>());
            }
            let ports = interfaces.into_iter().cloned().zip(outcomes).collect();
            Ok(Some(Heard { checked, ports }))
        }
        Err(Error::Refused { findings }) => {
            guest.hear(&mut checked, 0, &findings);
            refuse(&checked, format).map(|()| None)
        }
        Err(error) => {
            if let Error::OneOfSeveral { index, left, source } = &error
                && let Error::Refused { findings } = &**source
            {
                guest.hear(&mut checked, *index, findings);
                if left.is_empty() {
                    return refuse(&checked, format).map(|()| None);
                }
            }
            if format == Format::Human {
                note(human(&checked));
            }
            let error = match error {
                Error::OneOfSeveral { source, left, .. }
                    if left.is_empty() && matches!(*source, Error::AlreadyAttached(_)) =>
                {
                    *source
                }
                error => error,
            };
            failure::answer(error).map(|_| None)
        }
    }
}

/// Reports a document without a usable interface.
fn refuse(checked: &Checked, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Human => {
            note(human(checked));
            Ok(())
        }
        Format::Json => print_json(&Report::new(checked, &[])),
    }
}

impl Report {
    /// Interfaces and the changes that they make.
    pub(crate) fn new(checked: &Checked, outcomes: &[(Interface, PortOutcome)]) -> Self {
        let of = |(at, (interface, outcome)): (usize, &(Interface, PortOutcome))| PortJson {
            connect: Connect::of(interface, outcome, at),
            passt: outcome.passt.as_ref().map(|passt| PasstJson::of(passt, Some(outcome.port.mac), at)),
            ..PortJson::of(&outcome.port, &outcome.device, None)
        };
        let port = match outcomes {
            [one] => Some(of((0, one))),
            _ => None,
        };
        let made: Vec<_> = outcomes.iter().flat_map(|(_, outcome)| outcome.changes.iter().cloned()).collect();
        let ports = outcomes.iter().enumerate().map(of).collect();
        let notes = outcomes.iter().flat_map(|(_, outcome)| outcome.notes.iter().map(ToString::to_string)).collect();
        Self { port, ports, diagnostics: diagnostics(checked), changes: changes(&made), notes }
    }
}

/// How hypervisors connect the guest to an interface, for people.
pub(crate) fn connection(at: usize, interface: &Interface, outcome: &PortOutcome) -> String {
    match (&outcome.passt, Connect::of(interface, outcome, at)) {
        (Some(passt), _) => PasstJson::of(passt, Some(outcome.port.mac), at).text(),
        (None, Some(connect)) => connect.text(),
        (None, None) => String::new(),
    }
}

impl PortJson {
    /// A port with its passt, if it has one, and its device as the kernel reports it.
    pub(crate) fn of(port: &KnownPort, device: &Device, passt: Option<&Passt>) -> Self {
        Self {
            name: port.dev.to_string(),
            ifindex: device.index,
            queues: port.queues,
            vnet_hdr: port.vnet_hdr,
            mac: port.mac.to_string(),
            mtu: device.mtu,
            device_node: device.node.as_ref().map(|node| node.display().to_string()),
            managed: port.managed,
            recorded: port.recorded,
            device: device.name.as_ref().map(ToString::to_string),
            uuid: port.uuid.map(|uuid| uuid.to_string()),
            guest: port.guest.clone(),
            network: port.network.as_ref().map(ToString::to_string),
            bridge: port.bridge.as_ref().map(ToString::to_string),
            lower: port.lower.as_ref().map(ToString::to_string),
            passt: passt.map(|passt| PasstJson::of(passt, Some(port.mac), 0)),
            connect: None,
            function: port.function.as_ref().map(ToString::to_string),
        }
    }
}

/// Where a port is connected, for people, and by whom if not by vnet.
pub(crate) fn place(port: &KnownPort, device: &Device) -> String {
    let on = port.bridge.as_ref().or(port.lower.as_ref()).map(ToString::to_string);
    let on = on.or(port.function.map(|address| address.to_string())).unwrap_or_else(|| "-".to_owned());
    match &device.name {
        _ if !port.recorded => on,
        Some(dev) => format!("{on}, by `{dev}` of another program"),
        None => format!("{on}, by another program"),
    }
}
