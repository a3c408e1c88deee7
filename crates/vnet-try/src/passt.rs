//! Guests behind passt: each has its own passt on the imagined host, and a card whose frames passt
//! carries.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use vnet_lab::{Namespace, card};
use vnet_passt::run::{Cable, Program};
use vnet_passt::{Connection, Passt};
use vnet_types::MacAddr;
use vnet_xml::Interface;

use crate::error::{Failed, Result};
use crate::judge::{Party, side_by_side};
use crate::promise::{Phase, Promise};
use crate::promises::{guest_ports, passt as promised};
use crate::report::InterfaceReport;
use crate::world::{DEVICE, SWITCHES, Station, World};

/// A guest's running passt, and the guest's end.
struct Started {
    passt: Passt,
    mac: MacAddr,
    station: Station,
    /// The cable, which is removed on drop.
    cable: Cable,
}

/// Starts a passt for each guest, then judges what they promise.
pub(crate) fn attempt(world: &World, guests: &[(usize, Interface)], has_names: bool) -> Result<Vec<InterfaceReport>> {
    if guests.is_empty() {
        return Ok(Vec::new());
    }
    let program = Program::find()?;
    let mut started = Vec::new();
    for (number, (definition, interface)) in guests.iter().enumerate() {
        let number = u8::try_from(number).map_err(|_| Failed::Other("256 guests are too many to try".to_owned()))?;
        let guest = start(world, &program, interface, number);
        started.push((*definition, interface, guest.map_err(Failed::doing("a guest's passt cannot be tried"))?));
    }
    side_by_side(started, |(definition, interface, Started { passt, mac, station, cable })| {
        let mut promises = promised::promises(&passt, world);
        promises.retain(|promise| has_names || !matches!(promise, Promise::Forwarded { .. }));
        let uplink = world.uplink_by(passt.interface.as_ref());
        let guest = promised::guest(&passt, mac, world);
        let party = Party::behind_passt(world, uplink, guest, station, guest_ports(&passt, &promises))?;
        let mut judgements = vec![None; promises.len()];
        party.judge(&promises, &[Phase::AsTold], &mut judgements)?;
        drop(cable);
        Ok(InterfaceReport {
            definition,
            passt: Some(program.version().to_owned()),
            promises: judgements.into_iter().flatten().collect(),
            notes: promised::notes(interface, has_names),
        })
    })
}

fn start(world: &World, program: &Program, interface: &Interface, number: u8) -> Result<Started> {
    for forward in &interface.port_forwards {
        if let Some(ip) = forward.address.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()) {
            world.add_address(world.uplink_by(forward.dev.as_ref()), ip)?;
        }
    }
    let folder = Path::new("/run").join(format!("guest{number}"));
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(vnet_lab::Error::doing(format!("make {}", folder.display())))?;
    let mut passt = vnet_plan::passt(interface, &folder)?;
    passt.connection = Connection::Stream;
    passt.log_file = passt.log_file.map(|_| folder.join("passt.log"));
    passt.start(program)?;
    let namespace = Namespace::new()?;
    namespace.set(&SWITCHES)?;
    let device = DEVICE.parse().expect("a name");
    let mac = interface.mac_address().unwrap_or(MacAddr([0x52, 0x54, 0, 0x76, 0x6e, number]));
    let (index, frames) = card::insert(&namespace, &device, mac)?;
    let cable = Cable::plug(frames, &passt.socket).map_err(Failed::doing("passt does not take the guest"))?;
    namespace.netlink().set_up(index, true)?;
    Ok(Started { passt, mac, station: Station { namespace, device, index }, cable })
}
