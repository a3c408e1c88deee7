//! Why an interface cannot be attached.

use vnet_types::{InterfaceName, NetworkName, PciAddress};
use vnet_validate::Finding;

use super::VirtualPortError;
use crate::lower::bandwidth::FloorError;
use crate::{LowerError, NotPasst};

/// Why an interface cannot be attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// vnet makes no device on the host for interfaces of this type.
    #[error("vnet makes no device on the host for an interface of type `{0}`")]
    Type(&'static str),
    /// The definition has a part that vnet does not support, so the interface would not be as
    /// defined.
    #[error("{}", .0.message)]
    Unsupported(Box<Finding>),
    /// Only a card can put a guest on a macvtap into a VLAN, and the lower device is not a virtual
    /// function.
    #[error("`{0}` is not a virtual function: only a card can put a guest on a macvtap into a VLAN")]
    VlanOfDevice(InterfaceName),
    /// passt does not accept the definition.
    #[error(transparent)]
    Passt(#[from] NotPasst),
    /// Its network does not run.
    #[error("network `{0}` does not run")]
    NoNetwork(String),
    /// The bridge does not exist.
    #[error("there is no bridge `{0}` on this host")]
    NoBridge(String),
    /// Open vSwitch cannot be used.
    #[error("Open vSwitch cannot be used: {0}")]
    NoSwitch(String),
    /// The bridge is one of Linux.
    #[error("`{0}` is a bridge of Linux, not of Open vSwitch; leave `<virtualport>` out")]
    NotASwitch(String),
    /// Open vSwitch does not have the bridge.
    #[error("Open vSwitch has no bridge `{0}`; `ovs-vsctl add-br {0}` makes it")]
    NoSwitchBridge(String),
    /// The device does not exist.
    #[error("there is no device `{0}` on this host")]
    NoDevice(InterfaceName),
    /// The network has no device for guests.
    #[error("network `{0}` has no device that guests could be attached to")]
    NoPool(NetworkName),
    /// All devices of the network's pool are taken.
    #[error("network `{network}` gives each guest a device of its own, and all {count} are taken")]
    PoolUsedUp {
        /// The network.
        network: NetworkName,
        /// How many devices it has.
        count: usize,
    },
    /// The device is not a virtual function. Only virtual functions can be assigned, because their
    /// card sets the guest's address.
    #[error("the device {0} is not a virtual function of a network card of this host")]
    NoFunction(PciAddress),
    /// The device is assigned to another guest.
    #[error("the guest of port `{port}` has the device {address} for itself")]
    FunctionTaken {
        /// The device.
        address: PciAddress,
        /// The port of the other guest.
        port: InterfaceName,
    },
    /// The host's end of the interface cannot have an address or a route.
    #[error("the host's end cannot have the addresses or routes of `<source>`")]
    HostEnd(#[from] LowerError),
    /// The name of the device is invalid.
    #[error("`{0}` cannot be the name of a device, nor a template for one such as vnet%d")]
    Name(String),
    /// No name is free.
    #[error("no name is free for the template `{0}`")]
    NoFreeName(String),
    /// The device exists already.
    #[error("the device `{0}` exists already")]
    Exists(InterfaceName),
    /// The unmanaged device has no name.
    #[error("with `managed='no'`, `<target>` has to name the device in `dev`")]
    Unnamed,
    /// The unmanaged device does not exist.
    #[error("with `managed='no'` the device `{0}` has to exist, and it does not")]
    Missing(InterfaceName),
    /// The unmanaged device is not a tap.
    #[error("the device `{0}` is neither a tap nor a macvtap")]
    NotATap(InterfaceName),
    /// The unmanaged tap has one queue only.
    #[error("`<driver queues='{queues}'>` needs a tap that was made with multi_queue, and `{dev}` was not")]
    Queues {
        /// The device.
        dev: InterfaceName,
        /// The number of queues in the definition.
        queues: u32,
    },
    /// The definition has more queues than a tap can have.
    #[error("a tap has at most 256 queues, not {0}")]
    TooManyQueues(u32),
    /// The port cannot be in a VLAN.
    #[error("guests of network `{0}` cannot be in a VLAN: it has a bridge of its own")]
    VlanOfNetwork(NetworkName),
    /// The bridge does not filter VLANs.
    #[error("bridge `{0}` does not filter VLANs")]
    NotFiltering(InterfaceName),
    /// The kernel cannot filter VLANs.
    #[error("this kernel cannot filter VLANs in bridges (CONFIG_BRIDGE_VLAN_FILTERING), which {0} needs")]
    NoVlanFiltering(&'static str),
    /// The number of a VLAN is out of range.
    #[error("a VLAN has a number from 1 to 4094, not {0}")]
    VlanId(u16),
    /// The guest's floor cannot be reserved.
    #[error("the `floor` of `<bandwidth>` cannot be kept")]
    Floor(#[from] FloorError),
    /// The settings of the port for a switch are not what the network allows.
    #[error(transparent)]
    VirtualPort(#[from] VirtualPortError),
    /// A port that another program has made is attached to something that its network does not
    /// have.
    #[error("network `{network}` does not have what the port is attached to: {plug}")]
    NotOfNetwork {
        /// The network.
        network: NetworkName,
        /// What the port is attached to.
        plug: String,
    },
    /// A port that another program has made is attached to a device that another guest has for
    /// itself.
    #[error("another guest of network `{network}` has what the port is attached to: {plug}")]
    PlugTaken {
        /// The network.
        network: NetworkName,
        /// What the port is attached to.
        plug: String,
    },
    /// A container can only be attached to a bridge.
    #[error("a container is attached to a bridge, and this network has none: its guests share devices of the host")]
    ContainerNeedsBridge,
    /// A macvtap has no owner.
    #[error("an owner can be given to a tap, not to the macvtap of an interface of type `direct`")]
    OwnerOfMacvtap,
}
