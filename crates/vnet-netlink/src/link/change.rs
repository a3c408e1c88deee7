//! The messages that create and change a link.

use std::fs::File;
use std::os::fd::AsRawFd;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoMacVtap, InfoVeth, LinkAttribute, LinkMessage, MacVtapMode,
};
use nix::libc::{EIO, EOPNOTSUPP};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};
use vnet_types::{BridgeOptions, Link, LinkKind, MacvtapMode, MacvtapOptions, VethOptions};

use crate::{Intent, Netlink, Refused};

/// The MTU of a bridge for which nobody has set one.
const DEFAULT_MTU: u32 = 1500;

impl Netlink {
    /// Creates a link completely or not at all, and returns its index.
    pub(super) fn create(&self, link: &Link) -> Result<u32, Refused> {
        let created = match link.kind {
            // The kernel replaces an MTU from the creation of a bridge by the smallest MTU of its
            // ports. It keeps an MTU that is set later.
            LinkKind::Bridge(_) => Link { mtu: None, ..link.clone() },
            // `Tap::create` has created it, with the kernel's defaults.
            LinkKind::Tap(_) => Link { mac: None, mtu: None, up: false, ..link.clone() },
            // It gets the MAC address of the device below; setting another one changes both.
            LinkKind::Macvtap(MacvtapOptions { mode: MacvtapMode::Passthrough, .. }) => {
                Link { mac: None, ..link.clone() }
            }
            LinkKind::Macvtap(_) | LinkKind::Veth(_) | LinkKind::Other(_) => link.clone(),
        };
        if let LinkKind::Veth(options) = &link.kind {
            self.create_pair(&created, options)?;
        } else if !matches!(link.kind, LinkKind::Tap(_)) {
            let mut message = difference(None, &created);
            if let LinkKind::Macvtap(options) = &link.kind {
                message = message.link(self.index(&options.lower)?);
            }
            self.command(RouteNetlinkMessage::NewLink(message.build()), Intent::Create)?;
        }
        let index = match self.index(&link.name).or_else(|_| self.index(&link.name)) {
            Ok(index) => index,
            Err(refused) => {
                // Without its index no caller could delete it.
                let message = LinkUnspec::new_with_name(link.name.as_str()).build();
                let _ = self.command(RouteNetlinkMessage::DelLink(message), Intent::Existing);
                return Err(refused);
            }
        };
        let completed = self.change(index, &created, link);
        if completed.is_err() {
            // The first refusal is the one to report.
            let _ = self.delete_link(index);
        }
        completed.map(|()| index)
    }

    /// Creates a veth pair in one message: the other end is born in its namespace.
    fn create_pair(&self, link: &Link, options: &VethOptions) -> Result<(), Refused> {
        let namespace =
            File::open(&options.namespace).map_err(|error| Refused::from_errno(error.raw_os_error().unwrap_or(EIO)))?;
        let mut peer = LinkMessage::default();
        peer.attributes.push(LinkAttribute::IfName(options.peer.as_str().to_owned()));
        peer.attributes.push(LinkAttribute::Address(options.peer_mac.0.to_vec()));
        peer.attributes.extend(link.mtu.map(LinkAttribute::Mtu));
        peer.attributes.push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
        let mut message = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::Veth)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
            .name(link.name.as_str());
        if let Some(mac) = link.mac {
            message = message.address(mac.0.to_vec());
        }
        if let Some(mtu) = link.mtu {
            message = message.mtu(mtu);
        }
        if link.up {
            message = message.up();
        }
        self.command(RouteNetlinkMessage::NewLink(message.build()), Intent::Create)
    }

    /// Changes what differs between two states of a link, step by step.
    pub(super) fn change(&self, index: u32, from: &Link, to: &Link) -> Result<(), Refused> {
        if from == to {
            return Ok(());
        }
        let set = |message: LinkMessageBuilder<LinkUnspec>| {
            self.command(RouteNetlinkMessage::NewLink(message.index(index).build()), Intent::Existing)
        };
        let mut to = to.clone();
        match (&from.kind, &to.kind) {
            (LinkKind::Bridge(before), LinkKind::Bridge(after)) => {
                if before.stp && !after.stp {
                    // The kernel sets the delay before stp, and with stp on it refuses a delay
                    // below 200.
                    let off = LinkKind::Bridge(BridgeOptions { stp: false, ..*before });
                    set(of_kind(Some(&from.kind), &off))?;
                }
                match (from.mtu, to.mtu) {
                    (Some(before), None) => to.mtu = Some(self.smallest_port(index, before)?),
                    (before, Some(mtu)) if before != Some(mtu) && self.mtu(index)? == Some(mtu) => {
                        set(LinkMessageBuilder::<LinkUnspec>::new().mtu(another(mtu)))?;
                    }
                    _ => {}
                }
            }
            (LinkKind::Tap(before), LinkKind::Tap(after)) if before == after => {}
            (LinkKind::Veth(before), LinkKind::Veth(after)) if before == after => {}
            (LinkKind::Tap(_) | LinkKind::Veth(_), _) | (_, LinkKind::Tap(_) | LinkKind::Veth(_)) => {
                return Err(Refused::from_errno(EOPNOTSUPP));
            }
            _ => {}
        }
        set(difference(Some(from), &to))
    }

    /// The smallest MTU of a bridge's ports, at most the default. It ignores ports with the old MTU
    /// of the bridge, because they took it from the bridge.
    fn smallest_port(&self, bridge: u32, given_up: u32) -> Result<u32, Refused> {
        let links = self.links().map_err(|error| error.refused)?;
        let ports = links.iter().filter(|known| known.controller == Some(bridge));
        let mtus = ports.filter_map(|port| port.link.mtu).filter(|mtu| *mtu != given_up);
        Ok(mtus.fold(DEFAULT_MTU, u32::min))
    }
}

