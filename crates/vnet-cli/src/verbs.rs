//! A wrong verb is answered with the right one.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// What other programs call it, and what it is called here.
const CALLED_ELSEWHERE: &[(&str, &[&str])] = &[
    ("up", &["start"]),
    ("run", &["start"]),
    ("create", &["new", "start"]),
    ("add", &["new", "define"]),
    ("enable", &["autostart"]),
    ("down", &["stop"]),
    ("destroy", &["stop"]),
    ("delete", &["stop", "undefine"]),
    ("remove", &["stop", "undefine"]),
    ("rm", &["stop", "undefine"]),
    ("ls", &["list"]),
    ("show", &["status", "dumpxml"]),
    ("inspect", &["status", "dumpxml"]),
    ("get", &["dumpxml"]),
    ("restart", &["apply"]),
    ("reload", &["apply"]),
    ("repair", &["apply"]),
    ("reconcile", &["apply"]),
    ("connect", &["attach"]),
    ("disconnect", &["detach"]),
    ("validate", &["check"]),
    ("lint", &["check"]),
    ("format", &["fmt"]),
    ("test", &["try"]),
    ("audit", &["verify"]),
    ("debug", &["doctor"]),
    ("diagnose", &["doctor"]),
    ("ps", &["list", "ports"]),
    ("monitor", &["events"]),
    ("watch", &["events"]),
    ("commit", &["confirm"]),
];

/// Suggests the verb that was meant: the one with that meaning, or the one whose spelling is
/// nearest.
pub(crate) fn with_right_verb(mut error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(given)) => given.clone(),
        _ => return error,
    };
    let meant = CALLED_ELSEWHERE.iter().find(|(there, _)| *there == given);
    let suggested = match (meant, error.get(ContextKind::SuggestedSubcommand)) {
        (Some((_, here)), _) => here.iter().map(|&verb| verb.to_owned()).collect(),
        // The nearest is the last.
        (None, Some(ContextValue::Strings(near))) => near.last().cloned().into_iter().collect(),
        _ => Vec::new(),
    };
    if suggested.is_empty() {
        let tip = "`vnet help` lists the commands".into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    } else {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(suggested));
    }
    error
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::args::program;

    #[rstest]
    #[case("up", "'start'")]
    #[case("rm", "'stop', 'undefine'")]
    #[case("ls", "'list'")]
    #[case("chekc", "'check'")]
    #[case("net-destory", "'net-destroy'")]
    fn the_right_verb_is_suggested(#[case] given: &str, #[case] right: &str) {
        let error = program().try_get_matches_from(["vnet", given]).expect_err("there is no such verb");
        let text = with_right_verb(error).to_string();
        let tip = text.lines().find(|line| line.contains("tip: ")).unwrap_or_else(|| panic!("no tip: {text}"));
        assert!(tip.ends_with(&format!(": {right}")), "{tip}");
    }

    #[test]
    fn an_unknown_verb_is_answered_with_the_list() {
        let error = program().try_get_matches_from(["vnet", "qqqqqq"]).expect_err("there is no such verb");
        assert!(with_right_verb(error).to_string().contains("tip: `vnet help` lists the commands"));
    }

    #[test]
    fn verbs_that_are_suggested_exist() {
        let program = program();
        for verb in CALLED_ELSEWHERE.iter().flat_map(|(_, here)| *here) {
            assert!(program.find_subcommand(verb).is_some(), "{verb}");
        }
        for (there, _) in CALLED_ELSEWHERE {
            assert!(program.find_subcommand(there).is_none(), "{there} is a verb of ours");
        }
    }
}
