//! Wraps comments and Markdown. Tables, code, headings and lines without a blank to break at stay
//! as they are.

/// The most columns that a line of text may have.
pub(super) const WIDTH: usize = 100;

/// The part of a file that is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The whole file.
    Markdown,
    /// The text after `//`, `///` and `//!`.
    Rust,
    /// The text after `#`.
    Shell,
}

impl Kind {
    /// By the file's name. Generated and copied files are not wrapped.
    pub(super) fn of(path: &str) -> Option<Self> {
        if ["testdata/", "benches/RESULTS.md", "fuzz/seeds/"].iter().any(|other| path.starts_with(other)) {
            return None;
        }
        match path.rsplit_once('.')?.1 {
            "md" => Some(Self::Markdown),
            "rs" => Some(Self::Rust),
            "sh" | "toml" => Some(Self::Shell),
            _ => None,
        }
    }

    /// A line's indentation with its comment sign, and its text; `None` when the line is not text.
    fn split(self, line: &str) -> Option<(&str, &str)> {
        let signs: &[&str] = match self {
            Self::Markdown => return Some(("", line)),
            Self::Rust => &["//!", "///", "//"],
            Self::Shell => &["#"],
        };
        let indentation = line.len() - line.trim_start().len();
        let sign = signs.iter().find(|sign| line[indentation..].starts_with(**sign))?;
        Some(line.split_at(indentation + sign.len()))
    }
}

/// The indices of the text lines that are too long and can be broken.
pub(super) fn too_long(content: &str, kind: Kind) -> Vec<usize> {
    let wrapped = wrap(content, kind);
    if wrapped == content {
        return Vec::new();
    }
    let lines = content.lines().enumerate();
    let long = lines.filter(|(_, line)| line.chars().count() > WIDTH && !wrapped.lines().any(|it| it == *line));
    long.map(|(index, _)| index).collect()
}

/// Fills the paragraphs that have a line that is too long.
pub(super) fn wrap(content: &str, kind: Kind) -> String {
    let mut wrapped = String::with_capacity(content.len());
    let mut paragraph: Vec<&str> = Vec::new();
    let mut in_code = false;
    for line in content.lines() {
        let text = kind.split(line).map(|(_, text)| text.trim_start());
        let is_fence = text.is_some_and(|text| text.starts_with("```"));
        let is_fixed = is_fence || in_code || kind.split(line).is_none_or(|(_, text)| is_fixed(text, kind));
        in_code ^= is_fence;
        let begins = is_fixed || text.is_some_and(begins_item) || !continues(&paragraph, line, kind);
        if begins {
            fill(&mut wrapped, &paragraph, kind);
            paragraph.clear();
        }
        if is_fixed {
            wrapped.push_str(line);
            wrapped.push('\n');
        } else {
            paragraph.push(line);
        }
    }
    fill(&mut wrapped, &paragraph, kind);
    if !content.ends_with('\n') {
        wrapped.pop();
    }
    wrapped
}

/// Whether a line must not be broken or joined: blank, table, heading, code, quotation, link
/// target, hard break.
fn is_fixed(text: &str, kind: Kind) -> bool {
    let blank = if kind == Kind::Markdown { "" } else { " " };
    let within = text.strip_prefix(blank).unwrap_or(text);
    let signs = ["|", "#", ">", "<", "["];
    within.trim().is_empty()
        || within.starts_with("    ")
        || signs.iter().any(|sign| within.starts_with(sign) && (*sign != "[" || is_link_target(within)))
        || text.ends_with("  ")
        || text.starts_with('!')
        || (kind == Kind::Shell && (!text.starts_with(' ') || text.starts_with("  ")))
}

fn is_link_target(text: &str) -> bool {
    text.split_once("]: ").is_some_and(|(name, _)| !name.contains(' '))
}

/// Whether text begins an item of a list.
fn begins_item(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    ["- ", "* ", "+ "].iter().any(|sign| text.starts_with(sign))
        || (number.len() < text.len() && number.starts_with(". "))
}

