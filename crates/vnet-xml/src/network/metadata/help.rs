//! What to do about metadata that is refused.

use super::MetadataError;

impl MetadataError {
    /// What to do about it. `None` where the message says so itself.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::TitleOfLines
            | Self::Character { .. }
            | Self::Key(_)
            | Self::KeyTaken { .. }
            | Self::OtherNamespace { .. }
            | Self::OfVnet => return None,
            Self::ReservedNamespace(_) | Self::NoNamespace => {
                "give the URI of your program's own namespace, such as `urn:example:app`".to_owned()
            }
            Self::NoKey => "give one: a short name such as `app`".to_owned(),
            Self::Element(refused) => return refused.help(),
        })
    }
}
