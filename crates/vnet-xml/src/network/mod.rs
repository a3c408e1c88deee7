//! The `<network>` document.

mod model;
mod print;
mod read;

use std::str::FromStr;

use crate::{Parsed, Refused};

pub use model::*;

impl Network {
    /// Reads a definition, and finds everything that is wrong with its text.
    ///
    /// ```
    /// use vnet_xml::Network;
    ///
    /// let parsed = Network::parse(b"<network><name>lab</name><brige name='lab0'/></network>");
    /// assert_eq!(parsed.value.map(|network| network.name).as_deref(), Some("lab"));
    /// assert_eq!(parsed.problems[0].help.as_deref(), Some("did you mean `bridge`?"));
    /// ```
    pub fn parse(document: &[u8]) -> Parsed<Self> {
        crate::document::parse(document, "network", read::network)
    }
}

/// Reads a definition without errors; warnings are passed over.
impl FromStr for Network {
    type Err = Refused;

    fn from_str(document: &str) -> Result<Self, Refused> {
        Self::parse(document.as_bytes()).into_result()
    }
}
