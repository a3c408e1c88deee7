//! Values that keep the spelling of their document.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// A value with the text that it was read from. It prints this text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spelled<T> {
    value: T,
    /// The text, where the value is printed otherwise: large documents have few of them.
    text: Option<Box<str>>,
}

impl<T: Copy> Spelled<T> {
    /// The value.
    pub fn get(&self) -> T {
        self.value
    }
}

impl<T> Spelled<T> {
    /// The text that it was read from, if the value is printed otherwise.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl<T> From<T> for Spelled<T> {
    fn from(value: T) -> Self {
        Self { value, text: None }
    }
}

impl<T: FromStr + fmt::Display> FromStr for Spelled<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let value: T = text.parse()?;
        let mut rest = Rest(text);
        let is_usual = write!(rest, "{value}").is_ok() && rest.0.is_empty();
        Ok(Self { value, text: (!is_usual).then(|| text.into()) })
    }
}

impl<T: fmt::Display> fmt::Display for Spelled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.pad(text),
            None => self.value.fmt(f),
        }
    }
}

/// What is left of a text after what is printed, which has to be its beginning.
struct Rest<'a>(&'a str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, printed: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(printed).ok_or(fmt::Error)?;
        Ok(())
    }
}
