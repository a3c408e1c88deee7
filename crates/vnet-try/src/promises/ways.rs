//! Which ways lead into a network and out of it, as its forward mode has it. Pure.

use vnet_types::{Family, InterfaceName, PortRange};
use vnet_xml::Network;
use vnet_xml::network::{Forward, ForwardMode};

use crate::promise::Source;

/// Whether guests of one network may connect to guests of another, on the same host, in this
/// family.
///
/// libvirt asks the network that is entered first; what it lets in has passed.
pub(crate) fn may_cross(from: &Network, to: &Network, family: Family) -> bool {
    let passes = |from: &Network, to: &Network, is_reply: bool| match gate(to, family) {
        Gate::None => !matches!(gate(from, family), Gate::Closed),
        Gate::Open => true,
        Gate::Replies => is_reply,
        Gate::Closed => false,
    };
    passes(from, to, false) && passes(to, from, true)
}

/// The device that traffic beyond the host is limited to.
pub(crate) fn device(network: &Network) -> Option<&InterfaceName> {
    network.forward.as_ref()?.dev()
}

/// How the firewall answers who would enter a network.
enum Gate {
    /// It has no rules.
    None,
    Open,
    Replies,
    Closed,
}

fn gate(network: &Network, family: Family) -> Gate {
    match way_out(network, family) {
        _ if network.forward_mode() == ForwardMode::Open => Gate::None,
        // Other networks are not behind the device.
        _ if device(network).is_some() => Gate::Closed,
        None => Gate::Closed,
        Some(Source::Own) => Gate::Open,
        Some(Source::Translated { .. } | Source::Host) => Gate::Replies,
    }
}

/// How guests of a network are seen outside. `None` where they have no way there.
pub(super) fn way_out(network: &Network, family: Family) -> Option<Source> {
    let nat = network.forward.as_ref().and_then(|Forward { nat, .. }| nat.as_ref());
    let translates = family == Family::Ipv4 || nat.is_some_and(|nat| nat.ipv6 == Some(true));
    match network.forward_mode() {
        ForwardMode::None => None,
        ForwardMode::Nat if translates => Some(Source::Translated {
            addresses: nat.and_then(|nat| nat.addresses).filter(|_| family == Family::Ipv4),
            ports: nat.and_then(|nat| nat.ports).unwrap_or_else(|| PortRange::new(1024, u16::MAX).expect("in order")),
        }),
        _ => Some(Source::Own),
    }
}
