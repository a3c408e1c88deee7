//! Versions of the protocol, and its verbs.

use serde_json::{Value, json};

use super::Failure;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V010,
    V020,
    V030,
    V031,
    V040,
    V100,
    V110,
}

impl Version {
    const ALL: [Self; 7] = [Self::V010, Self::V020, Self::V030, Self::V031, Self::V040, Self::V100, Self::V110];
    pub(crate) const NEWEST: Self = Self::V110;

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::V010 => "0.1.0",
            Self::V020 => "0.2.0",
            Self::V030 => "0.3.0",
            Self::V031 => "0.3.1",
            Self::V040 => "0.4.0",
            Self::V100 => "1.0.0",
            Self::V110 => "1.1.0",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.text() == text)
    }
}

/// What the runtime wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

impl Verb {
    /// Reads it from the environment.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let word = variable("CNI_COMMAND").unwrap_or_default();
        let all = [Self::Add, Self::Del, Self::Check, Self::Gc, Self::Status, Self::Version];
        let unknown = || Failure::new(4, format!("CNI_COMMAND is `{word}`, which is not a verb of CNI"));
        all.into_iter().find(|verb| verb.word() == word).ok_or_else(unknown)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    /// The first version that has it.
    pub(crate) fn since(self) -> Version {
        match self {
            Self::Add | Self::Del | Self::Version => Version::V010,
            Self::Check => Version::V040,
            Self::Gc | Self::Status => Version::V110,
        }
    }
}

/// All versions, for people.
pub(crate) fn versions_in_words() -> String {
    Version::ALL.map(Version::text).join(", ")
}

/// The answer to VERSION. It has the version of the input where the plugin knows that.
pub(crate) fn versions(input: &[u8]) -> String {
    let asked = serde_json::from_slice::<Value>(input).ok();
    let asked = asked.as_ref().and_then(|input| Version::parse(input.get("cniVersion")?.as_str()?));
    let version = asked.unwrap_or(Version::NEWEST).text();
    format!("{}\n", json!({ "cniVersion": version, "supportedVersions": Version::ALL.map(Version::text) }))
}