/// An MTU that differs from the wanted one. The kernel ignores an MTU that a link has already, and
/// a bridge would continue to follow its ports. The MTU is larger if possible, because below 1280
/// the kernel removes all IPv6 addresses.
fn another(mtu: u32) -> u32 {
    if mtu < u16::MAX.into() { mtu + 1 } else { mtu - 1 }
}

/// A message with the settings of `to` that differ from `from`.
fn difference(from: Option<&Link>, to: &Link) -> LinkMessageBuilder<LinkUnspec> {
    let mut message = match from {
        Some(from) if from.kind == to.kind => LinkMessageBuilder::<LinkUnspec>::new(),
        from => of_kind(from.map(|from| &from.kind), &to.kind),
    };
    if from.is_none_or(|from| from.name != to.name) {
        message = message.name(to.name.as_str());
    }
    if let Some(mac) = to.mac.filter(|mac| from.is_none_or(|from| from.mac != Some(*mac))) {
        message = message.address(mac.0.to_vec());
    }
    if let Some(mtu) = to.mtu.filter(|mtu| from.is_none_or(|from| from.mtu != Some(*mtu))) {
        message = message.mtu(mtu);
    }
    match (from.is_some_and(|from| from.up), to.up) {
        (false, true) => message.up(),
        (true, false) => message.down(),
        _ => message,
    }
}

/// A message with a link's kind and the settings that belong to it.
fn of_kind(from: Option<&LinkKind>, kind: &LinkKind) -> LinkMessageBuilder<LinkUnspec> {
    match kind {
        LinkKind::Tap(_) | LinkKind::Veth(_) => LinkMessageBuilder::<LinkUnspec>::new(),
        LinkKind::Other(word) => LinkMessageBuilder::new_with_info_kind(InfoKind::Other(word.clone())),
        LinkKind::Macvtap(options) => {
            let mode = match options.mode {
                MacvtapMode::Private => MacVtapMode::Private,
                MacvtapMode::Vepa => MacVtapMode::Vepa,
                MacvtapMode::Bridge => MacVtapMode::Bridge,
                MacvtapMode::Passthrough => MacVtapMode::Passthrough,
            };
            let data = InfoData::MacVtap(vec![InfoMacVtap::Mode(mode)]);
            LinkMessageBuilder::new_with_info_kind(InfoKind::MacVtap).set_info_data(data)
        }
        LinkKind::Bridge(options) => {
            let stp = if options.stp { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
            let mut data = vec![InfoBridge::ForwardDelay(options.forward_delay), InfoBridge::StpState(stp)];
            // A kernel without VLAN filtering refuses the attribute even with the value `false`.
            let filtered = matches!(from, Some(LinkKind::Bridge(from)) if from.vlan_filtering);
            if filtered != options.vlan_filtering {
                data.push(InfoBridge::VlanFiltering(options.vlan_filtering));
            }
            LinkMessageBuilder::new_with_info_kind(InfoKind::Bridge).set_info_data(InfoData::Bridge(data))
        }
    }
}
