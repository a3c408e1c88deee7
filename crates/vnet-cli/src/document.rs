//! Documents that are read: files, the files of a folder, stdin. Nothing is read beyond the reader's limit.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use vnet_xml::{Limits, Span};

/// The bytes of a document and what it is called.
#[derive(Debug)]
pub(crate) struct Document {
    /// The path as given; `<stdin>`.
    pub(crate) name: String,
    /// One byte more than the reader takes, at most: enough for it to refuse what is too long.
    pub(crate) bytes: Vec<u8>,
    places: OnceCell<Places>,
}

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Document {
    /// A document that is in memory.
    pub(crate) fn new(name: String, bytes: Vec<u8>) -> Self {
        Self { name, bytes, places: OnceCell::new() }
    }

    /// Reads a file; `-` is stdin.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let bytes = bounded(io::stdin().lock()).context("stdin cannot be read")?;
            return Ok(Self::new("<stdin>".to_owned(), bytes));
        }
        let name = path.display().to_string();
        let cannot = || format!("`{name}` cannot be read");
        let file = File::open(path).with_context(cannot)?;
        if file.metadata().with_context(cannot)?.is_dir() {
            bail!("`{name}` is a folder");
        }
        let bytes = bounded(file).with_context(cannot)?;
        Ok(Self::new(name, bytes))
    }

    /// The line and column of a byte.
    pub(crate) fn position(&self, at: usize) -> Position {
        let places = self.places();
        let at = at.min(self.bytes.len());
        let line = places.line_starts.partition_point(|start| *start <= at);
        let characters = |at| places.characters_before(&self.bytes, at);
        Position { line, column: characters(at) - characters(places.line_starts[line - 1]) + 1 }
    }

    /// A line, from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> Span {
        let starts = &self.places().line_starts;
        let start = starts[line - 1];
        let end = starts.get(line).map_or(self.bytes.len(), |next| next - 1);
        start..end
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::new(&self.bytes))
    }
}

/// Where lines begin and how many characters stand before each block: what makes a position cheap anywhere, on a line
/// of megabytes too.
#[derive(Debug)]
struct Places {
    line_starts: Vec<usize>,
    blocks: Vec<usize>,
}

const BLOCK: usize = 4096;

impl Places {
    fn new(bytes: &[u8]) -> Self {
        let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let line_starts = [0].into_iter().chain(newlines.map(|(at, _)| at + 1)).collect();
        let blocks = bytes.chunks(BLOCK).scan(0, |before, block| {
            let here = *before;
            *before += characters(block);
            Some(here)
        });
        Self { line_starts, blocks: blocks.collect() }
    }

    fn characters_before(&self, bytes: &[u8], at: usize) -> usize {
        let block = (at / BLOCK).min(self.blocks.len().saturating_sub(1));
        self.blocks.get(block).map_or(0, |before| before + characters(&bytes[block * BLOCK..at]))
    }
}

/// Counts characters by the bytes that begin one, so that what is not UTF-8 has a column too.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// The documents that paths stand for: a folder for the `.xml` files in it, in the order of their names.
pub(crate) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let cannot = || format!("the folder `{}` cannot be read", path.display());
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).with_context(cannot)?;
        let is_xml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "xml") && path.is_file();
        let mut inside: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(is_xml).collect();
        if inside.is_empty() {
            bail!("the folder `{}` has no .xml file", path.display());
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(Limits::default().bytes).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let text = format!("a\nbü<\n\n{}ü!", "x".repeat(3 * BLOCK));
        let document = Document::new("t".to_owned(), text.into_bytes());
        let cases = [(0, 1, 1), (1, 1, 2), (2, 2, 1), (5, 2, 3), (6, 2, 4), (7, 3, 1), (8, 4, 1)];
        for (at, line, column) in cases {
            assert_eq!(document.position(at), Position { line, column }, "byte {at}");
        }
        let last = Position { line: 4, column: 3 * BLOCK + 2 };
        assert_eq!(document.position(document.bytes.len() - 1), last);
        assert_eq!(document.position(usize::MAX), Position { column: last.column + 1, ..last });
        assert_eq!(document.line(2), 2..6);
        assert_eq!(Document::new(String::new(), Vec::new()).position(0), Position { line: 1, column: 1 });
    }
}
