//! What to do about what cannot be made.

use crate::lower::bandwidth::FloorError;
use crate::{AttachError, ContainerAddressError, LowerError, NotPasst, VirtualPortError};

impl LowerError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoPolicer | Self::NoFunctions(_) => return None,
            Self::Name(_) => "choose a name of at most 80 bytes, without `/` and line breaks".to_owned(),
            Self::NoFreeBridge(_) => "name the bridge, or leave its name out".to_owned(),
            Self::Prefix(address) => {
                format!("give a `prefix` from 1 to {}, or a `netmask`", if address.is_ipv4() { 32 } else { 128 })
            }
            Self::Route(_) => "give the network's first address, and a `prefix` or `netmask`".to_owned(),
            Self::PortForward(_) => {
                "give an address in a subnet of the network, or the name of one of its reservations".to_owned()
            }
            Self::Egress(_) => {
                "leave `<vnet:egress>` out, or make the network isolated or of mode `nat` or `route`".to_owned()
            }
            Self::Flowtable(_) => {
                "leave `<vnet:driver flowtable='on'/>` out, or make the network one of mode `nat` or `route`".to_owned()
            }
            Self::OtherEngine => "leave `<vnet:ovn>` out to make it on this host".to_owned(),
            Self::Delay(_) => "choose a delay of at most 30 seconds".to_owned(),
            Self::NoVlanFiltering => "leave `macTableManager` out, or boot a kernel that can".to_owned(),
            Self::NoFirewalld { .. } => "start firewalld, or leave `zone` out".to_owned(),
            Self::UnknownZone { zone } => {
                format!("make it (`firewall-cmd --permanent --new-zone={zone}`, then `--reload`), or leave `zone` out")
            }
            Self::NoResolved { .. } => {
                "start systemd-resolved (`systemctl enable --now systemd-resolved`), or leave `register` out".to_owned()
            }
            Self::Range(_) => "give a range whose `end` is not before its `start`".to_owned(),
            Self::Dnsmasq(error) => error.help(),
        })
    }
}

impl AttachError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unnamed => "name it, or leave `managed` out".to_owned(),
            Self::Exists(_) => "with `managed='no'` in `<target>` it is used as it is".to_owned(),
            Self::NotFiltering(bridge) => {
                format!("`ip link set {bridge} type bridge vlan_filtering 1` makes it filter them")
            }
            Self::Type(_) => {
                "choose the type `network`, `bridge`, `direct`, `hostdev` or `ethernet`, or `user` with passt"
                    .to_owned()
            }
            Self::Unsupported(finding) => return finding.help.clone(),
            Self::VlanOfDevice(_) => "leave `<vlan>` out, or name a device that is in the VLAN".to_owned(),
            Self::Passt(error) => error.help(),
            Self::NoNetwork(name) => format!("`vnet start {name}` starts it, `vnet list --all` shows all"),
            Self::NoBridge(name) => format!("make it (`ip link add {name} type bridge`), or name another"),
            Self::NoDevice(_) => "name a device that `ip link` shows".to_owned(),
            Self::NoPool(_) => "give the network an `<interface dev>` or `<pf dev>` in `<forward>`".to_owned(),
            Self::PoolUsedUp { .. } => "detach another guest, or give the network more devices".to_owned(),
            Self::NoFunction(_) => "name one below `/sys/bus/pci/devices` that has a `physfn`".to_owned(),
            Self::FunctionTaken { port, .. } => format!("name another, or end that guest: `vnet detach {port}`"),
            Self::HostEnd(error) => return error.help(),
            Self::Name(_) => "choose a name of at most 15 bytes, without blanks, `/`, `:` and `%`".to_owned(),
            Self::NoFreeName(_) => "name the device, or leave its name out".to_owned(),
            Self::Missing(dev) => format!("make it (`ip tuntap add {dev} mode tap`), or leave `managed` out"),
            Self::NotATap(_) => "name a tap or a macvtap, or leave `managed` out".to_owned(),
            Self::Queues { .. } => "make the tap anew with `multi_queue`, or leave `queues` out".to_owned(),
            Self::TooManyQueues(_) => "choose fewer: a guest needs no more than it has processors".to_owned(),
            Self::VlanOfNetwork(_) => "leave `<vlan>` out, or attach the guest to a bridge of the host".to_owned(),
            Self::NoVlanFiltering(what) => format!("leave {what} out, or boot a kernel that can"),
            Self::VlanId(_) => "choose another number".to_owned(),
            Self::Floor(error) => error.help(),
            Self::VirtualPort(error) => error.help(),
            Self::NotOfNetwork { .. } => "name something that the network has, or another network".to_owned(),
            Self::PlugTaken { .. } => "name another, or detach the guest that has this one".to_owned(),
            Self::ContainerNeedsBridge => {
                "choose a network of mode `nat`, `route`, `open`, `bridge` with a bridge, or an isolated one".to_owned()
            }
            Self::NoSwitchBridge(_) => return None,
            Self::NoSwitch(_) => "install and start Open vSwitch, or leave `<virtualport>` out".to_owned(),
            Self::NotASwitch(_) => {
                "name a bridge that `ovs-vsctl list-br` shows, or leave `<virtualport>` out".to_owned()
            }
            Self::OwnerOfMacvtap => "leave the owner out, and give the user the macvtap's device node".to_owned(),
        })
    }
}

impl FloorError {
    /// What to do about it.
    pub(crate) fn help(self) -> String {
        match self {
            Self::NotShared => "leave `floor` out, or choose such a network",
            Self::NoInbound => "give the network `<inbound average>` in `<bandwidth>`, or leave `floor` out",
            Self::Overcommitted { .. } => "choose a lower `floor`, or raise the network's `<inbound>`",
            Self::NoClass => "detach another guest with a floor first",
        }
        .to_owned()
    }
}

impl VirtualPortError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Mismatch { .. } => "make them the same, or leave them out of the port".to_owned(),
            Self::Unfit { kind: "none", .. } => "give `<virtualport>` the type of the switch".to_owned(),
            Self::Unfit { .. } => "leave `<virtualport>` out, or choose a network with such a switch".to_owned(),
            Self::Incomplete { parameter, .. } => format!("give `<parameters>` the attribute `{parameter}`"),
        }
    }
}

impl NotPasst {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Interface => "give the interface `type='user'` and `<backend type='passt'/>`",
            Self::Ports(_) | Self::Start => "give the range a `start` from 1 to 65535, and no `end` before it",
        }
        .to_owned()
    }
}

impl ContainerAddressError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoRange(_) => return None,
            Self::Outside { .. } | Self::Unusable { .. } => {
                "ask for an address of a guest in one of the network's subnets, or for none".to_owned()
            }
            Self::Several(_, other) => format!("leave out {other}"),
            Self::Taken { .. } => "ask for another, or for none".to_owned(),
            Self::UsedUp { .. } => "end containers that are no longer needed, or widen the `<range>`".to_owned(),
        })
    }
}
