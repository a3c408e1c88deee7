//! A receipt: what was made for a network or a port, and which changes are about to be made.
//! `docs/journal.md` says what a reader may conclude.
//!
//! It is a file of JSON lines: a snapshot, whose first line has the header, then at most one
//! unfinished act. The snapshot is only replaced as a whole. Lines are appended to an act.

mod old;
pub(crate) mod settled;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use memchr::memchr;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use vnet_plan::{Change, HostState, LinkAddress, NetworkRules, Resource, SysctlSetting};
use vnet_types::Link;

use crate::headers::Headers;
use crate::hint::{Digest, digest};
use crate::{Error, Fact, Facts, Header, Store, Subject, trust};

/// The version of the format.
const VERSION: u32 = 2;

/// A receipt as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt<S = Header> {
    /// The network or port.
    pub header: S,
    /// What we may have made on the host.
    pub owned: HostState,
    /// Facts that only the changes told.
    pub facts: Facts,
    /// Whether the last start, stop or change was finished.
    pub settled: bool,
    /// The act that was begun and not finished.
    pub(crate) act: Option<Act>,
}

/// Changes of which some may be made and some not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Act {
    /// What was owned before.
    pub(crate) owned: HostState,
    /// Whether the act before was finished.
    pub(crate) was_settled: bool,
    /// The changes in order.
    pub(crate) changes: Vec<Change>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Top<S> {
    /// The version of the format.
    receipt: u32,
    settled: bool,
    /// The number of [`Own`] lines that follow.
    owns: usize,
    header: S,
}

/// The format alone, read from any first line.
#[derive(Deserialize)]
struct Format {
    receipt: Option<u32>,
}

/// A line of the snapshot.
#[derive(Serialize, Deserialize)]
struct Own<R = Resource> {
    own: R,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fact: Option<Fact>,
}

/// A line after the snapshot.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// All changes of an act.
    Begin(Vec<Change>),
    /// The fact that a change told.
    Noted {
        /// The index of the change in the act.
        change: usize,
        fact: Fact,
    },
}

impl<S: Subject> Receipt<S> {
    /// A new receipt that owns nothing.
    pub fn new(header: S) -> Self {
        Self { header, owned: HostState::new(), facts: Facts::default(), settled: false, act: None }
    }

    fn text(&self) -> Vec<u8> {
        let (settled, owns) = (self.settled, self.owned.iter().len());
        let mut text = line(&Top { receipt: VERSION, settled, owns, header: &self.header });
        for resource in self.owned.iter() {
            text.extend(line(&Own { own: resource.clone(), fact: self.facts.get(&resource.key()) }));
        }
        text
    }
}

/// An act that is under way.
pub(crate) struct Journal<S> {
    path: PathBuf,
    new_path: PathBuf,
    file: File,
    /// What is known of all headers.
    headers: Headers<S>,
    /// The length of the snapshot in bytes.
    snapshot: u64,
    /// The length of all complete lines in bytes.
    len: u64,
    /// The snapshot before the act.
    pub(crate) before: Receipt<S>,
    /// The facts that the changes have told so far.
    pub(crate) facts: Facts,
}

impl<S: Subject> Journal<S> {
    /// Replaces the receipt by one with the planned changes. It is on the disk when this returns.
    pub(crate) fn begin(store: &Store, before: Receipt<S>, changes: &[Change]) -> Result<Self, Error> {
        let name = before.header.name();
        let (path, new_path) = (store.receipt_path::<S>(name), store.new_receipt_path());
        let mut text = before.text();
        let snapshot = text.len() as u64;
        text.extend(line(&Line::Begin(changes.to_vec())));
        store.make::<S>(name)?;
        let written = replace(&path, &new_path, &text);
        let file = written.inspect_err(|_| {
            // A folder that was made for it is of no use.
            if !path.exists() {
                let _ = store.remove::<S>(name);
            }
        })?;
        let (facts, headers) = (before.facts.clone(), S::headers(store).clone());
        headers.note(name, Some(&before.header));
        Ok(Self { path, new_path, file, headers, snapshot, len: text.len() as u64, before, facts })
    }

