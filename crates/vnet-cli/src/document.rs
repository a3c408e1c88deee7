//! Documents: files and stdin. Reading stops at the reader's limit.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Context;
use vnet_xml::{Limits, Span};

use crate::failure;

/// The bytes of a document and its name.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The path as given, or `<stdin>`.
    pub(crate) name: String,
    /// At most one byte more than the reader accepts, so that the reader refuses what is too long.
    pub(crate) bytes: Vec<u8>,
    blocks: OnceCell<Vec<Block>>,
}

/// A line and a column, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Document {
    /// A document in memory.
    pub(crate) fn new(name: String, bytes: Vec<u8>) -> Self {
        Self { name, bytes, blocks: OnceCell::new() }
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
            return Err(failure::advised(format!("`{name}` is a folder"), "give a file in it"));
        }
        let bytes = bounded(file).with_context(cannot)?;
        Ok(Self::new(name, bytes))
    }

    /// The line and column of a byte.
    pub(crate) fn position(&self, at: usize) -> Position {
        let at = at.min(self.bytes.len());
        let line = self.newlines_before(at) + 1;
        Position { line, column: self.characters_before(at) - self.characters_before(self.line(line).start) + 1 }
    }

    /// A line, from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> Span {
        let before = line.checked_sub(2).and_then(|newline| self.newline(newline));
        let start = before.map_or(0, |newline| newline + 1);
        start..self.newline(line - 1).unwrap_or(self.bytes.len())
    }

    /// The byte offset of a newline; newlines are counted from 0.
    fn newline(&self, number: usize) -> Option<usize> {
        let index = self.blocks().partition_point(|block| block.newlines <= number).checked_sub(1)?;
        let left = number - self.blocks()[index].newlines;
        let newlines = self.bytes[index * BLOCK..].iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        newlines.map(|(at, _)| index * BLOCK + at).nth(left)
    }

    fn newlines_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        self.blocks()[block].newlines + newlines(&self.bytes[block * BLOCK..at])
    }

    fn characters_before(&self, at: usize) -> usize {
        let block = at / BLOCK;
        self.blocks()[block].characters + characters(&self.bytes[block * BLOCK..at])
    }

    fn blocks(&self) -> &[Block] {
        self.blocks.get_or_init(|| {
            // The end of the document needs a block too, even an empty one.
            let starts = (0..=self.bytes.len()).step_by(BLOCK);
            let blocks = starts.scan(Block::default(), |before, start| {
                let here = *before;
                let bytes = &self.bytes[start..self.bytes.len().min(start + BLOCK)];
                before.newlines += newlines(bytes);
                before.characters += characters(bytes);
                Some(here)
            });
            blocks.collect()
        })
    }
}

/// The lines and columns before a block of the document. They make positions cheap to find with ten
/// million lines, or with one line of ten million bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    newlines: usize,
    characters: usize,
}

const BLOCK: usize = 4096;

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Counts characters by their first bytes, so that text that is not UTF-8 has columns too.
fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
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
        assert_eq!([document.line(1), document.line(2), document.line(3)], [0..1, 2..6, 7..7]);
        assert_eq!(document.line(4), 8..document.bytes.len());
        assert_eq!(Document::new(String::new(), Vec::new()).position(0), Position { line: 1, column: 1 });
        let lines = Document::new("t".to_owned(), vec![b'\n'; 2 * BLOCK]);
        assert_eq!(lines.position(2 * BLOCK), Position { line: 2 * BLOCK + 1, column: 1 });
        assert_eq!(lines.line(BLOCK + 1), BLOCK..BLOCK);
    }
}
