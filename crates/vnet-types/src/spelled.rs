//! Values that keep the spelling of their document.

use std::fmt;
use std::str::FromStr;

/// A value with the text that it was read from. It prints this text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spelled<T> {
    text: String,
    value: T,
}

impl<T: Copy> Spelled<T> {
    /// The value.
    pub fn get(&self) -> T {
        self.value
    }
}

impl<T: fmt::Display> From<T> for Spelled<T> {
    fn from(value: T) -> Self {
        Self { text: value.to_string(), value }
    }
}

impl<T: FromStr> FromStr for Spelled<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self { value: text.parse()?, text: text.to_owned() })
    }
}

impl<T> fmt::Display for Spelled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
