//! `<virtualport>` of a port that another program connects to its switch: that of the port, its
//! network and its port group together, as libvirt joins them.

use std::fmt::Display;

use vnet_types::Uuid;
use vnet_xml::network::ForwardMode;
use vnet_xml::{Network, VirtualPort, VirtualPortType};

/// Why the settings of a port for a switch cannot be used. The words are libvirt's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VirtualPortError {
    /// The port, its network and its port group do not agree.
    #[error("attempt to merge virtualports with mismatched {what} ({one} and {other})")]
    Mismatch {
        /// The setting.
        what: &'static str,
        /// The nearer value.
        one: String,
        /// The other value.
        other: String,
    },
    /// What the guests of the network are connected to is no switch of this type.
    #[error("<virtualport type='{kind}'> not supported for network '{network}' which uses {way}")]
    Unfit {
        /// The type, or `none`.
        kind: &'static str,
        /// The network's name.
        network: String,
        /// How its guests are connected.
        way: &'static str,
    },
    /// The type needs a setting that is absent.
    #[error("missing {parameter} in <virtualport type='{kind}'>")]
    Incomplete {
        /// The setting.
        parameter: &'static str,
        /// The type.
        kind: &'static str,
    },
}

/// Joins the settings of a port with those of its network and its port group. A nearer value must
/// not be contradicted.
pub(super) fn merged(
    own: Option<&VirtualPort>,
    network: Option<&VirtualPort>,
    group: Option<&VirtualPort>,
) -> Result<Option<VirtualPort>, VirtualPortError> {
    if own.or(network).or(group).is_none() {
        return Ok(None);
    }
    let mut all = own.cloned().unwrap_or_default();
    for more in [network, group].into_iter().flatten() {
        merge(&mut all, more)?;
    }
    Ok(Some(all))
}

fn merge(all: &mut VirtualPort, more: &VirtualPort) -> Result<(), VirtualPortError> {
    use VirtualPortType::{OpenVSwitch, Qbg, Qbh};
    fn join<T: PartialEq + Clone>(
        what: &'static str,
        one: &mut Option<T>,
        other: Option<&T>,
        word: impl Fn(&T) -> String,
    ) -> Result<(), VirtualPortError> {
        match (&*one, other) {
            (Some(one), Some(other)) if one != other => {
                Err(VirtualPortError::Mismatch { what, one: word(one), other: word(other) })
            }
            (_, Some(other)) => {
                *one = Some(other.clone());
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }
    fn plain<T: Display>(value: &T) -> String {
        value.to_string()
    }
    fn quoted<T: Display>(value: &T) -> String {
        format!("'{value}'")
    }
    join("types", &mut all.kind, more.kind.as_ref(), plain)?;
    // Without a type, each parameter counts.
    let is_of = |kinds: &[VirtualPortType]| all.kind.is_none_or(|kind| kinds.contains(&kind));
    let (by_802, by_interface, by_profile) = (is_of(&[Qbg]), is_of(&[OpenVSwitch]), is_of(&[Qbh, OpenVSwitch]));
    if by_802 {
        join("managerids", &mut all.manager_id, more.manager_id.as_ref(), plain)?;
        join("typeids", &mut all.type_id, more.type_id.as_ref(), plain)?;
        join("typeidversions", &mut all.type_id_version, more.type_id_version.as_ref(), plain)?;
        join("instanceids", &mut all.instance_id, more.instance_id.as_ref(), quoted)?;
    }
    if by_interface {
        join("interfaceids", &mut all.interface_id, more.interface_id.as_ref(), quoted)?;
    }
    if by_profile {
        join("profileids", &mut all.profile_id, more.profile_id.as_ref(), quoted)?;
    }
    Ok(())
}

/// Refuses a type that the guests of the network are not connected to.
pub(super) fn fit(port: &VirtualPort, network: &Network, is_bridged: bool) -> Result<(), VirtualPortError> {
    use VirtualPortType::{OpenVSwitch, Qbg, Qbh};
    let mode = network.forward_mode();
    let (way, fit): (_, &[VirtualPortType]) = if mode.has_own_bridge() {
        ("IP forwarding", &[])
    } else if is_bridged {
        ("a bridge device", &[OpenVSwitch])
    } else if mode == ForwardMode::Hostdev {
        ("an SR-IOV Virtual Function via PCI passthrough", &[Qbg, Qbh])
    } else {
        ("a macvtap device", &[Qbg, Qbh])
    };
    if port.kind.is_some_and(|kind| fit.contains(&kind)) {
        return Ok(());
    }
    let kind = port.kind.map_or("none", VirtualPortType::word);
    Err(VirtualPortError::Unfit { kind, network: network.name.clone(), way })
}

/// Draws the id that a switch knows the port by, if it is open, and refuses another gap.
pub(super) fn complete(port: &mut VirtualPort, random: [u8; 16]) -> Result<(), VirtualPortError> {
    let Some(kind) = port.kind else { return Ok(()) };
    let missing: [Option<&'static str>; 3] = match kind {
        VirtualPortType::Qbg => {
            port.instance_id.get_or_insert_with(|| Uuid::from_random(random));
            [
                port.manager_id.is_none().then_some("managerid"),
                port.type_id.is_none().then_some("typeid"),
                port.type_id_version.is_none().then_some("typeidversion"),
            ]
        }
        VirtualPortType::Qbh => [port.profile_id.is_none().then_some("profileid"), None, None],
        VirtualPortType::OpenVSwitch => {
            port.interface_id.get_or_insert_with(|| Uuid::from_random(random));
            [None; 3]
        }
        VirtualPortType::Midonet => [port.interface_id.is_none().then_some("interfaceid"), None, None],
    };
    match missing.into_iter().flatten().next() {
        Some(parameter) => Err(VirtualPortError::Incomplete { parameter, kind: kind.word() }),
        None => Ok(()),
    }
}
