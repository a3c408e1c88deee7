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
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' | b'A'..=b'F' => Some((byte | 0x20) - b'a' + 10),
            _ => None,
        };
        let read = || {
            let (mut octets, mut rest) = ([0; 6], text.as_bytes());
            for (at, octet) in octets.iter_mut().enumerate() {
                if at > 0 {
                    rest = rest.strip_prefix(b":")?;
                }
                *octet = digit(rest.first()?)?;
                rest = &rest[1..];
                if let Some(low) = rest.first().and_then(digit) {
                    *octet = *octet << 4 | low;
                    rest = &rest[1..];
                }
            }
            rest.is_empty().then_some(Self(octets))
        };
        read().ok_or_else(|| ParseMacError(text.to_owned()))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
        let mut text = [b':'; 17];
        for (at, octet) in self.0.into_iter().enumerate() {
            text[3 * at] = digit(octet >> 4);
            text[3 * at + 1] = digit(octet & 15);
        }
        f.write_str(str::from_utf8(&text).expect("digits and colons"))
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
