//! Errors as the protocol has them.

use serde_json::json;

use super::Version;

/// An error with a code of the specification, or of this plugin from 100 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    pub(crate) message: String,
    pub(crate) details: String,
}

impl Failure {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: String::new() }
    }

    pub(crate) fn with(self, details: impl Into<String>) -> Self {
        Self { details: details.into(), ..self }
    }

    /// The first message, with the others as details.
    pub(crate) fn of(code: u32, messages: Vec<String>) -> Option<Self> {
        let mut messages = messages.into_iter();
        let first = messages.next()?;
        Some(Self::new(code, first).with(messages.collect::<Vec<_>>().join("\n")))
    }

    pub(crate) fn print(&self, version: Option<Version>) -> String {
        let version = version.unwrap_or(Version::NEWEST).text();
        let mut all = json!({ "cniVersion": version, "code": self.code, "msg": self.message });
        if !self.details.is_empty() {
            all["details"] = self.details.clone().into();
        }
        format!("{all:#}\n")
    }
}
