//! The name of a network's bridge, or how to find one.

use std::fmt;
use std::str::FromStr;

use vnet_types::{InterfaceName, NameError};

/// `<bridge name>`: a name, or a template such as `virbr%d`, in which the first free number
/// replaces `%d`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BridgeName {
    /// A name.
    Fixed(InterfaceName),
    /// A template.
    Template(BridgeTemplate),
}

/// Text with exactly one `%d`, short enough that three digits fit in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BridgeTemplate {
    before: String,
    after: String,
}

/// Why a text is not the name of a bridge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeNameError {
    /// It is not a valid interface name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It has a `%` other than the one `%d`, or nothing except `%d`.
    #[error("the template `{0}` must have exactly one `%`, as `%d`, and some text before it")]
    Template(String),
}

impl BridgeTemplate {
    /// The numbers that replace `%d` are below this one.
    const LIMIT: u16 = 257;

    /// libvirt's template, for networks that name no bridge.
    pub fn virbr() -> Self {
        Self { before: "virbr".to_owned(), after: String::new() }
    }

    /// The name with this number. `None` if the name would be too long.
    pub fn with(&self, number: u16) -> Option<InterfaceName> {
        format!("{}{number}{}", self.before, self.after).parse().ok()
    }

    /// All names, in the order in which libvirt tries them.
    pub fn names(&self) -> impl Iterator<Item = InterfaceName> + '_ {
        (0..Self::LIMIT).filter_map(|number| self.with(number))
    }
}

impl FromStr for BridgeName {
    type Err = BridgeNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((before, rest)) = text.split_once('%') else { return Ok(Self::Fixed(text.parse()?)) };
        let bad = || BridgeNameError::Template(text.to_owned());
        let after = rest.strip_prefix('d').filter(|after| !after.contains('%')).ok_or_else(bad)?;
        if before.is_empty() {
            return Err(bad());
        }
        format!("{before}0{after}").parse::<InterfaceName>()?;
        Ok(Self::Template(BridgeTemplate { before: before.to_owned(), after: after.to_owned() }))
    }
}

impl fmt::Display for BridgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(name) => name.fmt(f),
            Self::Template(template) => write!(f, "{}%d{}", template.before, template.after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("virbr0", true)]
    #[case("virbr%d", true)]
    #[case("br%d-lab", true)]
    #[case("%d", false)]
    #[case("br%s", false)]
    #[case("br%d%d", false)]
    #[case("br%", false)]
    #[case("sixteen-bytes-xx", false)]
    #[case("fourteen-bytes%d", true)]
    #[case("fifteen-bytes-x%d", false)]
    fn reads_what_it_prints(#[case] text: &str, #[case] ok: bool) {
        assert_eq!(text.parse::<BridgeName>().is_ok_and(|name| name.to_string() == text), ok);
    }

    #[test]
    fn templates_skip_what_is_too_long() {
        let Ok(BridgeName::Template(template)) = "fourteen-bytes%d".parse() else { panic!("a template") };
        assert!(template.with(9).is_some());
        assert_eq!(template.with(10), None);
    }
}
