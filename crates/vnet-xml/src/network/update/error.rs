//! Why an update is refused.

use std::net::IpAddr;

use vnet_types::{Family, InterfaceName};

use super::Section;
use crate::{Refused, Span};

/// Why a network is not updated. The network is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The element cannot be understood, or belongs to another section.
    #[error("the element cannot be understood")]
    Element(#[source] Refused),
    /// The element is valid, but cannot be applied to this network.
    #[error("{reason}")]
    Refused {
        /// Why.
        reason: UpdateRefusal,
        /// The place in the element's text.
        span: Option<Span>,
    },
}

/// Why an element cannot be applied to a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateRefusal {
    /// The section has no such command.
    #[error("a `{0}` cannot be modified: delete it and add another one")]
    NotModified(Section),
    /// No `<ip>` has this number.
    #[error("the network has no `<ip>` with the index {0}: they count from 0")]
    NoIp(usize),
    /// The network lacks the parent element.
    #[error("the network has no `{0}` that could have this")]
    NoParent(&'static str),
    /// The element exists already.
    #[error("the network has {0} already")]
    Exists(String),
    /// The element does not exist.
    #[error("the network has no {0}")]
    Absent(String),
    /// More than one element matches.
    #[error("{count} of the network's elements could be meant by {what}: say more of the one")]
    Ambiguous {
        /// What was looked for.
        what: String,
        /// How many were found.
        count: usize,
    },
    /// The element has nothing to search for.
    #[error("the element says nothing by which one could be found")]
    Nothing,
    /// The address is of another family than its `<ip>`.
    #[error("`{address}` is not {family} as the `<ip>` is that it belongs to")]
    Family {
        /// The address.
        address: IpAddr,
        /// The family of the `<ip>`.
        family: Family,
    },
    /// Another subnet of the family has DHCP already.
    #[error("the {family} subnet of `{address}` has DHCP already, and only one of each family can")]
    SecondDhcp {
        /// The family.
        family: Family,
        /// The address of the other `<ip>`.
        address: IpAddr,
    },
    /// Another port group is the default.
    #[error("the portgroup `{0}` is the default one already")]
    SecondDefault(String),
    /// Guests use the device.
    #[error("the interface `{dev}` is in use by {connections} guests")]
    InUse {
        /// The device.
        dev: InterfaceName,
        /// How many guests.
        connections: u32,
    },
}
