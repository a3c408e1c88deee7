//! The firewalld zone of a network's bridge (libvirt firewall "firewalld and the virtual network
//! driver").

use vnet_types::{Firewalld, InterfaceName};
use vnet_xml::Network;
use vnet_xml::network::ForwardMode;

use super::LowerError;
use crate::{Resource, Zone};

/// The zone that libvirt installs for its networks.
const LIBVIRT: &str = "libvirt";
/// The zone for networks of mode `route`, and the policy that lets their guests reach others.
const ROUTED: &str = "libvirt-routed";
const ROUTED_OUT: &str = "libvirt-routed-out";

/// Refuses a zone in the definition that is not available.
pub(super) fn check(network: &Network, firewalld: Option<&Firewalld>) -> Result<(), LowerError> {
    let Some(zone) = asked(network) else { return Ok(()) };
    match firewalld {
        None => Err(LowerError::NoFirewalld { zone: zone.to_owned() }),
        Some(firewalld) if !firewalld.zones.contains_key(zone) => {
            Err(LowerError::UnknownZone { zone: zone.to_owned() })
        }
        Some(_) => Ok(()),
    }
}

/// The zone that firewalld has to put the bridge into. `None` if firewalld does not run, or if the
/// bridge is in the right zone already.
///
/// Without a zone in the definition, a bridge stays in the zone that an administrator has put it
/// into. If firewalld does not have libvirt's zone, the bridge is put into no zone; libvirt refuses
/// such a network.
pub(super) fn zone(network: &Network, bridge: &InterfaceName, firewalld: Option<&Firewalld>) -> Option<Resource> {
    let firewalld = firewalld?;
    let was = firewalld.zone_of(bridge);
    let zone = match asked(network) {
        Some(zone) => Some(zone),
        None if was.is_some() => None,
        None => by_mode(network.forward_mode(), firewalld),
    };
    let zone = zone.filter(|zone| Some(*zone) != was)?;
    Some(Resource::Zone(Zone { link: bridge.clone(), zone: zone.to_owned(), was: was.map(str::to_owned) }))
}

/// The zone that lets the questions of a name server's relay in.
pub(super) fn of_relay(link: &InterfaceName, firewalld: Option<&Firewalld>) -> Option<Resource> {
    let firewalld = firewalld?;
    let was = firewalld.zone_of(link);
    let has = firewalld.zones.contains_key(LIBVIRT) && was.is_none();
    has.then(|| Resource::Zone(Zone { link: link.clone(), zone: LIBVIRT.to_owned(), was: None }))
}

fn asked(network: &Network) -> Option<&str> {
    network.bridge.as_ref()?.zone.as_deref()
}

fn by_mode(mode: ForwardMode, firewalld: &Firewalld) -> Option<&'static str> {
    let has = |zone: &&str| firewalld.zones.contains_key(*zone);
    let routed = || Some(ROUTED).filter(|zone| has(zone) && firewalld.policies.contains(ROUTED_OUT));
    match mode {
        ForwardMode::Open => None,
        ForwardMode::Route => routed().or(Some(LIBVIRT).filter(has)),
        _ => Some(LIBVIRT).filter(has),
    }
}
