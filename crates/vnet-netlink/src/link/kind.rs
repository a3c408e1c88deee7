//! Reads the kind of a link (`linux/if_link.h`, `IFLA_LINKINFO`).

use nix::libc::{IFF_TAP, c_int};
use vnet_types::{BridgeOptions, LinkKind, MacvtapMode, TapOptions};

use crate::message::{attribute, number32, text};

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_FORWARD_DELAY: u16 = 1;
const IFLA_BR_STP_STATE: u16 = 5;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_TUN_OWNER: u16 = 1;
const IFLA_TUN_GROUP: u16 = 2;
const IFLA_TUN_TYPE: u16 = 3;
const IFLA_TUN_VNET_HDR: u16 = 5;
const IFLA_TUN_MULTI_QUEUE: u16 = 7;

/// A kind, as far as the link's own attributes tell it.
#[derive(Clone, Debug)]
pub(super) enum RawKind {
    Known(LinkKind),
    /// Another attribute has the device below.
    Macvtap(MacvtapMode),
}

/// Reads the value of `IFLA_LINKINFO`, which is empty for hardware.
pub(super) fn read_kind(info: &[u8]) -> RawKind {
    let word = attribute(info, IFLA_INFO_KIND).and_then(text).unwrap_or_default();
    let data = attribute(info, IFLA_INFO_DATA).unwrap_or_default();
    let number = |kind| attribute(data, kind).and_then(number32);
    let on = |kind| attribute(data, kind).is_some_and(|value| value.first() == Some(&1));
    let known = match word {
        "bridge" => LinkKind::Bridge(BridgeOptions {
            stp: number(IFLA_BR_STP_STATE).unwrap_or_default() != 0,
            forward_delay: number(IFLA_BR_FORWARD_DELAY).unwrap_or_default(),
            vlan_filtering: on(IFLA_BR_VLAN_FILTERING),
        }),
        "tun" if is_tap(attribute(data, IFLA_TUN_TYPE)) => LinkKind::Tap(TapOptions {
            owner: number(IFLA_TUN_OWNER),
            group: number(IFLA_TUN_GROUP),
            multi_queue: on(IFLA_TUN_MULTI_QUEUE),
            vnet_hdr: on(IFLA_TUN_VNET_HDR),
        }),
        "macvtap" => match number(IFLA_MACVLAN_MODE) {
            Some(1) => return RawKind::Macvtap(MacvtapMode::Private),
            Some(2) => return RawKind::Macvtap(MacvtapMode::Vepa),
            Some(4) => return RawKind::Macvtap(MacvtapMode::Bridge),
            Some(8) => return RawKind::Macvtap(MacvtapMode::Passthrough),
            _ => LinkKind::Other(word.to_owned()),
        },
        _ => LinkKind::Other(word.to_owned()),
    };
    RawKind::Known(known)
}

/// Taps and tuns are one kind, with a type.
fn is_tap(value: Option<&[u8]>) -> bool {
    value.and_then(<[u8]>::first).is_some_and(|value| c_int::from(*value) == IFF_TAP)
}
