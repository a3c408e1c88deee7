//! MAC addresses, read as libvirt reads them.

use std::fmt;
use std::str::FromStr;

/// A 48-bit Ethernet address.
///
/// Parses six groups of one or two hexadecimal digits separated by `:`. Prints lower case, two
/// digits for each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddr(pub [u8; 6]);

/// A text that is not a MAC address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MAC address such as 52:54:00:12:34:56")]
pub struct ParseMacError(String);

impl MacAddr {
    /// Whether the group bit is set. Such an address stands for many stations; an interface cannot
    /// have it as its own.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Makes an address in the range of QEMU and libvirt, `52:54:00:xx:xx:xx`, from three random
    /// bytes.
    pub fn from_random(random: [u8; 3]) -> Self {
        Self([0x52, 0x54, 0x00, random[0], random[1], random[2]])
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
        let octet = |group: &[u8]| match *group {
            [one] => digit(one),
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let read = || {
            let mut groups = text.as_bytes().split(|byte| *byte == b':');
            let mut octets = [0; 6];
            for slot in &mut octets {
                *slot = octet(groups.next()?)?;
            }
            groups.next().is_none().then_some(Self(octets))
        };
        read().ok_or_else(|| ParseMacError(text.to_owned()))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("52:54:00:1:A2:ff", Some("52:54:00:01:a2:ff"))]
    #[case("52:54:00:01:a2:ff", Some("52:54:00:01:a2:ff"))]
    #[case("52:54:00:01:a2", None)]
    #[case("52:54:00:01:a2:ff:00", None)]
    #[case("52:54:00:01:a2:fff", None)]
    #[case("52:54:00:01:a2:+f", None)]
    #[case("52-54-00-01-a2-ff", None)]
    #[case("", None)]
    fn reads_and_prints(#[case] text: &str, #[case] printed: Option<&str>) {
        assert_eq!(text.parse::<MacAddr>().ok().map(|mac| mac.to_string()).as_deref(), printed);
    }
}
