//! Values of `DHCP_Options`. OVN accepts any text, and a wrong one silently ends DHCP for all
//! guests of the row, so each value has a type here and is checked before it is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use vnet_types::{Ipv4Net, MacAddr};

/// The most that DHCP carries in one option.
const MOST: usize = 255;

/// A value of an option of DHCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DhcpValue {
    /// An IPv4 address.
    Address(Ipv4Addr),
    /// Addresses, at least one.
    Addresses(Vec<IpAddr>),
    /// A MAC address.
    Mac(MacAddr),
    /// A number of 32 bits.
    Seconds(u32),
    /// A number of 16 bits.
    Size(u16),
    /// A text.
    Text(DhcpText),
    /// Routes: destinations and their next routers, at least one.
    Routes(Vec<(Ipv4Net, Ipv4Addr)>),
}

/// A text that OVN reads as it is: printable, without quotes and backslashes, of 1 to 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DhcpText(String);

/// A text that OVN cannot send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a text that OVN can send by DHCP: 1 to 255 printable ASCII characters without `\"` and `\\`")]
pub struct DhcpTextError(String);

impl DhcpText {
    /// Checks a text.
    ///
    /// # Errors
    /// [`DhcpTextError`].
    pub fn new(text: &str) -> Result<Self, DhcpTextError> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.is_empty() || text.len() > MOST || !text.bytes().all(is_plain) {
            return Err(DhcpTextError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The value as OVN reads it. A text has its quotes within.
impl fmt::Display for DhcpValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(it) => it.fmt(f),
            Self::Addresses(all) => match all.as_slice() {
                [one] => one.fmt(f),
                all => list(f, all.iter(), |f, it| it.fmt(f)),
            },
            Self::Mac(it) => it.fmt(f),
            Self::Seconds(it) => it.fmt(f),
            Self::Size(it) => it.fmt(f),
            Self::Text(DhcpText(it)) => write!(f, "\"{it}\""),
            Self::Routes(all) => list(f, all.iter(), |f, (net, via)| write!(f, "{net},{via}")),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    all: impl Iterator<Item = T>,
    one: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    f.write_str("{")?;
    for (at, it) in all.enumerate() {
        f.write_str(if at == 0 { "" } else { "," })?;
        one(f, it)?;
    }
    f.write_str("}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(DhcpValue::Addresses(vec!["10.0.0.1".parse().unwrap()]), "10.0.0.1")]
    #[case(DhcpValue::Addresses(vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()]), "{10.0.0.1,10.0.0.2}")]
    #[case(DhcpValue::Text(DhcpText::new("lan.example").unwrap()), "\"lan.example\"")]
    #[case(
        DhcpValue::Routes(vec![("10.9.0.0/16".parse().unwrap(), "10.77.0.9".parse().unwrap())]),
        "{10.9.0.0/16,10.77.0.9}"
    )]
    fn values_as_ovn_reads_them(#[case] value: DhcpValue, #[case] expected: &str) {
        assert_eq!(value.to_string(), expected);
    }

    #[rstest]
    #[case("")]
    #[case("a\"b")]
    #[case("a\\")]
    #[case("a\nb")]
    #[case("é")]
    fn texts_that_ovn_would_misread(#[case] text: &str) {
        assert!(DhcpText::new(text).is_err());
    }
}
