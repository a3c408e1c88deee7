//! The device of a guest on the host: a tap or a macvtap.

use vnet_types::{
    InterfaceName, Inventory, KnownPort, Link, LinkKind, MacAddr, MacvtapMode, MacvtapOptions, TapOptions,
};
use vnet_xml::Interface;
use vnet_xml::interface::{DirectMode, LinkState};

use super::{AttachError, PortChoices};
use crate::{HostState, Resource};

/// Do frames come with the header of virtio-net? The network cards of these models know offloads.
pub(super) fn has_vnet_hdr(interface: &Interface) -> bool {
    let model = interface.model.as_deref().unwrap_or_default();
    model.starts_with("virtio") || matches!(model, "e1000e" | "igb" | "vmxnet3")
}

/// The tap's own address: the guest's with another first byte, so that no bridge takes the guest's for its own.
fn tap_mac(guest: MacAddr) -> MacAddr {
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
    lower: &InterfaceName,
    mode: DirectMode,
    interface: &Interface,
    inventory: &Inventory,
    choices: &PortChoices,
) -> Result<(), AttachError> {
    if choices.owner.is_some() || choices.group.is_some() {
        return Err(AttachError::OwnerOfMacvtap);
    }
    let below = inventory.links.iter().find(|link| link.name == *lower);
    let below = below.ok_or_else(|| AttachError::NoDevice(lower.clone()))?;
    if let (DirectMode::Passthrough, Some(was)) = (mode, below.mac)
        && was != port.mac
    {
        // In this mode the macvtap has whatever address the device has.
        desired.insert(Resource::Borrowed { link: lower.clone(), mac: port.mac, was });
    }
    let mode = match mode {
        DirectMode::Vepa => MacvtapMode::Vepa,
        DirectMode::Private => MacvtapMode::Private,
        DirectMode::Bridge => MacvtapMode::Bridge,
        DirectMode::Passthrough => MacvtapMode::Passthrough,
    };
    desired.insert(Resource::Link(Link {
        name: port.dev.clone(),
        kind: LinkKind::Macvtap(MacvtapOptions { lower: lower.clone(), mode }),
        mac: Some(port.mac),
        mtu: None,
        up: interface.link != Some(LinkState::Down),
    }));
    Ok(())
}
