//! `<ip>`, and the addresses in it.

use std::net::{IpAddr, Ipv4Addr};

use vnet_rpc::{ErrorCode, ErrorDomain};

use super::tree::Element;
use super::{Judgement, Refusal, dhcp, number, of, unsupported, xml_error, yes_no};

/// The address of a bridge, with what belongs to it.
pub(super) struct Subnet {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

impl Subnet {
    /// The first address and the last one.
    pub(super) fn ends(&self) -> (u128, u128) {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        let host = u32::from(bits - self.prefix.min(bits));
        let mask = if host == 128 { u128::MAX } else { (1 << host) - 1 };
        (number_of(self.address) & !mask, number_of(self.address) | mask)
    }
}

/// An address as a number.
pub(super) fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Reads an address. To the resolver a number is one, too.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    let number = || Some(Ipv4Addr::from(text.parse::<u32>().ok()?).into());
    text.parse().ok().or_else(number)
}

/// Reads an address where libvirt tells the words of the resolver.
pub(super) fn address(text: &str) -> Result<IpAddr, Refusal> {
    let wrong = || {
        let words = format!("Cannot parse socket address '{text}': Name or service not known");
        of(ErrorCode::SystemError, ErrorDomain::None, words)
    };
    parse(text).ok_or_else(wrong)
}

/// Checks an `<ip>` with its DHCP.
pub(super) fn check(name: &str, ip: &Element) -> Judgement {
    let subnet = parsed(name, ip)?;
    if let Some(dhcp) = ip.child("dhcp") {
        dhcp::check(name, &subnet, dhcp)?;
    }
    if ip.child("tftp").is_some() && subnet.address.is_ipv6() {
        return Err(unsupported(format!("Unsupported <tftp> element in an IPv6 element in network '{name}'")));
    }
    Ok(())
}

/// Checks the attributes of an `<ip>`.
pub(super) fn parsed(name: &str, ip: &Element) -> Result<Subnet, Refusal> {
    let text = ip.filled("address");
    let text = text.ok_or_else(|| xml_error(format!("Missing required address attribute in network '{name}'")))?;
    let wrong = || xml_error(format!("Invalid address '{text}' in network '{name}'"));
    let address = parse(text).ok_or_else(wrong)?;
    let netmask = ip.filled("netmask");
    let wrong = |mask: &str| xml_error(format!("Invalid netmask '{mask}' in network '{name}'"));
    let mask = netmask.map(|mask| parse(mask).ok_or_else(|| wrong(mask))).transpose()?;
    let prefix = number(ip, "prefix", u64::from(u32::MAX))?.unwrap_or_default();
    yes_no(Some(ip), "localPtr")?;
    match ip.filled("family") {
        family @ (None | Some("ipv4")) => {
            if address.is_ipv6() {
                let family = family.unwrap_or("no");
                return Err(unsupported(format!(
                    "{family} family specified for non-IPv4 address '{text}' in network '{name}'"
                )));
            }
            match (netmask, mask) {
                (Some(netmask), Some(IpAddr::V6(_))) => {
                    return Err(unsupported(format!(
                        "Invalid netmask '{netmask}' for address '{text}' in network '{name}' (both must be IPv4)"
                    )));
                }
                (Some(_), _) if prefix > 0 => {
                    let what = format!("Network '{name}' IP address cannot have both a prefix and a netmask");
                    return Err(unsupported(what));
                }
                (None, _) if prefix > 32 => {
                    return Err(unsupported(format!("Invalid IPv4 prefix '{prefix}' in network '{name}'")));
                }
                _ => {}
            }
        }
        Some("ipv6") => {
            if address.is_ipv4() {
                return Err(unsupported(format!(
                    "Family 'ipv6' specified for non-IPv6 address '{text}' in network '{name}'"
                )));
            }
            if netmask.is_some() {
                let what = format!("netmask not allowed for IPv6 address '{text}' in network '{name}'");
                return Err(unsupported(what));
            }
            if prefix > 128 {
                return Err(unsupported(format!("Invalid IPv6 prefix '{prefix}' in network '{name}'")));
            }
        }
        Some(family) => return Err(xml_error(format!("Unrecognized family '{family}' in network '{name}'"))),
    }
    Ok(Subnet { address, prefix: prefix_of(address, mask, prefix) })
}

/// The length of a prefix: as given, of the netmask, or of the address's class.
fn prefix_of(address: IpAddr, mask: Option<IpAddr>, prefix: u64) -> u8 {
    let given = u8::try_from(prefix).ok().filter(|prefix| *prefix > 0);
    match (given, mask, address) {
        (Some(prefix), ..) => prefix,
        (_, Some(IpAddr::V4(mask)), _) => u8::try_from(u32::from(mask).leading_ones()).unwrap_or_default(),
        (.., IpAddr::V6(_)) => 64,
        (.., IpAddr::V4(address)) => match address.octets()[0] {
            0..=127 => 8,
            128..=191 => 16,
            _ => 24,
        },
    }
}
