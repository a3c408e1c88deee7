//! The kinds of resources: each has one file with its type, its key and how it prints.

mod address;
mod borrowed;
mod class;
mod coalesce;
mod container;
mod fdb;
mod file;
mod filter;
mod libvirt_forwards;
mod libvirt_rules;
mod link;
mod passt;
mod port;
mod process;
mod qdisc;
mod relay;
mod resolver;
mod route;
mod rules;
mod switch_port;
mod sysctl;
mod vf;
mod vlan_filtering;
mod vlans;
mod zone;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vnet_firewall::{LibvirtForwards, LibvirtRules};
use vnet_passt::Passt;
use vnet_types::{Class, Fdb, Filter, Link, Qdisc, Route};

pub use address::LinkAddress;
pub use borrowed::Borrowed;
pub use coalesce::LinkCoalesce;
pub use container::{ContainerEnd, ContainerTap};
pub use file::File;
pub use port::Port;
pub use process::Process;
pub use relay::{Relay, RelayEnd};
pub use resolver::LinkResolver;
pub use rules::NetworkRules;
pub use switch_port::{SwitchPolicer, SwitchPort, SwitchShaper, SwitchVlans};
pub use sysctl::{Sysctl, SysctlSetting};
pub use vf::Vf;
pub use vlan_filtering::VlanFiltering;
pub use vlans::Vlans;
pub use zone::Zone;

use crate::Key;

/// One thing on a host, with every property that vnet decides.
///
/// Exhaustive on purpose: code that changes a host has to handle every kind. A new kind is a
/// breaking change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resource", rename_all = "kebab-case")]
pub enum Resource {
    /// The settings that a card gives a virtual function.
    Vf(Vf),
    /// The MAC address of a device of the host that is assigned to a guest.
    Borrowed(Borrowed),
    /// A program in a network namespace of its own, with the links that lead there.
    Relay(Box<Relay>),
    /// A link.
    Link(Link),
    /// Whether a bridge of the host filters VLANs.
    VlanFiltering(VlanFiltering),
    /// A link as the port of a bridge.
    Port(Port),
    /// A link as the port of a bridge of Open vSwitch.
    SwitchPort(Box<SwitchPort>),
    /// The VLANs of a port.
    Vlans(Vlans),
    /// An entry of a bridge's forwarding database.
    Fdb(Fdb),
    /// The interrupt coalescing of a link.
    Coalesce(LinkCoalesce),
    /// A sysctl and its value.
    Sysctl(SysctlSetting),
    /// The firewalld zone of a link.
    Zone(Zone),
    /// A network's nf_tables rules.
    Ruleset(NetworkRules),
    /// libvirt's rules for a network that vnet takes over.
    LibvirtRules(LibvirtRules),
    /// Forwarded ports of guests that rules of ours let through those of libvirt.
    LibvirtForwards(LibvirtForwards),
    /// An address of a link.
    Address(LinkAddress),
    /// A route.
    Route(Route),
    /// A queueing discipline.
    Qdisc(Qdisc),
    /// A class of a queueing discipline.
    Class(Class),
    /// A filter of traffic control.
    Filter(Filter),
    /// What a veth pair is in its container.
    Container(Box<ContainerEnd>),
    /// A file.
    File(File),
    /// A running program.
    Process(Process),
    /// A guest's passt, with the folder of its socket, which only passt's user owns.
    Passt(Box<Passt>),
    /// The name servers of a link in systemd-resolved.
    Resolver(LinkResolver),
}

/// Evaluates one expression for a resource of any kind: `for_kind!(resource, it => it.key())`,
/// where `it` is a reference to the kind's own type.
#[macro_export]
macro_rules! for_kind {
    ($resource:expr, $it:ident => $value:expr) => {
        match $resource {
            $crate::Resource::Vf($it) => $value,
            $crate::Resource::Borrowed($it) => $value,
            $crate::Resource::Relay($it) => {
                let $it = &**$it;
                $value
            }
            $crate::Resource::Link($it) => $value,
            $crate::Resource::VlanFiltering($it) => $value,
            $crate::Resource::Port($it) => $value,
            $crate::Resource::SwitchPort($it) => {
                let $it = &**$it;
                $value
            }
            $crate::Resource::Vlans($it) => $value,
            $crate::Resource::Fdb($it) => $value,
            $crate::Resource::Coalesce($it) => $value,
            $crate::Resource::Sysctl($it) => $value,
            $crate::Resource::Zone($it) => $value,
            $crate::Resource::Ruleset($it) => $value,
            $crate::Resource::LibvirtRules($it) => $value,
            $crate::Resource::LibvirtForwards($it) => $value,
            $crate::Resource::Address($it) => $value,
            $crate::Resource::Route($it) => $value,
            $crate::Resource::Qdisc($it) => $value,
            $crate::Resource::Class($it) => $value,
            $crate::Resource::Filter($it) => $value,
            $crate::Resource::Container($it) => {
                let $it = &**$it;
                $value
            }
            $crate::Resource::File($it) => $value,
            $crate::Resource::Process($it) => $value,
            $crate::Resource::Passt($it) => {
                let $it = &**$it;
                $value
            }
            $crate::Resource::Resolver($it) => $value,
        }
    };
}

