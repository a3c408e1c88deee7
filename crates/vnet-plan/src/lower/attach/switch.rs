//! A guest's tap as a port of Open vSwitch
//! (<https://libvirt.org/formatdomain.html#network-interfaces>, `<virtualport>`).

use vnet_types::{InterfaceName, Inventory, KnownPort, KnownSwitch, LinkKind, Uuid};
use vnet_xml::{Rate, VirtualPort, Vlan};

use super::connection::Switch;
use super::settings::Settings;
use super::{AttachError, PortChoices};
use crate::{Key, Resource, SwitchPolicer, SwitchPort, SwitchShaper, SwitchVlans};

/// The bridge of Open vSwitch that a guest is attached to. Where Open vSwitch was not asked, the
/// bridge's own device shows that it is there.
pub(super) fn switch(name: &str, inventory: &Inventory) -> Result<Switch, AttachError> {
    let link = inventory.links.iter().find(|link| link.name.as_str() == name);
    if matches!(link.map(|link| &link.kind), Some(LinkKind::Bridge(_))) {
        return Err(AttachError::NotASwitch(name.to_owned()));
    }
    let is_there = match &inventory.switch {
        KnownSwitch::Unasked => link.is_some(),
        KnownSwitch::Unusable(why) => return Err(AttachError::NoSwitch(why.clone())),
        known => known.has(name),
    };
    let name: InterfaceName = name.parse().map_err(|_| AttachError::NoSwitchBridge(name.to_owned()))?;
    if !is_there {
        return Err(AttachError::NoSwitchBridge(name.as_str().to_owned()));
    }
    let in_userspace = inventory.switch.is_in_userspace(name.as_str());
    Ok(Switch { name, mtu: link.and_then(|link| link.mtu), in_userspace })
}

/// The rows of a port. The guest is known by its UUID, or else by that of the port.
pub(super) fn port(
    port: &KnownPort,
    switch: &Switch,
    virtual_port: &VirtualPort,
    settings: &Settings<'_>,
    choices: &PortChoices,
) -> SwitchPort {
    let interface_id = virtual_port.interface_id.unwrap_or(Uuid([0; 16]));
    let had = match choices.owned.get(&Key::SwitchPort(port.dev.clone())) {
        Some(Resource::SwitchPort(had)) => Some(had.guest_id),
        _ => None,
    };
    SwitchPort {
        link: port.dev.clone(),
        bridge: switch.name.clone(),
        mac: port.mac,
        interface_id,
        guest_id: choices.guest_uuid.or(had).unwrap_or(interface_id),
        profile: virtual_port.profile_id.clone().filter(|profile| !profile.is_empty()),
        vlans: settings.vlan.map(vlans).unwrap_or_default(),
        shaper: settings.bandwidth.and_then(|limits| shaper(limits.inbound.as_ref()?)),
        policer: settings.bandwidth.and_then(|limits| policer(limits.outbound.as_ref()?)),
    }
}

/// As libvirt has it, a trunk lists all of its VLANs, the native one included.
fn vlans(vlan: &Vlan) -> SwitchVlans {
    let native = vlan.tags.iter().find_map(|tag| Some((tag.id, tag.native_mode?)));
    let mut trunks: Vec<u16> = vlan.tags.iter().map(|tag| tag.id).filter(|_| vlan.trunk).collect();
    trunks.sort_unstable();
    trunks.dedup();
    let only = vlan.tags.first().filter(|_| !vlan.trunk).map(|tag| tag.id);
    SwitchVlans {
        tag: only.or(native.map(|(tag, _)| tag)),
        trunks,
        mode: native.map(|(_, mode)| format!("native-{}", mode.word())),
    }
}

/// The bandwidth to the guest: kilobytes and kibibytes become bits.
fn shaper(rate: &Rate) -> Option<SwitchShaper> {
    let average = rate.average.filter(|average| *average != 0)?;
    let bits = |kilobytes: u64| kilobytes.saturating_mul(8000);
    let positive = |value: Option<u64>| value.filter(|value| *value != 0);
    let burst = positive(rate.burst).map(|kibibytes| kibibytes.saturating_mul(8192));
    Some(SwitchShaper { min_rate: bits(average), max_rate: positive(rate.peak).map(bits), burst })
}

/// The bandwidth from the guest. As with libvirt, `peak` has no effect.
fn policer(rate: &Rate) -> Option<SwitchPolicer> {
    let average = rate.average.filter(|average| *average != 0)?;
    let bits = |kilobytes: u64| kilobytes.saturating_mul(8);
    Some(SwitchPolicer { rate: bits(average), burst: bits(rate.burst.unwrap_or(0)) })
}
