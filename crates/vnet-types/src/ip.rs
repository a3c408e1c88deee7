//! Addresses and address ranges, read as libvirt reads them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// IPv4 or IPv6, in libvirt's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Family {
    /// `ipv4`
    Ipv4,
    /// `ipv6`
    Ipv6,
}

/// The addresses from `start` to `end`, both included, of one family and in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    start: IpAddr,
    end: IpAddr,
}

/// The ports from `start` to `end`, both included, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    start: u16,
    end: u16,
}

/// Why two ends are not a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The end comes before the start.
    #[error("the range {0} to {1} is reversed")]
    Reversed(String, String),
    /// One end is IPv4, the other IPv6.
    #[error("{0} and {1} are of different families")]
    Families(IpAddr, IpAddr),
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// Bits of an address: 32 or 128.
    pub fn bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

impl AddressRange {
    /// A range from `start` to `end`.
    ///
    /// # Errors
    /// [`RangeError`] if the ends are of different families or reversed.
    pub fn new(start: IpAddr, end: IpAddr) -> Result<Self, RangeError> {
        if start.is_ipv4() != end.is_ipv4() {
            Err(RangeError::Families(start, end))
        } else if end < start {
            Err(RangeError::Reversed(start.to_string(), end.to_string()))
        } else {
            Ok(Self { start, end })
        }
    }

    /// The first address.
    pub fn start(self) -> IpAddr {
        self.start
    }

    /// The last address.
    pub fn end(self) -> IpAddr {
        self.end
    }

    /// Whether the address is in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.start.is_ipv4() && (self.start..=self.end).contains(&address)
    }

    /// Whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.start) || other.contains(self.start)
    }
}

impl PortRange {
    /// The ports that need no privilege: 1024 to 65535.
    pub const UNPRIVILEGED: Self = Self { start: 1024, end: u16::MAX };

    /// A range from `start` to `end`.
    ///
    /// # Errors
    /// [`RangeError::Reversed`] if the ends are reversed.
    pub fn new(start: u16, end: u16) -> Result<Self, RangeError> {
        if end < start {
            return Err(RangeError::Reversed(start.to_string(), end.to_string()));
        }
        Ok(Self { start, end })
    }

    /// The first port.
    pub fn start(self) -> u16 {
        self.start
    }

    /// The last port.
    pub fn end(self) -> u16 {
        self.end
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.end)
    }
}

impl FromStr for AddressRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) = text.split_once('-').ok_or_else(|| format!("`{text}` is not START-END"))?;
        let ip = |part: &str| part.parse().map_err(|_| format!("`{part}` is not an address"));
        Self::new(ip(start)?, ip(end)?).map_err(|error| error.to_string())
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) = text.split_once('-').ok_or_else(|| format!("`{text}` is not START-END"))?;
        let port = |part: &str| part.parse().map_err(|_| format!("`{part}` is not a port"));
        Self::new(port(start)?, port(end)?).map_err(|error| error.to_string())
    }
}

/// Reads an address as getaddrinfo(3) does with `AI_NUMERICHOST`: IPv4 also in the short, octal and
/// hexadecimal forms of inet_aton(3) (`10.1` is 10.0.0.1). A scope (`fe80::1%eth0`) is refused,
/// because networks cannot use one.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    // Every address that the standard library reads means the same here.
    text.parse().ok().or_else(|| inet_aton(text).map(IpAddr::V4))
}

fn inet_aton(text: &str) -> Option<Ipv4Addr> {
    let part = |digits: &str| {
        let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
            None => (digits, 10),
        };
        digits.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| u32::from_str_radix(digits, radix).ok()).flatten()
    };
    let parts = text.split('.').map(part).collect::<Option<Vec<u32>>>()?;
    let (last, front) = parts.split_last()?;
    if front.len() > 3 || front.iter().any(|octet| *octet > 0xff) {
        return None;
    }
    let free = 32 - 8 * u32::try_from(front.len()).ok()?;
    if u64::from(*last) >= 1 << free {
        return None;
    }
    let high = front.iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet)) << free;
    u32::try_from(high).ok().map(|high| Ipv4Addr::from(high | last))
}

/// The prefix length of a netmask; `None` if its one bits are not contiguous.
pub fn contiguous_prefix(netmask: Ipv4Addr) -> Option<u8> {
    let bits = netmask.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then(|| u8::try_from(ones).expect("at most 32"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("192.168.122.1", Some("192.168.122.1"))]
    #[case("10.1", Some("10.0.0.1"))]
    #[case("0x0a000001", Some("10.0.0.1"))]
    #[case("010.0.0.1", Some("8.0.0.1"))]
    #[case("1.2.3.256", None)]
    #[case("1.2.65536", None)]
    #[case("1.2.3.4.5", None)]
    #[case("1..2", None)]
    #[case("+1.2.3.4", None)]
    #[case("", None)]
    #[case("2001:DB8::0001", Some("2001:db8::1"))]
    #[case("fe80::1%eth0", None)]
    fn addresses(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(parse_ip(text).map(|ip| ip.to_string()).as_deref(), expected);
    }

    #[rstest]
    #[case([255, 255, 255, 0], Some(24))]
    #[case([0, 0, 0, 0], Some(0))]
    #[case([255, 255, 255, 255], Some(32))]
    #[case([255, 0, 255, 0], None)]
    fn netmasks(#[case] netmask: [u8; 4], #[case] prefix: Option<u8>) {
        assert_eq!(contiguous_prefix(netmask.into()), prefix);
    }

    #[test]
    fn ranges_read_what_they_print() {
        for text in ["10.0.0.1-10.0.0.9", "2001:db8::1-2001:db8::ff"] {
            assert_eq!(text.parse::<AddressRange>().map(|range| range.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("1024-65535".parse::<PortRange>().map(|range| range.to_string()).as_deref(), Ok("1024-65535"));
        assert!("10.0.0.9-10.0.0.1".parse::<AddressRange>().is_err());
        assert!("10.0.0.9-::1".parse::<AddressRange>().is_err());
        assert!("9-1".parse::<PortRange>().is_err());
    }
}