fn continues(paragraph: &[&str], line: &str, kind: Kind) -> bool {
    let sign = |line| kind.split(line).map(|(sign, _)| sign);
    paragraph.last().is_some_and(|last| sign(last) == sign(line))
}

fn fill(wrapped: &mut String, paragraph: &[&str], kind: Kind) {
    if paragraph.iter().all(|line| line.chars().count() <= WIDTH) {
        paragraph.iter().for_each(|line| *wrapped += &format!("{line}\n"));
        return;
    }
    let Some((sign, first)) = kind.split(paragraph[0]) else { return };
    let begin = format!("{sign}{}", &first[..first.len() - first.trim_start().len()]);
    let hanging = match first.trim_start().split_once(' ') {
        Some((item, _)) if begins_item(first.trim_start()) => format!("{begin}{}", " ".repeat(item.len() + 1)),
        _ => begin.clone(),
    };
    let text: Vec<&str> = paragraph.iter().filter_map(|line| kind.split(line)).map(|(_, text)| text).collect();
    let text = text.join(" ");
    let mut line = begin;
    let mut is_empty = true;
    for piece in unbreakable(&text) {
        if !is_empty && line.chars().count() + 1 + piece.chars().count() > WIDTH {
            *wrapped += &format!("{line}\n");
            line = hanging.clone();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += &piece;
        is_empty = false;
    }
    *wrapped += &format!("{line}\n");
}

/// The words of a text. A word stays with the next one if that has a meaning at the beginning of a
/// line.
fn unbreakable(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let means_something = begins_item(&format!("{word} ")) || is_fixed(&format!(" {word}"), Kind::Rust);
        match pieces.last_mut() {
            Some(last) if means_something => *last += &format!(" {word}"),
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";

    #[test]
    fn a_comment_is_filled_with_its_sign_and_indentation() {
        let rust = format!("    /// {WORDS}\n    /// {WORDS} {WORDS}\n    fn it() {{}}\n");
        let wrapped = wrap(&rust, Kind::Rust);
        assert!(wrapped.lines().all(|line| line.len() <= WIDTH), "{wrapped}");
        assert!(wrapped.lines().take(3).all(|line| line.starts_with("    /// ")), "{wrapped}");
        assert!(wrapped.ends_with("\n    fn it() {}\n"));
        assert_eq!(wrapped.split_whitespace().filter(|word| *word == "fifteen").count(), 3);
        assert_eq!(wrap(&wrapped, Kind::Rust), wrapped);
        assert_eq!(too_long(&rust, Kind::Rust), [1]);
    }

    #[test]
    fn items_hang() {
        let wrapped = wrap(&format!("- {WORDS} {WORDS}\n- next\n\n10. {WORDS} {WORDS}\n"), Kind::Markdown);
        let lines: Vec<&str> = wrapped.lines().collect();
        assert!(lines[0].starts_with("- one") && lines[1].starts_with("  ") && lines[2] == "- next", "{wrapped}");
        assert!(lines[4].starts_with("10. one") && lines[5].starts_with("    "), "{wrapped}");
    }

    #[test]
    fn what_is_no_prose_stays() {
        for text in [
            format!("| {WORDS} | {WORDS} |"),
            format!("    {WORDS} {WORDS}"),
            format!("```\n{WORDS} {WORDS}\n```"),
            format!("# {WORDS} {WORDS}"),
            format!("[name]: https://{}", "x".repeat(WIDTH)),
            "x".repeat(WIDTH + 1),
        ] {
            assert_eq!(wrap(&text, Kind::Markdown), text);
            assert!(too_long(&text, Kind::Markdown).is_empty(), "{text}");
        }
        let code = format!("let x = \"{WORDS} {WORDS}\";\n");
        assert_eq!(wrap(&code, Kind::Rust), code);
    }

    #[test]
    fn no_line_begins_a_list_by_chance() {
        let wrapped = wrap(&format!("{WORDS} fourteen - {WORDS} 1. {WORDS}"), Kind::Markdown);
        assert!(wrapped.lines().all(|line| !begins_item(line)), "{wrapped}");
    }
}
