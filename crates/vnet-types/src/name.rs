//! Names of interfaces and networks.

use std::fmt;
use std::str::FromStr;

/// The name of a network interface as the kernel accepts it: 1 to 15 bytes, no `/`, no `:`, no `%`,
/// no white space, neither `.` nor `..` (`dev_valid_name` in the kernel; `%` would be a template
/// there).
// In place, because hosts have many links: a copy costs no memory. What follows the name is zero,
// which no name has, so names compare as their texts do.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceName {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

/// The name of a network. It must be allowed by libvirt (not empty, no `/`, no newline) and as a
/// file name (no control character, neither `.` nor `..`, at most 80 bytes).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkName(String);

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty.
    #[error("the name is empty")]
    Empty,
    /// The text is longer than the kernel or the file system allows.
    #[error("the name `{name}` is {len} bytes long, the limit is {limit}")]
    TooLong {
        /// The text.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The text has a character that is not allowed.
    #[error("the name {name:?} has the character {character:?}")]
    Character {
        /// The text.
        name: String,
        /// The first character that is refused.
        character: char,
    },
    /// The text is `.` or `..`.
    #[error("the name `{0}` is reserved")]
    Reserved(String),
}

impl InterfaceName {
    /// The longest name in bytes (`IFNAMSIZ` without the final NUL).
    pub const MAX_LEN: usize = 15;

    /// The name as text.
    ///
    /// # Panics
    /// Never: it was a text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len.into()]).expect("it was a text")
    }
}

impl NetworkName {
    /// The longest name in bytes, so that files can be named after it.
    pub const MAX_LEN: usize = 80;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as a safe file name: every byte except letters, digits, `.`, `_` and `-` is written
    /// as `%` and two hexadecimal digits.
    pub fn file_name(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02x}"));
            }
        }
        text
    }
}

impl FromStr for InterfaceName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        check(name, Self::MAX_LEN, |c| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control())?;
        let mut bytes = [0; Self::MAX_LEN];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Ok(Self { bytes, len: u8::try_from(name.len()).expect("at most 15") })
    }
}

impl FromStr for NetworkName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        check(name, Self::MAX_LEN, |c| c == '/' || c.is_control())?;
        Ok(Self(name.to_owned()))
    }
}

fn check(name: &str, limit: usize, refused: impl Fn(char) -> bool) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if let Some(character) = name.chars().find(|c| refused(*c)) {
        return Err(NameError::Character { name: name.to_owned(), character });
    }
    if name.len() > limit {
        return Err(NameError::TooLong { name: name.to_owned(), len: name.len(), limit });
    }
    if matches!(name, "." | "..") {
        return Err(NameError::Reserved(name.to_owned()));
    }
    Ok(())
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InterfaceName").field(&self.as_str()).finish()
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("virbr0", true)]
    #[case("fifteen-bytes-x", true)]
    #[case("sixteen-bytes-xx", false)]
    #[case("br%d", false)]
    #[case("br 0", false)]
    #[case("br/0", false)]
    #[case("br\0", false)]
    #[case("eth0:1", false)]
    #[case("..", false)]
    #[case("", false)]
    fn interface_names(#[case] name: &str, #[case] ok: bool) {
        assert_eq!(name.parse::<InterfaceName>().is_ok_and(|parsed| parsed.to_string() == name), ok);
    }

    #[test]
    fn interface_names_compare_as_texts() {
        let mut texts = ["b10", "b1", "é", "b", "fifteen-bytes-x", "B1", "b1.2", "b-1"];
        let mut names = texts.map(|text| text.parse::<InterfaceName>().unwrap());
        texts.sort_unstable();
        names.sort_unstable();
        assert_eq!(names.each_ref().map(InterfaceName::as_str), texts);
        assert_eq!(
            format!("{:?} {:<4}|", names[1], names[2]),
            format!("InterfaceName({:?}) {:<4}|", texts[1], texts[2])
        );
    }

    #[rstest]
    #[case("default", true)]
    #[case("with space and \"quotes\"", true)]
    #[case("a/b", false)]
    #[case("a\nb", false)]
    #[case("..", false)]
    #[case("", false)]
    fn network_names(#[case] name: &str, #[case] ok: bool) {
        assert_eq!(name.parse::<NetworkName>().is_ok_and(|parsed| parsed.to_string() == name), ok);
    }

    #[test]
    fn file_names_are_plain() {
        let name: NetworkName = "a b\"ü#".parse().expect("a name");
        assert_eq!(name.file_name(), "a%20b%22%c3%bc%23");
    }
}
