//! Finds common spelling mistakes, and phrases that readers must guess at.

use super::wrap::Kind;
use super::{Problem, Text};

/// Common misspellings with their corrections. They are beginnings of words, in lower case.
const MISSPELT: &[(&str, &str)] = &[
    ("accomodat", "accommodat"),
    ("adress", "address"),
    ("arguement", "argument"),
    ("begining", "beginning"),
    ("compatab", "compatib"),
    ("definately", "definitely"),
    ("dependan", "dependen"),
    ("enviroment", "environment"),
    ("existance", "existence"),
    ("explicitely", "explicitly"),
    ("independan", "independen"),
    ("infomation", "information"),
    ("langauge", "language"),
    ("lenght", "length"),
    ("maintainance", "maintenance"),
    ("neccessar", "necessar"),
    ("occured", "occurred"),
    ("occurence", "occurrence"),
    ("paramter", "parameter"),
    ("permenant", "permanent"),
    ("preceed", "preced"),
    ("privelege", "privilege"),
    ("recieve", "receive"),
    ("refered", "referred"),
    ("resouce", "resource"),
    ("seperat", "separat"),
    ("sucess", "success"),
    ("succesful", "successful"),
    ("supress", "suppress"),
    ("teh ", "the "),
    ("threshhold", "threshold"),
    ("transfered", "transferred"),
    ("unneccessar", "unnecessar"),
    ("untill", "until"),
    ("wether", "whether"),
    ("wich ", "which "),
    ("writeable", "writable"),
];

/// Phrases that readers must guess at, with the replacement.
const UNCLEAR: &[(&str, &str)] = &[
    ("not to be had", "say what cannot be done"),
    ("hangs on", "depends on"),
    ("which is none", "say what it is not"),
    ("that is none", "say what it is not"),
];

/// Nobody writes so many blanks: they come from a text that was broken over two lines.
const INDENTATION: &str = "            ";

fn has_lost_line_break(line: &str) -> bool {
    let is_between = |(at, blanks): (usize, &str)| {
        let (before, after) = (&line[..at], &line[at + blanks.len()..]);
        line.contains('"')
            && before.ends_with(|last: char| last.is_ascii_alphanumeric() || ",;.".contains(last))
            && after.trim_start().starts_with(|first: char| first.is_ascii_lowercase())
    };
    line.match_indices(INDENTATION).any(is_between)
}

pub(super) fn misspelt(text: &Text) -> Vec<Problem> {
    let lines = text.content.lines().enumerate().filter(|_| !text.path.starts_with("xtask/src/tidy/"));
    let in_line = |(index, line): (usize, &str)| {
        let lower = line.to_lowercase();
        let found = MISSPELT.iter().filter(|(wrong, _)| begins_word(&lower, wrong));
        found.map(|(wrong, right)| text.problem(index, &format!("`{wrong}` is spelt `{right}`"))).collect::<Vec<_>>()
    };
    lines.flat_map(in_line).collect()
}

/// Finds phrases in any line, doc comments that are questions, and messages with a lost line break.
pub(super) fn unclear(text: &Text) -> Vec<Problem> {
    let lines = text.content.lines().enumerate().filter(|_| !text.path.starts_with("xtask/src/tidy/"));
    let in_line = |(index, line): (usize, &str)| {
        let lower = line.to_lowercase();
        let phrases = UNCLEAR.iter().filter(|(phrase, _)| lower.contains(phrase));
        let mut problems: Vec<Problem> =
            phrases.map(|(phrase, better)| text.problem(index, &format!("`{phrase}`: {better}"))).collect();
        let doc = line.trim_start();
        if text.kind == Kind::Rust && (doc.starts_with("///") || doc.starts_with("//!")) && doc.ends_with('?') {
            problems.push(text.problem(index, "a doc comment asks: `Whether it is ours.`, not `Is it ours?`"));
        }
        if text.kind == Kind::Rust && has_lost_line_break(doc) {
            problems.push(text.problem(index, "blanks within a message: end the line before them with `\\`"));
        }
        problems
    };
    lines.flat_map(in_line).collect()
}

fn begins_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
}
