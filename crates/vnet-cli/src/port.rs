//! The results of `plan`, `attach` and `apply` for a guest's interface.

use serde::Serialize;
use vnet_driver::{AttachOptions, Device, Driver, Error, KnownPort, PortOutcome};
use vnet_passt::Passt;
use vnet_xml::Interface;

use crate::changes::{ChangeJson, changes};
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::failure;
use crate::guest::Guest;
use crate::hypervisor::PasstJson;
use crate::notes;
use crate::output::{Format, note, print_json};

/// An interface and the changes. `docs/json.md` describes the shape.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `None` when it was refused.
    port: Option<PortJson>,
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
    guest: Option<String>,
    network: Option<String>,
    bridge: Option<String>,
    lower: Option<String>,
    /// `None` when the guest is not behind passt.
    passt: Option<PasstJson>,
    /// The PCI address of a device that the guest has for itself; then `name` is not the name of a
    /// link.
    function: Option<String>,
}

/// A call of the driver for an interface.
pub(crate) type Call = fn(&Driver, &Interface, &AttachOptions) -> Result<PortOutcome, Error>;

/// Checks the interface of a document, calls the driver for it, and prints the diagnostics. `None`
/// when it was refused, which is printed too.
pub(crate) fn heard(
    document: Document,
    driver: &Driver,
    options: AttachOptions,
    call: Call,
    format: Format,
) -> anyhow::Result<Option<(Checked, PortOutcome)>> {
    let mut checked = Checked::new(document);
    let Some(definition) = checked.sound() else { return refuse(&checked, format).map(|()| None) };
    let guest = match Guest::of(definition, &checked.document) {
        Ok(guest) => guest,
        Err(error) => {
            // The findings on this host replace those about the document alone.
            let found = driver.checker()?.check(definition)?;
            checked.hear(&found.findings);
            return if checked.sound().is_some() { Err(error) } else { refuse(&checked, format).map(|()| None) };
        }
    };
    match call(driver, &guest.interface, &guest.options(options)) {
        Ok(outcome) => {
            guest.hear(&mut checked, &outcome.findings);
            if format == Format::Human {
                note(human(&checked) + &notes::notes(&outcome.notes));
            }
            Ok(Some((checked, outcome)))
        }
        Err(Error::Refused { findings }) => {
            guest.hear(&mut checked, &findings);
            refuse(&checked, format).map(|()| None)
        }
        Err(error) => {
            if format == Format::Human {
                note(human(&checked));
            }
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
        Format::Json => {
            let diagnostics = diagnostics(checked);
            print_json(&Report { port: None, diagnostics, changes: Vec::new(), notes: Vec::new() })
        }
    }
}

impl Report {
    /// An interface and the changes that it makes.
    pub(crate) fn changed(checked: &Checked, outcome: &PortOutcome) -> Self {
        let port = PortJson::of(&outcome.port, &outcome.device, outcome.passt.as_ref());
        let notes = outcome.notes.iter().map(ToString::to_string).collect();
        Self { port: Some(port), diagnostics: diagnostics(checked), changes: changes(&outcome.changes), notes }
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
            guest: port.guest.clone(),
            network: port.network.as_ref().map(ToString::to_string),
            bridge: port.bridge.as_ref().map(ToString::to_string),
            lower: port.lower.as_ref().map(ToString::to_string),
            passt: passt.map(|passt| PasstJson::of(passt, Some(port.mac))),
            function: port.function.as_ref().map(ToString::to_string),
        }
    }
}

/// Where a port is connected, for people.
pub(crate) fn place(port: &KnownPort) -> String {
    let on = port.bridge.as_ref().or(port.lower.as_ref()).map(ToString::to_string);
    on.or(port.function.map(|address| address.to_string())).unwrap_or_else(|| "-".to_owned())
}
