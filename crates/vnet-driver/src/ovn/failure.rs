//! What can go wrong with a network that OVN makes.

use vnet_types::{InterfaceName, MacAddr, NetworkName, Uuid};

/// Why something about a network of OVN failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OvnFailure {
    /// The definition does not ask for OVN.
    #[error("network `{0}` is not made by OVN")]
    NotAsked(NetworkName),
    /// The address of the northbound database cannot be read.
    #[error("the northbound database of network `{network}` has no usable address")]
    Remote {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: vnet_ovsdb::ParseRemoteError,
    },
    /// The database cannot be used.
    #[error("{what}")]
    Database {
        /// What cannot be done.
        what: String,
        /// The cause.
        source: Box<vnet_ovsdb::Error>,
    },
    /// The database has rows with the network's mark that are not those of OVN as we know it.
    #[error("the rows of network `{network}` in OVN's northbound database cannot be read")]
    Row {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: vnet_ovn::RowError,
    },
    /// OVN cannot make the network or the port of a guest.
    #[error("OVN cannot make network `{network}` as it is defined")]
    Rows {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: vnet_ovn::OvnError,
    },
    /// Another host has changed the network since it was read. Nothing of this change is done.
    #[error("another host changes network `{0}` at the same time, so nothing of this change is done")]
    ChangedMeanwhile(NetworkName),
    /// The network runs by another definition.
    #[error("network `{network}` runs already, and this definition differs from what it is in {rows} of its rows")]
    Differs {
        /// The network.
        network: NetworkName,
        /// The number of rows.
        rows: usize,
    },
    /// A change that has to be confirmed is of a network whose definition is not kept here.
    #[error("network `{0}` cannot be brought back unless the change is confirmed: its definition is not kept here")]
    NotKept(NetworkName),
    /// A change that has to be confirmed is of a network that is not as it is kept.
    #[error(
        "network `{network}` cannot be brought back unless the change is confirmed: {rows} of its rows are not as it is kept"
    )]
    NotAsKept {
        /// The network.
        network: NetworkName,
        /// The number of rows.
        rows: usize,
    },
    /// No address is left for a guest.
    #[error("network `{network}` has no address for the guest")]
    NoAddress {
        /// The network.
        network: NetworkName,
        /// The cause.
        source: vnet_ovn::AllTaken,
    },
    /// Another port of the network has the guest's MAC address.
    #[error("port `{port}` of network `{network}` has the MAC address {mac} already")]
    MacTaken {
        /// The network.
        network: NetworkName,
        /// The port.
        port: Uuid,
        /// The MAC address.
        mac: MacAddr,
    },
    /// A guest or a port group has a VLAN.
    #[error("a guest of network `{0}` cannot be in a VLAN: OVN keeps networks apart itself")]
    Vlan(NetworkName),
    /// Ports of the host are to lead to a container that OVN lets nobody from outside to.
    #[error("ports of this host cannot lead to a container of network `{0}`: OVN lets in what its definition says")]
    HostPorts(NetworkName),
    /// This host is no chassis of OVN.
    #[error("this host is no chassis of OVN: its Open vSwitch has no `external_ids:{0}`")]
    NoChassis(&'static str),
    /// OVN does not say that a port is up.
    #[error("OVN has not connected port `{dev}` within {seconds} s: {why}")]
    NotUp {
        /// The port.
        dev: InterfaceName,
        /// The limit.
        seconds: u64,
        /// What is missing, and where to look.
        why: String,
    },
    /// A port is detached from this host, but its row stays in the database.
    #[error("port `{dev}` is detached from this host, but stays in OVN's northbound database")]
    RowStays {
        /// The port.
        dev: InterfaceName,
        /// The cause.
        source: Box<crate::Error>,
    },
}

impl OvnFailure {
    /// What to do about it. `None` where the message or the cause says it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotAsked(_) => {
                "add `<vnet:ovn northbound='…'/>` to its `<metadata>`, or give --engine ovn".to_owned()
            }
            Self::Remote { .. } => {
                "give `unix:SOCKET`, `tcp:ADDRESS:PORT` or `ssl:ADDRESS:PORT`, several with commas".to_owned()
            }
            Self::Row { .. } => "`ovn-nbctl show` tells whose they are; remove rows that others have marked".to_owned(),
            Self::ChangedMeanwhile(name) => format!("`vnet diff {name}` shows what is there now"),
            Self::Differs { network, .. } => {
                format!("`vnet diff` shows them, `vnet apply` brings network `{network}` to the definition")
            }
            Self::NotKept(_) => {
                "`vnet define` the definition that it has now, on the same servers, and apply the new one then"
                    .to_owned()
            }
            Self::NotAsKept { network, .. } => {
                format!(
                    "`vnet diff {network}` shows them, `vnet apply {network}` brings it to the kept definition first"
                )
            }
            Self::MacTaken { .. } => {
                "give the guest another MAC address, or the `interfaceid` of that port if it is the same guest"
                    .to_owned()
            }
            Self::Vlan(_) => "leave `<vlan>` out of the interface and of the port groups".to_owned(),
            Self::HostPorts(_) => {
                "leave `portMappings` out, and write `<vnet:portForward>` into the `<metadata>` of the network"
                    .to_owned()
            }
            Self::NoChassis(key) => {
                format!("`ovs-vsctl set open . external_ids:{key}=VALUE` sets it; see ovn-controller(8)")
            }
            Self::RowStays { .. } => {
                "attaching the guest on another host takes the row over, and `vnet stop` of the network removes it"
                    .to_owned()
            }
            Self::Database { source, .. } => return source.help(),
            Self::Rows { source: vnet_ovn::OvnError::NoGroup(group), .. } => {
                format!(
                    "`ovn-nbctl ha-chassis-group-add {group}` and `ovn-nbctl ha-chassis-group-add-chassis {group} HOST \
                     PRIORITY` make it"
                )
            }
            Self::Rows { .. } | Self::NoAddress { .. } | Self::NotUp { .. } => return None,
        })
    }
}
