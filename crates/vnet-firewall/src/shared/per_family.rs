//! Names of sets that exist once for each family.

use vnet_types::Family;

/// Sets that exist once for each family.
#[derive(Clone, Copy)]
pub(crate) enum PerFamily {
    /// Subnets that anyone may reach.
    Reach,
    /// Subnets whose packets may leave.
    Leave,
    /// Subnets that may get answers.
    Answer,
    /// Subnets within which nothing is translated.
    Inside,
    /// Subnets whose source address is translated.
    Translate,
    /// Subnets with their own translation rules.
    OwnNat,
    /// Ports of guests that ports of the host lead to.
    Forwarded,
    /// Guests that other programs may redirect connections to.
    Redirected,
    /// Ports of an address of the host.
    Lead,
    /// Ports of every address of the host.
    LeadAny,
    /// Ports of a device.
    LeadDevice,
    /// Ports of an address at a device.
    LeadDeviceAddress,
    /// Subnets that may reach the internet only, and have no exceptions.
    Internet,
    /// Subnets with another preset, and no exceptions.
    Source,
    /// What is not the internet.
    BeyondInternet,
    /// Longer prefixes around that, which one look-up in a hash table finds.
    NearInternet,
}

impl PerFamily {
    pub(crate) fn set(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::Reach, Family::Ipv4) => "reach_ipv4",
            (Self::Reach, Family::Ipv6) => "reach_ipv6",
            (Self::Leave, Family::Ipv4) => "leave_ipv4",
            (Self::Leave, Family::Ipv6) => "leave_ipv6",
            (Self::Answer, Family::Ipv4) => "answer_ipv4",
            (Self::Answer, Family::Ipv6) => "answer_ipv6",
            (Self::Inside, Family::Ipv4) => "inside_ipv4",
            (Self::Inside, Family::Ipv6) => "inside_ipv6",
            (Self::Translate, Family::Ipv4) => "translate_ipv4",
            (Self::Translate, Family::Ipv6) => "translate_ipv6",
            (Self::OwnNat, Family::Ipv4) => "own_nat_ipv4",
            (Self::OwnNat, Family::Ipv6) => "own_nat_ipv6",
            (Self::Forwarded, Family::Ipv4) => "forwarded_ipv4",
            (Self::Forwarded, Family::Ipv6) => "forwarded_ipv6",
            (Self::Redirected, Family::Ipv4) => "redirected_ipv4",
            (Self::Redirected, Family::Ipv6) => "redirected_ipv6",
            (Self::Lead, Family::Ipv4) => "lead_ipv4",
            (Self::Lead, Family::Ipv6) => "lead_ipv6",
            (Self::LeadAny, Family::Ipv4) => "lead_any_ipv4",
            (Self::LeadAny, Family::Ipv6) => "lead_any_ipv6",
            (Self::LeadDevice, Family::Ipv4) => "lead_device_ipv4",
            (Self::LeadDevice, Family::Ipv6) => "lead_device_ipv6",
            (Self::LeadDeviceAddress, Family::Ipv4) => "lead_device_address_ipv4",
            (Self::LeadDeviceAddress, Family::Ipv6) => "lead_device_address_ipv6",
            (Self::Internet, Family::Ipv4) => "internet_ipv4",
            (Self::Internet, Family::Ipv6) => "internet_ipv6",
            (Self::Source, Family::Ipv4) => "source_ipv4",
            (Self::Source, Family::Ipv6) => "source_ipv6",
            (Self::BeyondInternet, Family::Ipv4) => "beyond_internet_ipv4",
            (Self::BeyondInternet, Family::Ipv6) => "beyond_internet_ipv6",
            (Self::NearInternet, Family::Ipv4) => "near_internet_ipv4",
            (Self::NearInternet, Family::Ipv6) => "near_internet_ipv6",
        }
    }
}
