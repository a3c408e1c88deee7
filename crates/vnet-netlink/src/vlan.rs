//! The VLANs of a bridge and its ports (bridge(8), `linux/if_bridge.h`).

use nix::libc::{AF_BRIDGE, EINVAL, EOPNOTSUPP};
use vnet_types::{BridgeVlan, InterfaceName, LinkKind};

use crate::link::{HEADER, IFLA_AF_SPEC, IFLA_EXT_MASK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK, header};
use crate::message::{Message, Request, attribute, attributes};
use crate::{Cause, Error, Intent, Missing, Netlink, Operation, Refused};

const IFLA_BRIDGE_FLAGS: u16 = 0;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
const BRIDGE_FLAGS_SELF: u16 = 2;
const RTEXT_FILTER_BRVLAN: u32 = 2;
const PVID: u16 = 2;
const UNTAGGED: u16 = 4;
const RANGE_BEGIN: u16 = 8;
const RANGE_END: u16 = 16;

impl Netlink {
    /// Lists the VLANs of a port, or of a bridge itself (those of the host), in order, as few
    /// ranges as possible.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn vlans(&self, link: &InterfaceName) -> Result<Vec<BridgeVlan>, Error> {
        let list = || -> Result<Vec<BridgeVlan>, Refused> {
            let index = self.index(link)?;
            let family = AF_BRIDGE.to_ne_bytes()[0];
            let request = Request::new(RTM_GETLINK, &header(family, 0));
            let request = request.with(IFLA_EXT_MASK, &RTEXT_FILTER_BRVLAN.to_ne_bytes());
            let ports = self.ask(request, Intent::List, |message| read(message, index))?;
            Ok(joined(ports.into_iter().flatten()))
        };
        list().map_err(Operation::List.of(format_args!("VLANs of {link}")))
    }

    /// Adds VLANs to a port, or to a bridge itself. A VLAN that it has already gets the new flags;
    /// a new `pvid` replaces the previous one.
    ///
    /// # Errors
    /// The kernel's refusal: `EINVAL` for invalid numbers; [`Cause::Missing`] if the kernel does
    /// not support VLAN filtering.
    pub fn add_vlan(&self, link: &InterfaceName, vlan: &BridgeVlan) -> Result<(), Error> {
        self.change_vlan(RTM_SETLINK, link, vlan, Operation::Add)
    }

    /// Removes VLANs from a port, or from a bridge itself.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn delete_vlan(&self, link: &InterfaceName, vlan: &BridgeVlan) -> Result<(), Error> {
        self.change_vlan(RTM_DELLINK, link, vlan, Operation::Delete)
    }

    fn change_vlan(&self, kind: u16, link: &InterfaceName, vlan: &BridgeVlan, what: Operation) -> Result<(), Error> {
        let change = || -> Result<(), Refused> {
            if !vlan.is_valid() {
                return Err(Refused::from_errno(EINVAL));
            }
            let known = self.find(link)?;
            let is_bridge = matches!(known.link.kind, LinkKind::Bridge(_)) && known.controller.is_none();
            self.tell(request(kind, known.index, is_bridge, vlan), Intent::Existing)
        };
        change().map_err(|refused| {
            let unable = refused.errno == EOPNOTSUPP;
            what.of(format_args!("{vlan} of {link}"))(refused).because(unable, Cause::Missing(Missing::VlanFiltering))
        })
    }
}

fn request(kind: u16, index: u32, itself: bool, vlan: &BridgeVlan) -> Request {
    let flags = if vlan.pvid { PVID } else { 0 } | if vlan.untagged { UNTAGGED } else { 0 };
    let info = |flags: u16, id: u16| [flags.to_ne_bytes(), id.to_ne_bytes()].concat();
    let family = AF_BRIDGE.to_ne_bytes()[0];
    Request::new(kind, &header(family, index)).nest(IFLA_AF_SPEC, |spec| {
        let spec = if itself { spec.with(IFLA_BRIDGE_FLAGS, &BRIDGE_FLAGS_SELF.to_ne_bytes()) } else { spec };
        if vlan.first == vlan.last {
            return spec.with(IFLA_BRIDGE_VLAN_INFO, &info(flags, vlan.first));
        }
        spec.with(IFLA_BRIDGE_VLAN_INFO, &info(flags | RANGE_BEGIN, vlan.first))
            .with(IFLA_BRIDGE_VLAN_INFO, &info(flags | RANGE_END, vlan.last))
    })
}

fn read(message: Message<'_>, wanted: u32) -> Option<Vec<BridgeVlan>> {
    let (header, rest) = message.payload().split_at_checked(HEADER)?;
    let index = u32::from_ne_bytes(header[4..8].try_into().ok()?);
    let spec = attribute(rest, IFLA_AF_SPEC).filter(|_| index == wanted)?;
    let one = |value: &[u8]| {
        let [a, b, c, d] = *value.first_chunk()?;
        let (flags, id) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        Some(BridgeVlan { first: id, last: id, pvid: flags & PVID != 0, untagged: flags & UNTAGGED != 0 })
    };
    let infos = attributes(spec).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO);
    Some(infos.filter_map(|(_, value)| one(value)).collect())
}

/// Joins neighbouring ranges with the same flags.
fn joined(vlans: impl Iterator<Item = BridgeVlan>) -> Vec<BridgeVlan> {
    let mut all: Vec<BridgeVlan> = Vec::new();
    for vlan in vlans {
        match all.last_mut() {
            Some(last) if !last.pvid && !vlan.pvid && last.untagged == vlan.untagged && last.last + 1 == vlan.first => {
                last.last = vlan.last;
            }
            _ => all.push(vlan),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::none(&[], &[])]
    #[case::joined(&["1 pvid untagged", "10", "11", "12", "20"], &["vid 1 pvid untagged", "vid 10-12", "vid 20"])]
    #[case::flags_differ(&["10", "11 untagged", "12 untagged"], &["vid 10", "vid 11-12 untagged"])]
    fn ranges(#[case] single: &[&str], #[case] expected: &[&str]) {
        let vlan = |text: &&str| {
            let id = text.split(' ').next().and_then(|id| id.parse().ok()).unwrap();
            BridgeVlan { pvid: text.contains("pvid"), untagged: text.contains("untagged"), ..BridgeVlan::tagged(id) }
        };
        let words: Vec<_> = joined(single.iter().map(vlan)).iter().map(ToString::to_string).collect();
        assert_eq!(words, expected);
    }
}