/// Implements the conversions between the type of a kind and [`Resource`].
macro_rules! conversions {
    ($($variant:ident($kind:ty)),* $(,)?) => {$(
        impl From<$kind> for Resource {
            fn from(it: $kind) -> Self {
                Self::$variant(it.into())
            }
        }

        impl<'a> TryFrom<&'a Resource> for &'a $kind {
            type Error = &'a Resource;

            fn try_from(resource: &'a Resource) -> Result<Self, Self::Error> {
                if let Resource::$variant(it) = resource { Ok(it) } else { Err(resource) }
            }
        }
    )*};
}

conversions! {
    Vf(Vf),
    Borrowed(Borrowed),
    Relay(Relay),
    Link(Link),
    VlanFiltering(VlanFiltering),
    Port(Port),
    SwitchPort(SwitchPort),
    Vlans(Vlans),
    Fdb(Fdb),
    Coalesce(LinkCoalesce),
    Sysctl(SysctlSetting),
    Zone(Zone),
    Ruleset(NetworkRules),
    LibvirtRules(LibvirtRules),
    LibvirtForwards(LibvirtForwards),
    Address(LinkAddress),
    Route(Route),
    Qdisc(Qdisc),
    Class(Class),
    Filter(Filter),
    Container(ContainerEnd),
    File(File),
    Process(Process),
    Passt(Passt),
    Resolver(LinkResolver),
}

/// The key of a kind of resource, and its commands in the words of ip(8), tc(8), nft(8) and
/// sysctl(8).
pub(crate) trait Kind {
    /// The identity of the resource.
    fn key(&self) -> Key;
    /// The command that creates it, in one or several lines.
    fn added(&self) -> String;
    /// The command that deletes it.
    fn deleted(&self) -> String;
    /// The command that changes it to `to`, with its mark. By default it is deleted and created
    /// again.
    fn changed(&self, to: &Self) -> String {
        replaced(&self.deleted(), &to.added())
    }
    /// The effect on guests when it is created.
    fn effect_of_create(&self) -> Option<&'static str> {
        None
    }
    /// The effect on running guests when it is deleted.
    fn effect_of_delete(&self) -> Option<&'static str>;
    /// The effect on running guests when it changes to `to`.
    fn effect_of_change(&self, _to: &Self) -> Option<&'static str> {
        None
    }
}

impl Resource {
    /// The identity of this resource.
    pub fn key(&self) -> Key {
        for_kind!(self, it => Kind::key(it))
    }

    pub(crate) fn added(&self) -> String {
        for_kind!(self, it => it.added())
    }

    pub(crate) fn deleted(&self) -> String {
        for_kind!(self, it => it.deleted())
    }

    pub(crate) fn changed(&self, to: &Self) -> String {
        for_kind!(to, to => match self.try_into() {
            Ok(from) => Kind::changed(from, to),
            Err(_) => replaced(&self.deleted(), &to.added()),
        })
    }

    pub(crate) fn effect_of_create(&self) -> Option<&'static str> {
        for_kind!(self, it => it.effect_of_create())
    }

    pub(crate) fn effect_of_delete(&self) -> Option<&'static str> {
        for_kind!(self, it => it.effect_of_delete())
    }

    pub(crate) fn effect_of_change(&self, to: &Self) -> Option<&'static str> {
        for_kind!(to, to => self.try_into().ok().and_then(|from| Kind::effect_of_change(from, to)))
    }
}

/// Puts a mark in front of each line.
pub(crate) fn marked(mark: char, lines: &str) -> String {
    lines.lines().map(|line| format!("{mark} {line}")).collect::<Vec<_>>().join("\n")
}

fn replaced(deleted: &str, added: &str) -> String {
    let parts = [marked('-', deleted), marked('+', added)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The lines that only one of two texts has, in their order: first the removed ones, then the added
/// ones.
fn difference(from: &str, to: &str) -> String {
    let missing = |text: &str, elsewhere: &str, mark: char| {
        let mut counts = BTreeMap::<&str, usize>::new();
        elsewhere.lines().for_each(|line| *counts.entry(line).or_default() += 1);
        let absent = text.lines().filter(|line| match counts.get_mut(line) {
            Some(count @ 1..) => {
                *count -= 1;
                false
            }
            _ => true,
        });
        absent.map(|line| format!("\n    {mark} {}", line.trim())).collect::<String>()
    };
    missing(from, to, '-') + &missing(to, from, '+')
}
