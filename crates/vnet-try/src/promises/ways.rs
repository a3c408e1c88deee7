//! The traffic that a network's forward mode allows in and out. Pure.

use vnet_types::Family;
use vnet_xml::Network;
use vnet_xml::network::{ForwardMode, WayOut};

/// Whether guests of one network may connect to guests of another on the same host, in this family.
///
/// libvirt checks the network that a packet enters before the one that it leaves. A packet that the
/// first check accepts has passed.
pub(crate) fn may_cross(from: &Network, to: &Network, family: Family) -> bool {
    let passes = |from: &Network, to: &Network, is_reply: bool| match gate(to, family) {
        Gate::None => !matches!(gate(from, family), Gate::Closed),
        Gate::Open => true,
        Gate::Replies => is_reply,
        Gate::Closed => false,
    };
    passes(from, to, false) && passes(to, from, true)
}

/// The same of two networks that may be on OVN. There no network leads to another one; `None` where
/// the routers of the physical network decide, which are not here.
pub(crate) fn crosses(from: &Network, to: &Network, family: Family) -> Option<bool> {
    match to.is_on_ovn() {
        true => (!matches!(gate(to, family), Gate::None | Gate::Open)).then_some(false),
        false => Some(may_cross(from, to, family)),
    }
}

/// The firewall's answer to connections into a network.
enum Gate {
    /// The network has no rules.
    None,
    Open,
    Replies,
    Closed,
}

fn gate(network: &Network, family: Family) -> Gate {
    match network.way_out(family) {
        _ if network.forward_mode() == ForwardMode::Open => Gate::None,
        // Other networks are not behind the device.
        _ if network.outgoing_device().is_some() && !network.is_on_ovn() => Gate::Closed,
        None => Gate::Closed,
        Some(WayOut::Routed) => Gate::Open,
        Some(WayOut::Translated { .. }) => Gate::Replies,
    }
}
