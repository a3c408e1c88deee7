//! Promises in words: a kind for programs, a sentence for people.

use std::net::IpAddr;

use serde::Serialize;
use vnet_types::Family;

use super::promises::{Addressing, Guest, Promise, Source};

/// A promise's kind, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    Lease,
    Reservation,
    Autoconfiguration,
    Gateway,
    Dns,
    OwnName,
    DnsForwarding,
    GuestToGuest,
    Out,
    NoWayOut,
    In,
    NoWayIn,
    Route,
    OtherNetwork,
    Mtu,
    Hostname,
    Forward,
    NoForward,
    Log,
}

impl Promise {
    /// Its kind.
    pub(crate) fn subject(&self, guests: &[Guest]) -> Subject {
        match self {
            Self::Address { guest, address } => match guests[*guest].addresses[*address] {
                Addressing::Leased(..) => Subject::Lease,
                Addressing::Reserved(_) => Subject::Reservation,
                Addressing::Advertised(_) | Addressing::Configured(_) => Subject::Autoconfiguration,
            },
            Self::Gateway { .. } => Subject::Gateway,
            Self::Answer { .. } | Self::Reverse { .. } => Subject::Dns,
            Self::OwnName { .. } => Subject::OwnName,
            Self::Forwarded { .. } => Subject::DnsForwarding,
            Self::BetweenGuests(_) => Subject::GuestToGuest,
            Self::Out(..) => Subject::Out,
            Self::NoWayOut(_) => Subject::NoWayOut,
            Self::In(_) => Subject::In,
            Self::NoWayIn(_) => Subject::NoWayIn,
            Self::Route { .. } => Subject::Route,
        }
    }

    /// The promise in words.
    pub(crate) fn text(&self, guests: &[Guest]) -> String {
        match self {
            Self::Address { guest, address } => {
                let guest = &guests[*guest];
                match &guest.addresses[*address] {
                    Addressing::Leased(family, ranges) => {
                        let ranges = ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                        let protocol = if *family == Family::Ipv4 { "DHCP" } else { "DHCPv6" };
                        format!("{} gets a {protocol} lease in {ranges}", guest.name)
                    }
                    Addressing::Reserved(ip) => format!("{ip} is kept for {}", who(guest, *ip)),
                    Addressing::Advertised(net) | Addressing::Configured(net) => {
                        format!("{} makes itself an address in {net}", guest.name)
                    }
                }
            }
            Self::Gateway { ip, .. } => format!("the gateway {ip} echoes"),
            Self::Answer { question, record } => format!("DNS: {question} is {record}"),
            Self::Reverse { ip, names } => format!("DNS: {ip} is called {}", names.join(" or ")),
            Self::OwnName { family } => format!("DNS: {} is known by its {} address", guests[0].name, word(family)),
            Self::Forwarded { servers, domain } => {
                let what = domain.as_ref().map_or("other names".to_owned(), |domain| format!("names in {domain}"));
                let servers = servers.iter().map(ToString::to_string).collect::<Vec<_>>();
                match servers.is_empty() {
                    true => format!("DNS: {what} are asked of the host's server"),
                    false => format!("DNS: {what} are asked of {}", servers.join(" or ")),
                }
            }
            Self::BetweenGuests(family) => format!("guests reach each other over {}", word(family)),
            Self::Out(family, Source::Own) => format!("guests get out over {}, as themselves", word(family)),
            Self::Out(family, Source::Translated { addresses, ports }) => {
                let addresses = addresses.map_or("the host".to_owned(), |addresses| addresses.to_string());
                format!("guests get out over {}, as {addresses} with ports {ports}", word(family))
            }
            Self::NoWayOut(family) => format!("no way out over {}", word(family)),
            Self::In(family) => format!("the outside reaches guests over {}", word(family)),
            Self::NoWayIn(family) => format!("nothing new comes in over {}", word(family)),
            Self::Route { destination, gateway, .. } => format!("the host reaches {destination} through {gateway}"),
        }
    }
}

/// A family as people write it.
pub(super) fn word(family: &Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

fn who(guest: &Guest, ip: IpAddr) -> String {
    match &guest.duid {
        Some(duid) if ip.is_ipv6() => format!("DUID {duid}"),
        _ if ip.is_ipv6() => guest.name.clone(),
        _ => format!("{} ({})", guest.name, guest.mac),
    }
}
