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

    /// The first line of the first message, with the rest as details.
    pub(crate) fn of(code: u32, messages: &[String]) -> Option<Self> {
        let (first, others) = messages.split_first()?;
        let (line, more) = first.split_once('\n').unwrap_or((first, ""));
        let rest = Some(more).filter(|more| !more.is_empty()).into_iter().chain(others.iter().map(String::as_str));
        Some(Self::new(code, line.trim_end_matches(':')).with(rest.collect::<Vec<_>>().join("\n")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let failure = Failure::of(104, &["not as it was made: + rules:\ntable\nchain".to_owned(), "down".to_owned()]);
        let expected = Failure::new(104, "not as it was made: + rules").with("table\nchain\ndown");
        assert_eq!(failure, Some(expected));
        assert_eq!(Failure::of(104, &["down".to_owned()]), Some(Failure::new(104, "down")));
        assert_eq!(Failure::of(104, &[]), None);
    }
}
