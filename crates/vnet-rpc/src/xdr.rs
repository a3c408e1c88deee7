//! XDR (RFC 4506) as libvirt uses it.
//!
//! The decoder takes what libvirt's own takes from real clients: any number but 0 says that an
//! optional value is present, padding may be anything, and what follows the last value is left
//! alone.

use vnet_types::Uuid;

/// The longest string, in bytes.
pub const STRING_MAX: usize = 4 * 1024 * 1024;

/// Bytes that are not the expected value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XdrError {
    /// The bytes end before the value does.
    #[error("the message ends before its last value")]
    Short,
    /// A string or a list is longer than the protocol allows.
    #[error("a string or list has {length} elements, of {limit} at most")]
    Long {
        /// Its length.
        length: usize,
        /// The most that the protocol allows.
        limit: usize,
    },
    /// A string has a NUL inside.
    #[error("a string has a NUL byte")]
    Nul,
    /// A typed parameter has a type that does not exist.
    #[error("a typed parameter has the unknown type {0}")]
    ParameterType(i32),
}

/// A value of the protocol.
pub trait Xdr: Sized {
    /// Appends the value.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Takes the value from the front of `bytes`.
    ///
    /// # Errors
    /// [`XdrError`] when `bytes` do not begin with such a value.
    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError>;
}

/// A value that the protocol has lists of.
pub trait ListElement: Xdr {
    /// The longest list.
    const LIMIT: usize;
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], XdrError> {
    let (head, rest) = bytes.split_at_checked(length).ok_or(XdrError::Short)?;
    *bytes = rest;
    Ok(head)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], XdrError> {
    let (head, rest) = bytes.split_first_chunk().ok_or(XdrError::Short)?;
    *bytes = rest;
    Ok(*head)
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Xdr for $type {
            fn encode(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_be_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
                take_array(bytes).map(Self::from_be_bytes)
            }
        }
    )*};
}

number!(i32, u32, i64, u64, f64);

/// A truth value is a word on the wire.
impl Xdr for bool {
    fn encode(&self, bytes: &mut Vec<u8>) {
        u32::from(*self).encode(bytes);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        Ok(u32::decode(bytes)? != 0)
    }
}

/// Bytes that are not UTF-8 become U+FFFD: such a text names nothing that exists.
impl Xdr for String {
    fn encode(&self, bytes: &mut Vec<u8>) {
        length(self.len()).encode(bytes);
        bytes.extend_from_slice(self.as_bytes());
        bytes.resize(bytes.len() + padding(self.len()), 0);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        let length = limited(u32::decode(bytes)?, STRING_MAX)?;
        let text = take(bytes, length)?;
        take(bytes, padding(length))?;
        if text.contains(&0) {
            return Err(XdrError::Nul);
        }
        Ok(Self::from_utf8_lossy(text).into_owned())
    }
}

impl Xdr for Uuid {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0);
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        take_array(bytes).map(Self)
    }
}

impl<T: Xdr> Xdr for Option<T> {
    fn encode(&self, bytes: &mut Vec<u8>) {
        self.is_some().encode(bytes);
        if let Some(value) = self {
            value.encode(bytes);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        bool::decode(bytes)?.then(|| T::decode(bytes)).transpose()
    }
}

impl<T: ListElement> Xdr for Vec<T> {
    fn encode(&self, bytes: &mut Vec<u8>) {
        length(self.len()).encode(bytes);
        for element in self {
            element.encode(bytes);
        }
    }

    /// The list grows as its elements are read: a length alone allocates nothing.
    fn decode(bytes: &mut &[u8]) -> Result<Self, XdrError> {
        let length = limited(u32::decode(bytes)?, T::LIMIT)?;
        (0..length).map(|_| T::decode(bytes)).collect()
    }
}

/// Names of networks.
impl ListElement for String {
    const LIMIT: usize = 16_384;
}

/// Ways to authenticate.
impl ListElement for i32 {
    const LIMIT: usize = 20;
}

/// No value of ours comes near 4 GiB.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn limited(length: u32, limit: usize) -> Result<usize, XdrError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limit { Err(XdrError::Long { length, limit }) } else { Ok(length) }
}

fn padding(length: usize) -> usize {
    length.wrapping_neg() & 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"\0\0\0\x03abc\0", Ok("abc"))]
    #[case(b"\0\0\0\x03abc\xff", Ok("abc"))]
    #[case(b"\0\0\0\x02a\xff\0\0", Ok("a\u{fffd}"))]
    #[case(b"\0\0\0\0", Ok(""))]
    #[case(b"\0\0\0\x02a\0\0\0", Err(XdrError::Nul))]
    #[case(b"\0\0\0\x03abc", Err(XdrError::Short))]
    #[case(b"\xff\xff\xff\xff", Err(XdrError::Long { length: 0xffff_ffff, limit: STRING_MAX }))]
    fn reads_strings(#[case] mut bytes: &[u8], #[case] text: Result<&str, XdrError>) {
        assert_eq!(String::decode(&mut bytes), text.map(str::to_owned));
    }

    #[rstest]
    #[case(b"\0\0\0\0", Ok(None))]
    #[case(b"\0\0\0\x01\0\0\0\x07", Ok(Some(7)))]
    #[case(b"\x01\0\0\0\0\0\0\x07", Ok(Some(7)))]
    #[case(b"\x01\0\0\0", Err(XdrError::Short))]
    fn any_number_says_present(#[case] mut bytes: &[u8], #[case] value: Result<Option<i32>, XdrError>) {
        assert_eq!(Option::<i32>::decode(&mut bytes), value);
    }
}
