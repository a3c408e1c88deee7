//! `vnet attach-interface DOMAIN TYPE SOURCE`, as virsh has it.

use anyhow::{Context, bail};
use vnet_xml::{Definition, Style};

use super::attach::attach;
use super::words::{OfGuest, fill};
use crate::directories::Directories;
use crate::document::Document;
use crate::guest::Which;
use crate::output::{Answer, FormatOption, print_exact};
use crate::whose::For;

/// Attach an interface for a guest, described by options as for `virsh attach-interface`
///
/// Its device is created and connected on this host. A guest that runs gets it when its hypervisor
/// is told so: QEMU by `netdev_add` and `device_add`, with the values that are printed.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "virsh's options")]
pub(crate) struct Args {
    /// The guest's name; network, bridge, direct or hostdev; the network, the device, or the PCI
    /// address
    #[arg(value_name = "DOMAIN TYPE SOURCE", num_args = 0..=3)]
    words: Vec<String>,
    #[arg(long, value_name = "DOMAIN", hide = true)]
    domain: Option<String>,
    #[arg(long = "type", value_name = "TYPE", hide = true)]
    kind: Option<String>,
    #[arg(long, value_name = "SOURCE", hide = true)]
    source: Option<String>,
    /// The name of the device on the host
    #[arg(long, value_name = "DEV")]
    target: Option<String>,
    /// The guest's MAC address
    #[arg(long, value_name = "MAC")]
    mac: Option<String>,
    /// The model of the network card
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// A program for the device
    #[arg(long, value_name = "PATH")]
    script: Option<String>,
    /// The device's name in the hypervisor
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// The mode of a direct interface
    #[arg(long, value_name = "MODE")]
    source_mode: Option<String>,
    /// Limits to what the guest receives: average,peak,burst,floor
    #[arg(long, value_name = "RATES")]
    inbound: Option<String>,
    /// Limits to what the guest sends: average,peak,burst
    #[arg(long, value_name = "RATES")]
    outbound: Option<String>,
    /// Take a device of type hostdev from its driver, and give it back later
    #[arg(long)]
    managed: bool,
    /// Only print the `<interface>`
    #[arg(long)]
    print_xml: bool,
    #[command(flatten)]
    of_guest: OfGuest,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Attaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let [domain, kind, source] = fill(&self.words, [&self.domain, &self.kind, &self.source])?;
        let domain = domain.context("the guest's name is missing")?;
        let text = self.xml(&kind.context("the type is missing")?, &source.context("the source is missing")?)?;
        if self.print_xml {
            let definition = Definition::parse(text.as_bytes()).into_result()?;
            return Ok(print_exact(&definition.to_text(Style::default())).map(|()| Answer::Yes)?);
        }
        self.of_guest.live_only("put what --print-xml prints into the guest's definition")?;
        let document = Document::new("<attach-interface>".to_owned(), text.into_bytes());
        attach(document, &Which::default(), &For::guest(domain), directories, self.format.format)
    }

    fn xml(&self, kind: &str, source: &str) -> anyhow::Result<String> {
        let source = match kind {
            "network" | "bridge" => format!("<source {kind}='{}'/>", escaped(source)),
            "direct" => format!(
                "<source dev='{}' mode='{}'/>",
                escaped(source),
                escaped(self.source_mode.as_deref().unwrap_or("vepa"))
            ),
            "hostdev" => format!("<source>{}</source>", pci(source)?),
            other => bail!("`{other}` is not network, bridge, direct or hostdev"),
        };
        let one = |name: &str, attribute: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("<{name} {attribute}='{}'/>", escaped(value))).unwrap_or_default()
        };
        let managed = if self.managed { " managed='yes'" } else { "" };
        let rates = [rates("inbound", &self.inbound)?, rates("outbound", &self.outbound)?].concat();
        let bandwidth = if rates.is_empty() { rates } else { format!("<bandwidth>{rates}</bandwidth>") };
        let parts = [
            one("mac", "address", &self.mac),
            source,
            bandwidth,
            one("script", "path", &self.script),
            one("target", "dev", &self.target),
            one("model", "type", &self.model),
            one("alias", "name", &self.alias),
        ];
        Ok(format!("<interface type='{kind}'{managed}>{}</interface>", parts.concat()))
    }
}

/// `average[,peak[,burst[,floor]]]` as an element.
fn rates(name: &str, given: &Option<String>) -> anyhow::Result<String> {
    let Some(given) = given else { return Ok(String::new()) };
    let names = ["average", "peak", "burst", "floor"];
    let values: Vec<&str> = given.split(',').collect();
    if values.len() > names.len() {
        bail!("`{given}` has more than average,peak,burst,floor");
    }
    let set = names.iter().zip(values).filter(|(_, value)| !value.is_empty());
    Ok(format!("<{name}{}/>", set.map(|(name, value)| format!(" {name}='{}'", escaped(value))).collect::<String>()))
}

/// A PCI address such as `0000:03:10.1` as an element.
fn pci(address: &str) -> anyhow::Result<String> {
    let parts = address.rsplit_once('.').and_then(|(rest, function)| {
        let mut parts = rest.split(':');
        let domain_bus_slot = (parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then_some((domain_bus_slot, function))
    });
    let Some(((domain, bus, slot), function)) = parts else {
        bail!("`{address}` is not a PCI address such as 0000:03:10.1")
    };
    let [domain, bus, slot, function] = [domain, bus, slot, function].map(escaped);
    Ok(format!("<address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;")
}
