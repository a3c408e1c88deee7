//! Guests behind passt: each with a passt of its own on the imagined host, and a card whose frames go there.

mod judge;
mod promises;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use vnet_passt::Connection;
use vnet_passt::run::{Cable, Program};
use vnet_types::{InterfaceName, IpNet, MacAddr};
use vnet_xml::interface::Source;
use vnet_xml::{Definition, Interface};

use super::report::InterfaceReport;
use super::world::{DEVICE, SWITCHES, Station, World};
use crate::diagnostic::{Checked, diagnostics};
use judge::Behind;
use promises::Promise;
use vnet_lab::Namespace;
use vnet_lab::card;

/// The guests of a document that passt connects; a refusal where there is none.
pub(crate) fn guests(checked: &Checked) -> anyhow::Result<Vec<Interface>> {
    let file = &checked.document.name;
    match &checked.definition {
        Some(Definition::Interface(interface)) if interface.is_passt() => Ok(vec![(**interface).clone()]),
        Some(Definition::Interface(interface)) => bail!(
            "`{file}` is an interface of type {}, which takes what the host has: there is nothing of its own to try",
            interface.source.word()
        ),
        Some(Definition::Domain(domain)) => {
            let guests: Vec<_> = domain.interfaces.iter().filter(|it| it.is_passt()).cloned().collect();
            if guests.is_empty() {
                bail!("`{file}` has no interface with `<backend type='passt'/>`: there is nothing of its own to try");
            }
            Ok(guests)
        }
        Some(_) => bail!("`{file}` defines neither a network nor a guest's interface"),
        None => Ok(Vec::new()),
    }
}

/// The devices of the host that a guest's interface names.
pub(super) fn devices(interface: &Interface) -> impl Iterator<Item = &InterfaceName> {
    let source = match &interface.source {
        Source::User { dev } => dev.as_ref(),
        Source::Vhostuser(source) => source.dev.as_ref(),
        _ => None,
    };
    source.into_iter().chain(interface.port_forwards.iter().filter_map(|forward| forward.dev.as_ref()))
}

/// The addresses that a guest's interface names: where the outside is not.
pub(super) fn taken(interface: &Interface) -> impl Iterator<Item = IpNet> {
    let own = interface.ips.iter().filter_map(|ip| {
        let prefix = ip.prefix.unwrap_or(if ip.address.is_ipv4() { 24 } else { 64 });
        Some(IpNet::new(ip.address, prefix).ok()?.trunc())
    });
    own.chain(interface.port_forwards.iter().filter_map(|forward| forward.address).map(IpNet::from))
}

/// Starts a passt for each guest of these documents, then sees what comes of what they promise.
pub(crate) fn attempt(world: &World, checked: &[Checked], has_names: bool) -> anyhow::Result<Vec<InterfaceReport>> {
    if checked.is_empty() {
        return Ok(Vec::new());
    }
    let program = Program::find()?;
    let mut behind = Vec::new();
    for checked in checked {
        for interface in guests(checked)? {
            let number = u8::try_from(behind.len()).map_err(|_| anyhow!("256 guests are too many to try"))?;
            let guest = start(world, &program, &interface, number);
            behind.push((
                checked,
                interface,
                guest.with_context(|| format!("`{}` cannot be tried", checked.document.name))?,
            ));
        }
    }
    let mut reports = Vec::new();
    for (checked, interface, guest) in &behind {
        let mut promises = promises::promises(&guest.passt, world);
        promises.retain(|promise| has_names || !matches!(promise, Promise::Dns(_)));
        reports.push(InterfaceReport {
            file: checked.document.name.clone(),
            passt: Some(program.version().to_owned()),
            diagnostics: diagnostics(checked),
            promises: guest.judge(&promises)?,
            notes: promises::notes(interface, has_names),
        });
    }
    Ok(reports)
}

fn start<'a>(world: &'a World, program: &Program, interface: &Interface, number: u8) -> anyhow::Result<Behind<'a>> {
    for forward in &interface.port_forwards {
        if let Some(ip) = forward.address.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()) {
            world.add_address(world.uplink_by(forward.dev.as_ref()), ip)?;
        }
    }
    let folder = Path::new("/run").join(format!("guest{number}"));
    DirBuilder::new().mode(0o700).create(&folder).context("there is no folder for its socket")?;
    let mut passt = vnet_plan::passt(interface, &folder)?;
    passt.connection = Connection::Stream;
    passt.log_file = passt.log_file.map(|_| folder.join("passt.log"));
    passt.start(program)?;
    let namespace = Namespace::new()?;
    namespace.set(&SWITCHES)?;
    let device = DEVICE.parse()?;
    let mac = interface.mac_address().unwrap_or(MacAddr([0x52, 0x54, 0, 0x76, 0x6e, number]));
    let (index, frames) = card::insert(&namespace, &device, mac)?;
    let cable = Cable::plug(frames, &passt.socket).context("passt does not take the guest")?;
    namespace.netlink().set_up(index, true)?;
    Ok(Behind { world, passt, mac, station: Station { namespace, device, index }, _cable: cable })
}