    /// Writes down the fact that a change told. A killed process loses no line. A power failure may
    /// lose the line, but then it has also taken what the line is about.
    pub(crate) fn note(&mut self, change: usize, fact: Fact) -> Result<(), Error> {
        let text = line(&Line::Noted { change, fact });
        match self.file.write_all(&text) {
            Ok(()) => self.len += text.len() as u64,
            Err(error) => {
                // A full disk may leave half a line. The next line must not be appended to that.
                let _ = self.file.set_len(self.len);
                return Err(Error::file("write", &self.path)(error));
            }
        }
        Ok(())
    }

    /// Ends the act and replaces the receipt by this one.
    pub(crate) fn commit(&self, receipt: &Receipt<S>) -> Result<(), Error> {
        replace(&self.path, &self.new_path, &receipt.text())?;
        self.headers.note(receipt.header.name(), Some(&receipt.header));
        Ok(())
    }

    /// Ends an act that was undone: the receipt is as it was before.
    pub(crate) fn abort(&self) -> Result<(), Error> {
        let cut = self.file.set_len(self.snapshot).and_then(|()| self.file.sync_data());
        self.headers.note(self.before.header.name(), Some(&self.before.header));
        cut.map_err(Error::file("write", &self.path))
    }
}

/// Writes a receipt without an act.
pub(crate) fn write<S: Subject>(store: &Store, receipt: &Receipt<S>) -> Result<(), Error> {
    let path = store.receipt_path::<S>(receipt.header.name());
    store.make::<S>(receipt.header.name())?;
    replace(&path, &store.new_receipt_path(), &receipt.text())?;
    S::headers(store).note(receipt.header.name(), Some(&receipt.header));
    Ok(())
}

