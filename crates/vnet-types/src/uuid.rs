//! UUIDs, read as libvirt reads them.

use std::fmt;
use std::str::FromStr;

/// A UUID. Parses 32 hexadecimal digits with `-` or spaces anywhere between pairs; prints
/// `8-4-4-4-12`, lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

/// A text that is not a UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UUID such as 3e3fce45-4f53-4fa7-bb32-11f34168b82b")]
pub struct ParseUuidError(String);

impl Uuid {
    /// Makes a version 4 UUID (RFC 9562) from random bytes.
    pub fn from_random(mut random: [u8; 16]) -> Self {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        Self(random)
    }

    /// Whether it can identify something: a UUID of equal bytes, such as zeros, cannot.
    pub fn is_valid_identity(self) -> bool {
        self.0.iter().any(|byte| *byte != self.0[0])
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseUuidError(text.to_owned());
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut bytes = [0; 16];
        let mut rest = text.trim().bytes().peekable();
        for slot in &mut bytes {
            while rest.next_if(|byte| matches!(byte, b'-' | b' ')).is_some() {}
            let high = rest.next().and_then(nibble).ok_or_else(bad)?;
            let low = rest.next().and_then(nibble).ok_or_else(bad)?;
            *slot = high << 4 | low;
        }
        if rest.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("3E3FCE45-4f53-4fa7-bb32-11f34168b82b", Some("3e3fce45-4f53-4fa7-bb32-11f34168b82b"))]
    #[case(" 3e3fce454f53 4fa7bb3211f34168b82b ", Some("3e3fce45-4f53-4fa7-bb32-11f34168b82b"))]
    #[case("3e3fce45-4f53-4fa7-bb32-11f34168b82", None)]
    #[case("3e3fce45-4f53-4fa7-bb32-11f34168b82bb", None)]
    #[case("3-e3fce45-4f53-4fa7-bb32-11f34168b82b", None)]
    #[case("", None)]
    fn reads_and_prints(#[case] text: &str, #[case] printed: Option<&str>) {
        assert_eq!(text.parse::<Uuid>().ok().map(|uuid| uuid.to_string()).as_deref(), printed);
    }

    #[test]
    fn random_ones_are_version_4() {
        assert_eq!(Uuid::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert!(!Uuid([0; 16]).is_valid_identity());
    }
}
