//! Renaming of links: a link stays the same, and the resources on it follow.

use std::sync::Arc;

use vnet_types::{FilterAction, InterfaceName, Link, LinkKind};

use crate::{HostState, Resource, Sysctl};

impl HostState {
    /// Renames a link in the state. A firewalld zone does not follow, because firewalld knows links
    /// by name.
    pub fn rename(&mut self, from: &InterfaceName, to: &InterfaceName) {
        let renamed = self.iter().cloned().map(|mut resource| {
            resource.rename(from, to);
            resource
        });
        *self = renamed.collect();
    }

    /// The links of this state.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.iter().filter_map(|resource| if let Resource::Link(link) = resource { Some(link) } else { None })
    }
}

impl Resource {
    fn rename(&mut self, from: &InterfaceName, to: &InterfaceName) {
        let rename = |name: &mut InterfaceName| {
            if name == from {
                *name = to.clone();
            }
        };
        match self {
            Self::Vf(it) => rename(&mut it.card),
            Self::Borrowed(it) => rename(&mut it.link),
            Self::Link(it) => {
                rename(&mut it.name);
                if let LinkKind::Macvtap(options) = &mut it.kind {
                    rename(&mut options.lower);
                }
            }
            Self::Relay(it) => it.ends.iter_mut().for_each(|end| rename(&mut end.link)),
            Self::VlanFiltering(it) => rename(&mut it.bridge),
            Self::Port(it) => {
                rename(&mut it.link);
                rename(&mut it.port.bridge);
            }
            Self::Vlans(it) => rename(&mut it.link),
            Self::Fdb(it) => rename(&mut it.port),
            Self::Coalesce(it) => rename(&mut it.link),
            Self::Container(it) => {
                rename(&mut it.link);
                it.without_tree.iter_mut().for_each(rename);
            }
            Self::Sysctl(it) => match &mut it.switch {
                Sysctl::DisableIpv6(link) | Sysctl::AcceptRa(link) | Sysctl::Autoconf(link) => rename(link),
                Sysctl::Ipv4Forward | Sysctl::Ipv6Forward => {}
            },
            Self::Ruleset(it) => Arc::make_mut(&mut it.ruleset).rename(from, to),
            Self::Address(it) => rename(&mut it.link),
            Self::Route(it) => rename(&mut it.link),
            Self::Resolver(it) => rename(&mut it.link),
            Self::Qdisc(it) => rename(&mut it.link),
            Self::Class(it) => rename(&mut it.link),
            Self::Filter(it) => {
                rename(&mut it.link);
                if let FilterAction::Redirect(link) = &mut it.action {
                    rename(link);
                }
            }
            // Rules of libvirt, and ours among them, are for libvirt's bridges, which keep their
            // names.
            Self::LibvirtRules(_) | Self::LibvirtForwards(_) => {}
            // Open vSwitch knows links by name, too.
            Self::SwitchPort(_) | Self::Zone(_) | Self::File(_) | Self::Process(_) | Self::Passt(_) => {}
        }
    }
}

/// The links of one state that have another name in the other state. A bridge that disappears is
/// the one that appears; other links are matched by kind and MAC address.
pub fn renames(from: &HostState, to: &HostState) -> Vec<(InterfaceName, InterfaceName)> {
    let missing_in = |other: &HostState, link: &Link| other.links().all(|it| it.name != link.name);
    let mut comes: Vec<&Link> = to.links().filter(|link| missing_in(from, link)).collect();
    let mut pairs = Vec::new();
    for old in from.links().filter(|link| missing_in(to, link)) {
        if let Some(at) = comes.iter().position(|new| is_same(old, new)) {
            pairs.push((old.name.clone(), comes.remove(at).name.clone()));
        }
    }
    pairs
}

fn is_same(old: &Link, new: &Link) -> bool {
    match (&old.kind, &new.kind) {
        (LinkKind::Bridge(_), LinkKind::Bridge(_)) => true,
        (LinkKind::Other(one), LinkKind::Other(other)) if one != other => false,
        (one, other) => {
            std::mem::discriminant(one) == std::mem::discriminant(other) && old.mac.is_some() && old.mac == new.mac
        }
    }
}
