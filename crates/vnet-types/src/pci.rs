//! Addresses of PCI devices.

use std::fmt;
use std::str::FromStr;

/// The address of a device on the PCI buses of a host.
///
/// Parses and prints the form of lspci(8) and sysfs, `0000:03:00.1`; the domain is optional in the
/// input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    slot: u8,
    function: u8,
}

/// Why numbers or a text are not a PCI address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PciAddressError {
    /// The text has another form.
    #[error("`{0}` is not a PCI address such as 0000:03:00.1")]
    Form(String),
    /// The slot is above 31.
    #[error("the slot {0:#x} is beyond 0x1f")]
    Slot(u8),
    /// The function is above 7.
    #[error("the function {0:#x} is beyond 7")]
    Function(u8),
}

impl PciAddress {
    /// Makes an address from its parts.
    ///
    /// # Errors
    /// [`PciAddressError`] for a slot above 31 or a function above 7.
    pub fn new(domain: u32, bus: u8, slot: u8, function: u8) -> Result<Self, PciAddressError> {
        match (slot, function) {
            (32.., _) => Err(PciAddressError::Slot(slot)),
            (_, 8..) => Err(PciAddressError::Function(function)),
            _ => Ok(Self { domain, bus, slot, function }),
        }
    }

    /// The domain; 0 on most hosts.
    pub fn domain(self) -> u32 {
        self.domain
    }

    /// The bus.
    pub fn bus(self) -> u8 {
        self.bus
    }

    /// The slot, 0 to 31.
    pub fn slot(self) -> u8 {
        self.slot
    }

    /// The function, 0 to 7.
    pub fn function(self) -> u8 {
        self.function
    }
}

impl FromStr for PciAddress {
    type Err = PciAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hexadecimal = |digits: &str, most: usize| {
            let plain = (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            plain.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
        };
        let small = |digits: &str| hexadecimal(digits, 2).and_then(|number| u8::try_from(number).ok());
        let numbers = || {
            let (rest, function) = text.rsplit_once('.')?;
            let (rest, slot) = rest.rsplit_once(':')?;
            let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0", rest));
            Some((hexadecimal(domain, 8)?, small(bus)?, small(slot)?, small(function)?))
        };
        let (domain, bus, slot, function) = numbers().ok_or_else(|| PciAddressError::Form(text.to_owned()))?;
        Self::new(domain, bus, slot, function)
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, slot, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{slot:02x}.{function}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0000:03:1f.7", Some("0000:03:1f.7"))]
    #[case("03:0A.1", Some("0000:03:0a.1"))]
    #[case("12345678:ff:00.0", Some("12345678:ff:00.0"))]
    #[case("0000:03:20.0", None)]
    #[case("0000:03:00.8", None)]
    #[case("0000:100:00.0", None)]
    #[case("0000:03:00", None)]
    #[case("0000:+3:00.0", None)]
    #[case("", None)]
    fn reads_and_prints(#[case] text: &str, #[case] printed: Option<&str>) {
        assert_eq!(text.parse::<PciAddress>().ok().map(|address| address.to_string()).as_deref(), printed);
    }
}