/// Replaces a file as a whole: readers see either the old text or the new one.
fn replace(path: &Path, new_path: &Path, text: &[u8]) -> Result<File, Error> {
    let write = || -> io::Result<File> {
        match fs::remove_file(new_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(new_path)?;
        file.write_all(text)?;
        file.sync_data()?;
        fs::rename(new_path, path)?;
        Ok(file)
    };
    write().map_err(|error| {
        // A half-written file is of no use.
        let _ = fs::remove_file(new_path);
        Error::file("write", path)(error)
    })
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("lines are plain data");
    text.push(b'\n');
    text
}

/// Reads only the header of a receipt. `None` when there is no receipt.
pub(crate) fn header<S: Subject>(path: &Path) -> Result<Option<S>, Error> {
    let Some(file) = trust::open(path)? else { return Ok(None) };
    let (mut file, mut first) = (BufReader::new(file), Vec::new());
    file.read_until(b'\n', &mut first).map_err(Error::file("read", path))?;
    if format(path, &first)? == VERSION {
        return parse(path, 0, &first).map(|top: Top<S>| Some(top.header));
    }
    file.read_to_end(&mut first).map_err(Error::file("read", path))?;
    Ok(old::read(path, &first)?.map(|receipt| receipt.header))
}

/// Reads a receipt. `None` when there is no receipt.
pub(crate) fn read<S: Subject>(path: &Path) -> Result<Option<Receipt<S>>, Error> {
    read_but(path, |_, _| false)
}

/// The same without those rules that are known, for who only looks: `is_known` gets the header and
/// the digest of the line with the rules.
pub(crate) fn read_but<S: Subject>(
    path: &Path,
    is_known: impl Fn(&S, Digest) -> bool,
) -> Result<Option<Receipt<S>>, Error> {
    let Some(text) = trust::read(path)? else { return Ok(None) };
    let first = lines(&text).next().unwrap_or_default();
    if format(path, first)? != VERSION {
        return old::read(path, &text);
    }
    let whole = whole_lines(&text);
    let mut lines = lines(whole).enumerate().skip(1);
    let top: Top<S> = parse(path, 0, first)?;
    let mut receipt = Receipt { settled: top.settled, ..Receipt::new(top.header) };
    for _ in 0..top.owns {
        let (number, text) = lines.next().ok_or_else(|| Error::CutShort { path: path.to_owned() })?;
        if is_rules(text) && is_known(&receipt.header, digest(text)) {
            continue;
        }
        let Own { own, fact } = own(path, number, text)?;
        receipt.facts.set(own.key(), fact);
        receipt.owned.insert(own);
    }
    for (number, text) in lines {
        match (parse(path, number, text)?, &receipt.act) {
            (Line::Begin(changes), _) => receipt.begin(changes),
            (Line::Noted { change, fact }, act) => {
                if let Some(change) = act.as_ref().and_then(|act| act.changes.get(change)) {
                    receipt.facts.set(change.key(), Some(fact));
                }
            }
        }
    }
    Ok(Some(receipt))
}

/// Reads a line of the snapshot. To find the kind of its resource on the way is slow, so the kinds
/// that most networks have are told by the beginning.
fn own(path: &Path, number: usize, line: &[u8]) -> Result<Own, Error> {
    fn of<R: DeserializeOwned + Into<Resource>>(path: &Path, number: usize, line: &[u8]) -> Result<Own, Error> {
        parse(path, number, line).map(|Own::<R> { own, fact }| Own { own: own.into(), fact })
    }
    match kind(line) {
        b"ruleset" => of::<NetworkRules>(path, number, line),
        b"link" => of::<Link>(path, number, line),
        b"address" => of::<LinkAddress>(path, number, line),
        b"sysctl" => of::<SysctlSetting>(path, number, line),
        b"file" => of::<vnet_plan::File>(path, number, line),
        _ => parse(path, number, line),
    }
}

/// Whether a line of the snapshot has rules.
fn is_rules(line: &[u8]) -> bool {
    kind(line) == b"ruleset"
}

/// The kind of the resource in a line of the snapshot.
fn kind(line: &[u8]) -> &[u8] {
    let rest = line.strip_prefix(br#"{"own":{"resource":""#).unwrap_or_default();
    &rest[..memchr(b'"', rest).unwrap_or_default()]
}

impl<S> Receipt<S> {
    /// Adds an unfinished act: what it creates and what it deletes may both be there.
    fn begin(&mut self, changes: Vec<Change>) {
        let (owned, was_settled) = (self.owned.clone(), std::mem::take(&mut self.settled));
        for change in &changes {
            match change {
                // The earlier resource of that name is gone, so its fact is dropped.
                Change::Create { to } => self.facts.set(to.key(), None),
                Change::Rename { from, to } => self.facts.copy_link(from, to),
                Change::Update { .. } | Change::Delete { .. } => {}
            }
            if !matches!(change, Change::Delete { .. }) {
                change.apply_to(&mut self.owned);
            }
        }
        self.act = Some(Act { owned, was_settled, changes });
    }
}

/// The format of a receipt; 1 when the first line does not name one.
fn format(path: &Path, first: &[u8]) -> Result<u32, Error> {
    if !first.ends_with(b"\n") {
        // A receipt of the old format starts as an empty file. Nothing was made before its first
        // line was complete.
        let is_old = first.len() > old::HEADER.len() && first.starts_with(old::HEADER);
        return if is_old { Ok(1) } else { Err(Error::CutShort { path: path.to_owned() }) };
    }
    match parse::<Format>(path, 0, first)?.receipt.unwrap_or(1) {
        version @ 1..=VERSION => Ok(version),
        version => Err(Error::NewerReceipt { path: path.to_owned(), version }),
    }
}

fn parse<T: DeserializeOwned>(path: &Path, number: usize, line: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(line).map_err(|source| Error::Receipt { path: path.to_owned(), line: number + 1, source })
}

/// The lines of a text, each with its end. A line with rules is long, and there are hundreds.
fn lines(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = memchr(b'\n', text).map_or(text.len(), |end| end + 1);
        let (line, rest) = text.split_at(length);
        text = rest;
        (!line.is_empty()).then_some(line)
    })
}

/// Drops a torn last line.
fn whole_lines(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)]
}
