//! Finds files that are too long, and files that tools leave behind.

use std::fs;

use super::{Problem, Text};
use crate::run::{Failed, can, failed, output, root};

/// The most lines that a Rust file may have.
const LINES: usize = 400;

/// Files that may have more lines, each with the reason.
const TABLES: &[(&str, &str)] = &[];

/// The files that insta leaves when an expectation failed.
const LEFTOVERS: [&str; 2] = ["*.pending-snap", "*.snap.new"];

/// The folders that git ignores, and its own.
const BUILT: [&str; 5] = [".git", "target", "fuzz/target", "fuzz/corpus", "fuzz/artifacts"];

pub(super) fn too_long(texts: &[Text]) -> Vec<Problem> {
    let rust = texts.iter().filter(|text| text.path.ends_with(".rs"));
    let mut problems: Vec<Problem> = rust
        .filter(|text| text.content.lines().count() > LINES && !TABLES.iter().any(|(table, _)| *table == text.path))
        .map(|text| format!("{}: {} lines, of {LINES} at most", text.path, text.content.lines().count()))
        .collect();
    for (table, _) in TABLES {
        if !texts.iter().any(|text| text.path == *table && text.content.lines().count() > LINES) {
            problems.push(format!("{table} is an exception for no reason: it has no more than {LINES} lines"));
        }
    }
    problems
}

/// Ignored files count too: nobody has seen them.
pub(super) fn leftovers() -> Vec<Problem> {
    let listed = if has_git() {
        let known = [&["ls-files", "--cached"], &LEFTOVERS[..]].concat();
        let strays = [&["ls-files", "--others"], &LEFTOVERS[..]].concat();
        [known, strays].iter().map(|words| output("git", words).map(lines)).collect::<Result<Vec<_>, _>>()
    } else {
        let is_left = |path: &String| LEFTOVERS.iter().any(|end| path.ends_with(end.trim_start_matches('*')));
        files_on_disk().map(|files| vec![files.into_iter().filter(is_left).collect()])
    };
    match listed {
        Ok(listed) => {
            let left = listed.concat().into_iter().filter(|path| !path.starts_with("target/"));
            left.map(|path| format!("{path} is left over: accept it, or delete it")).collect()
        }
        Err(failed) => vec![failed.to_string()],
    }
}

/// The files of the tree, tracked or new, without those that git ignores. Without git, as in an
/// unpacked tarball, all that are not built.
pub(super) fn all() -> Result<Vec<String>, Failed> {
    if has_git() {
        return output("git", &["ls-files", "--cached", "--others", "--exclude-standard"]).map(lines);
    }
    files_on_disk()
}

fn lines(text: String) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Whether git is here, and knows this tree.
fn has_git() -> bool {
    root().join(".git").exists() && can("git", &["-C", &root().display().to_string(), "rev-parse", "--git-dir"])
}

/// Every file but those that are built.
fn files_on_disk() -> Result<Vec<String>, Failed> {
    let (mut folders, mut files) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            let below = path.strip_prefix(root()).expect("it is below").display().to_string();
            if BUILT.contains(&below.as_str()) {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                files.push(below);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tarball of the tree is as tidy as the tree.
    #[test]
    fn the_files_on_disk_are_those_of_git() {
        if !has_git() {
            return;
        }
        let mut known = all().expect("git lists files");
        known.retain(|path| root().join(path).exists());
        known.sort();
        let ignored = output("git", &["ls-files", "--others", "--ignored", "--exclude-standard"]).expect("git");
        let mut found = files_on_disk().expect("the tree can be read");
        found.retain(|path| !ignored.lines().any(|it| it == path));
        assert_eq!(found, known);
    }
}
