//! What to do about what cannot be written for dnsmasq.

use crate::{Error, Field};

impl Error {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Character { field, .. } => format!("write the {field} without this character"),
            Self::Empty(field) => format!("give the {field}, or leave out what has it"),
            Self::Name { .. } => "write labels of at most 63 bytes with dots between them, 253 bytes in all".to_owned(),
            Self::TooLong { field: Field::DnsHostname, .. } => {
                "give the address fewer names, or names that are shorter".to_owned()
            }
            Self::TooLong { field, .. } => format!("write a shorter {field}"),
            Self::Option { keyword, .. } => format!("leave `{keyword}` out: the definition has an element for it"),
            Self::Path(_) => "choose a path in UTF-8".to_owned(),
            Self::EmptyForwarder => "give it a domain, an address or both".to_owned(),
            Self::ForwarderPort { .. } => "give the address, or leave the port out".to_owned(),
            Self::ReverseZone { bits, .. } => {
                format!("choose a prefix that {bits} divides, or leave the reverse zone of this subnet out")
            }
            Self::SecondDhcp { second, .. } => format!("take DHCP away from {second}, or make a second network of it"),
            Self::Family { field, net, .. } => format!("give a {field} in {net}, or put it into another subnet"),
            Self::OnlyIpv4 { field, .. } => format!("leave the {field} out, or put it into an IPv4 subnet"),
            Self::RangeTooLarge { .. } => "choose a shorter range".to_owned(),
            Self::UnknownGuest(_) => "give a MAC address, a name, or for IPv6 a DUID".to_owned(),
            Self::LeaseTime(_) => "choose a shorter time, or one without end".to_owned(),
            Self::Mtu(_) => "choose an MTU of at most 65535".to_owned(),
        }
    }
}
