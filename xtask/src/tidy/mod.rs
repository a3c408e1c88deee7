//! Checks that compilers do not make: long lines and files, leftovers, words.

mod files;
mod words;
mod wrap;

use std::fs;
use std::path::Path;

use crate::run::{Failed, failed, root};
use crate::tally::Tally;
use wrap::Kind;

/// The problems found, with file and line.
type Problem = String;

/// Runs every check. Each counts in the tally.
pub(crate) fn check() -> Tally {
    let texts = match texts() {
        Ok(texts) => texts,
        Err(failed) => return Tally::of(Err(failed)),
    };
    let each = |check: fn(&Text) -> Vec<Problem>| texts.iter().flat_map(check).collect::<Vec<_>>();
    let checks =
        [each(too_long), each(words::misspelt), each(words::unclear), files::too_long(&texts), files::leftovers()];
    checks.into_iter().map(|problems| Tally::of(none(&problems))).sum()
}

fn none(problems: &[Problem]) -> Result<(), Failed> {
    if problems.is_empty() { Ok(()) } else { Err(Failed(format!("tidy:\n  {}", problems.join("\n  ")))) }
}

/// A file of the repository that people write.
struct Text {
    path: String,
    content: String,
    kind: Kind,
}

impl Text {
    fn problem(&self, index: usize, what: &str) -> Problem {
        format!("{}:{}: {what}", self.path, index + 1)
    }
}

/// The files with text or comments that people read.
fn texts() -> Result<Vec<Text>, Failed> {
    let mut texts = Vec::new();
    for path in files::all()? {
        let Some(kind) = Kind::of(&path) else { continue };
        let file = root().join(&path);
        // The file was deleted and this is not committed yet.
        if !file.exists() {
            continue;
        }
        let content = fs::read_to_string(&file).map_err(failed(Path::new(&path)))?;
        texts.push(Text { path, content, kind });
    }
    Ok(texts)
}

/// Wraps long lines in the files below these paths, or in all files.
pub(crate) fn fix(paths: &[&str]) -> Result<(), Failed> {
    let wanted = |text: &Text| paths.is_empty() || paths.iter().any(|path| Path::new(&text.path).starts_with(path));
    for text in texts()?.into_iter().filter(wanted) {
        let wrapped = wrap::wrap(&text.content, text.kind);
        if wrapped != text.content {
            println!("wrapped {}", text.path);
            fs::write(root().join(&text.path), wrapped).map_err(failed(Path::new(&text.path)))?;
        }
    }
    Ok(())
}

fn too_long(text: &Text) -> Vec<Problem> {
    let what = format!("a line of text has more than {} columns: `cargo xtask tidy --fix`", wrap::WIDTH);
    wrap::too_long(&text.content, text.kind).into_iter().map(|index| text.problem(index, &what)).collect()
}
