//! A guest's tap as a port of a bridge: isolation, VLANs, and the entry for the guest's address
//! (<https://libvirt.org/formatnetwork.html>, `macTableManager`, "Setting VLAN tag", "Isolating
//! ports").

use vnet_types::{BridgePort, BridgeVlan, Fdb, FdbOrigin, Features, KnownPort};
use vnet_xml::network::MacTableManager;
use vnet_xml::{NativeMode, Vlan, VlanTag};

use super::AttachError;
use super::connection::Bridge;
use super::settings::Settings;
use crate::{HostState, Port, VlanFiltering, Vlans};

pub(super) fn add_to(
    desired: &mut HostState,
    port: &KnownPort,
    bridge: &Bridge,
    settings: &Settings<'_>,
    features: &Features,
) -> Result<(), AttachError> {
    let by_us = bridge.manager == Some(MacTableManager::Libvirt);
    if by_us && !features.vlan_filtering {
        return Err(AttachError::NoVlanFiltering("macTableManager='libvirt'"));
    }
    let joined = BridgePort {
        learning: !by_us,
        unicast_flood: !by_us,
        isolated: settings.isolated,
        hairpin: bridge.leads_to.contains(&port.mac),
        ..BridgePort::new(bridge.name.clone())
    };
    desired.insert(Port { link: port.dev.clone(), port: joined });
    if by_us {
        if !bridge.own {
            // Only with VLAN filtering does a bridge take its other ports out of promiscuous mode.
            // Bridges of vnet's own are created with it.
            desired.insert(VlanFiltering { bridge: bridge.name.clone(), on: true });
        }
        // An entry applies to the VLANs that the port has when it is added. If these can change,
        // each VLAN gets its own entry.
        let vlans: Vec<Option<u16>> = match settings.vlan {
            Some(vlan) => vlan.tags.iter().map(|tag| Some(tag.id)).collect(),
            None => vec![None],
        };
        for vlan in vlans {
            let origin = FdbOrigin::Static;
            desired.insert(Fdb { mac: port.mac, port: port.dev.clone(), vlan, origin });
        }
    }
    if let Some(vlan) = settings.vlan {
        if let (true, Some(network)) = (bridge.own, &port.network) {
            return Err(AttachError::VlanOfNetwork(network.clone()));
        }
        if !features.vlan_filtering {
            return Err(AttachError::NoVlanFiltering("`<vlan>`"));
        }
        if !bridge.filters && !by_us {
            return Err(AttachError::NotFiltering(bridge.name.clone()));
        }
        desired.insert(Vlans { link: port.dev.clone(), vlans: vlans(vlan)? });
    }
    Ok(())
}

/// The VLANs of a port. An access port has one, whose tag the guest does not see. A trunk has all
/// that are listed; frames without a tag belong to the native one.
fn vlans(vlan: &Vlan) -> Result<Vec<BridgeVlan>, AttachError> {
    let one = |tag: &VlanTag| {
        let vlan = if !vlan.trunk {
            BridgeVlan::access(tag.id)
        } else {
            match tag.native_mode {
                None => BridgeVlan::tagged(tag.id),
                Some(NativeMode::Untagged) => BridgeVlan::access(tag.id),
                Some(NativeMode::Tagged) => BridgeVlan { pvid: true, ..BridgeVlan::tagged(tag.id) },
            }
        };
        if vlan.is_valid() { Ok(vlan) } else { Err(AttachError::VlanId(tag.id)) }
    };
    let mut all = vlan.tags.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    all.sort_unstable();
    all.dedup();
    // The kernel reports adjacent VLANs with the same flags as one range.
    let mut joined: Vec<BridgeVlan> = Vec::new();
    for vlan in all {
        match joined.last_mut() {
            Some(last) if !last.pvid && !vlan.pvid && last.untagged == vlan.untagged && last.last + 1 == vlan.first => {
                last.last = vlan.last;
            }
            _ => joined.push(vlan),
        }
    }
    Ok(joined)
}
