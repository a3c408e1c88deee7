//! The device of a guest on the host: a tap, a macvtap, or a virtual function of a card.

use vnet_types::{
    InterfaceName, Inventory, KnownPort, Link, LinkKind, MacAddr, MacvtapMode, MacvtapOptions, TapOptions, VfSettings,
    VirtualFunction,
};
use vnet_xml::interface::{DirectMode, LinkState};
use vnet_xml::{Interface, Vlan};

use super::{AttachError, PortChoices};
use crate::{Borrowed, HostState, Key, Resource, Vf};

/// Whether frames begin with a virtio-net header: the network cards of these models support
/// offloads.
pub(super) fn has_vnet_hdr(interface: &Interface) -> bool {
    let model = interface.model.as_deref().unwrap_or_default();
    model.starts_with("virtio") || matches!(model, "e1000e" | "igb" | "vmxnet3")
}

/// The tap's own address: the guest's with another first byte, so that a bridge does not take the
/// guest's address for its own.
pub(super) fn tap_mac(guest: MacAddr) -> MacAddr {
    let MacAddr([first, rest @ ..]) = guest;
    let [a, b, c, d, e] = rest;
    MacAddr([if first == 0xfe { 0xfa } else { 0xfe }, a, b, c, d, e])
}

pub(super) fn tap(
    port: &KnownPort,
    interface: &Interface,
    bridge_mtu: Option<u32>,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Link {
    let options = TapOptions {
        owner: choices.owner.or(choices.group.is_none().then_some(inventory.user)),
        group: choices.group,
        multi_queue: port.queues > 1,
        vnet_hdr: port.vnet_hdr,
    };
    Link {
        name: port.dev.clone(),
        kind: LinkKind::Tap(options),
        mac: Some(tap_mac(port.mac)),
        mtu: interface.mtu.filter(|mtu| *mtu > 0).or(bridge_mtu),
        up: interface.link != Some(LinkState::Down),
    }
}

pub(super) fn add_macvtap(
    desired: &mut HostState,
    port: &KnownPort,
    (lower, mode): (&InterfaceName, DirectMode),
    interface: &Interface,
    vlan: Option<&Vlan>,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<(), AttachError> {
    if choices.owner.is_some() || choices.group.is_some() {
        return Err(AttachError::OwnerOfMacvtap);
    }
    let below = inventory.links.iter().find(|link| link.name == *lower);
    let below = below.ok_or_else(|| AttachError::NoDevice(lower.clone()))?;
    if mode == DirectMode::Passthrough {
        let function = inventory.functions.iter().find(|function| function.dev.as_ref() == Some(lower));
        match (function, vlan) {
            (Some(function), vlan) => add_function(desired, port, function, vlan, choices),
            (None, Some(_)) => return Err(AttachError::VlanOfDevice(lower.clone())),
            (None, None) => {}
        }
        // In this mode the macvtap has the same address as the device. The receipt has the device's
        // own address.
        let before = match choices.owned.get(&Key::Borrowed(lower.clone())) {
            Some(Resource::Borrowed(Borrowed { was, .. })) => Some(*was),
            _ => below.mac,
        };
        if let Some(was) = before.filter(|was| *was != port.mac) {
            desired.insert(Borrowed { link: lower.clone(), mac: port.mac, was });
        }
    }
    let mode = match mode {
        DirectMode::Vepa => MacvtapMode::Vepa,
        DirectMode::Private => MacvtapMode::Private,
        DirectMode::Bridge => MacvtapMode::Bridge,
        DirectMode::Passthrough => MacvtapMode::Passthrough,
    };
    desired.insert(Link {
        name: port.dev.clone(),
        kind: LinkKind::Macvtap(MacvtapOptions { lower: lower.clone(), mode }),
        mac: Some(port.mac),
        mtu: interface.mtu.filter(|mtu| *mtu > 0),
        up: interface.link != Some(LinkState::Down),
    });
    Ok(())
}

/// Gives the virtual function the guest's address and VLAN; its own settings are restored
/// afterwards.
pub(super) fn add_function(
    desired: &mut HostState,
    port: &KnownPort,
    function: &VirtualFunction,
    vlan: Option<&Vlan>,
    choices: &PortChoices,
) {
    let number = function.settings.number;
    let before = match choices.owned.get(&Key::Vf(function.card.clone(), number)) {
        Some(Resource::Vf(Vf { was, .. })) => *was,
        _ => function.settings,
    };
    let tag = vlan.and_then(|vlan| vlan.tags.first()).map(|tag| tag.id);
    // The VLAN is reset only if the function has one, because some cards do not support VLANs.
    let vlan = tag.or(before.vlan.filter(|vlan| *vlan != 0).map(|_| 0));
    let settings = VfSettings { number, mac: Some(port.mac), vlan };
    let was = VfSettings { vlan: before.vlan.filter(|_| vlan.is_some()), ..before };
    desired.insert(Vf { card: function.card.clone(), settings, was });
}
