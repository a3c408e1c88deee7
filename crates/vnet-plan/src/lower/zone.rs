//! The zone of firewalld that a network's bridge is put into (libvirt firewall "firewalld and the
//! virtual network driver").

use vnet_types::{Firewalld, InterfaceName};
use vnet_xml::Network;
use vnet_xml::network::ForwardMode;

use super::LowerError;
use crate::{Resource, Zone};

/// The zone that libvirt brings along for its networks.
const LIBVIRT: &str = "libvirt";
/// The one for networks of mode `route`, and the policy that its guests need to reach anybody.
const ROUTED: &str = "libvirt-routed";
const ROUTED_OUT: &str = "libvirt-routed-out";

/// Refuses a zone that is asked for and cannot be had.
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

/// What is asked of firewalld. Nothing where none runs, and where the bridge is in the right zone
/// already.
///
/// Where no zone is asked for, a bridge that an administrator has put into one stays there, and one
/// for which firewalld has no zone of libvirt's goes into none: libvirt refuses such a network.
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
