//! A receipt: what was made for a network or a port, written ahead.
//!
//! A file of JSON lines. Each change stands there, synced, before it is made; a line after it says how it went. So a
//! process that was killed still knows what may be ours. A last line that is torn was not acted on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vnet_plan::{Change, HostState, Resource};

use crate::{Error, Fact, Facts, Header, Subject};

/// A receipt, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt<S = Header> {
    /// What it is about.
    pub header: S,
    /// What may be there because of us.
    pub owned: HostState,
    /// What only the acts told.
    pub facts: Facts,
    /// Did the last start or change come to its end?
    pub settled: bool,
}

/// How a [`Line::Header`] begins.
const HEADER: &[u8] = br#"{"header":"#;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line<S> {
    Header(Box<S>),
    /// A change that is about to be made.
    Intent(Box<Change>),
    /// It is made.
    Done(Option<Fact>),
    /// It was refused: nothing is made.
    Refused,
    /// All changes are made.
    Settled,
}

/// A receipt that is being written.
pub(crate) struct Journal<S> {
    path: PathBuf,
    file: File,
    /// The bytes of the lines that stand whole.
    len: u64,
    pub(crate) receipt: Receipt<S>,
}

impl<S: Subject> Journal<S> {
    /// Begins a receipt, in place of one that was never begun in full.
    pub(crate) fn create(path: &Path, header: S) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = file.map_err(Error::file("create", path))?;
        file.set_len(0).map_err(Error::file("create", path))?;
        let receipt =
            Receipt { header: header.clone(), owned: HostState::new(), facts: Facts::default(), settled: false };
        let mut journal = Self { path: path.to_owned(), file, len: 0, receipt };
        journal.write(&Line::Header(Box::new(header)))?;
        Ok(journal)
    }

    /// Goes on with a receipt.
    pub(crate) fn open(path: &Path, receipt: Receipt<S>) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::file("read", path))?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::file("open", path))?;
        let len = whole_lines(&text).len() as u64;
        file.set_len(len).map_err(Error::file("mend", path))?;
        Ok(Self { path: path.to_owned(), file, len, receipt: Receipt { settled: false, ..receipt } })
    }

    /// Notes that the network is about to be another one: with another bridge, say.
    pub(crate) fn rehead(&mut self, header: S) -> Result<(), Error> {
        if self.receipt.header == header {
            return Ok(());
        }
        self.receipt.header = header.clone();
        self.write(&Line::Header(Box::new(header)))
    }

    pub(crate) fn intent(&mut self, change: &Change) -> Result<(), Error> {
        self.write(&Line::Intent(Box::new(change.clone())))
    }

    /// Notes that the change of the last intent is made.
    pub(crate) fn done(&mut self, change: &Change, fact: Option<Fact>) -> Result<(), Error> {
        change.apply_to(&mut self.receipt.owned);
        if fact.is_some() || matches!(change, Change::Delete { .. }) {
            self.receipt.facts.set(change.key(), fact);
        }
        self.write(&Line::Done(fact))
    }

    /// Notes that the change of the last intent is not made.
    pub(crate) fn refused(&mut self) -> Result<(), Error> {
        self.write(&Line::Refused)
    }

    /// Notes what the network relies on although it was as wanted before, so that it is missed when it changes.
    pub(crate) fn rely_on(&mut self, resource: &Resource) -> Result<(), Error> {
        let change = Change::Update { from: resource.clone(), to: resource.clone() };
        self.intent(&change)?;
        self.done(&change, None)
    }

    /// Notes that the network does not rely on it, or no longer.
    pub(crate) fn forget(&mut self, resource: &Resource) -> Result<(), Error> {
        let change = Change::Delete { from: resource.clone() };
        self.intent(&change)?;
        self.done(&change, None)
    }

    /// Notes that all changes are made.
    pub(crate) fn settled(&mut self) -> Result<(), Error> {
        self.receipt.settled = true;
        self.write(&Line::Settled)
    }

    fn write(&mut self, line: &Line<S>) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line).expect("lines are plain data");
        text.push(b'\n');
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.len += text.len() as u64,
            // On a full disk a line may be torn, which the next would be appended to.
            Err(_) => drop(self.file.set_len(self.len)),
        }
        written.map_err(Error::file("write", &self.path))
    }
}

/// The text of a receipt. `None` where its network has just been stopped, or was never started.
fn text(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        text => text.map(Some).map_err(Error::file("read", path)),
    }
}

fn parse<S: Subject>(path: &Path, number: usize, line: &[u8]) -> Result<Line<S>, Error> {
    serde_json::from_slice(line).map_err(|source| Error::Receipt { path: path.to_owned(), line: number + 1, source })
}

/// Without a last line that is torn.
fn whole_lines(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)]
}

/// Reads what a receipt is about, and no more. `None` as [`read`] has it.
pub(crate) fn header<S: Subject>(path: &Path) -> Result<Option<S>, Error> {
    let Some(text) = text(path)? else { return Ok(None) };
    let lines = whole_lines(&text).split_inclusive(|byte| *byte == b'\n').enumerate();
    let Some((number, line)) = lines.filter(|(_, line)| line.starts_with(HEADER)).last() else { return Ok(None) };
    match parse(path, number, line)? {
        Line::Header(header) => Ok(Some(*header)),
        _ => Ok(None),
    }
}

/// Reads a receipt. `None` where there is none, or where it does not say yet what it is about: then nothing was made.
pub(crate) fn read<S: Subject>(path: &Path) -> Result<Option<Receipt<S>>, Error> {
    let Some(text) = text(path)? else { return Ok(None) };
    let mut receipt: Option<Receipt<S>> = None;
    let mut pending: Option<Change> = None;
    for (number, line) in whole_lines(&text).split_inclusive(|byte| *byte == b'\n').enumerate() {
        match (parse(path, number, line)?, &mut receipt) {
            (Line::Header(header), None) => {
                let header = *header;
                let (owned, facts) = (HostState::new(), Facts::default());
                receipt = Some(Receipt { header, owned, facts, settled: false });
            }
            (Line::Header(header), Some(receipt)) => receipt.header = *header,
            (_, None) => {}
            (Line::Intent(change), Some(receipt)) => {
                receipt.settled = false;
                pending = Some(*change);
            }
            (Line::Done(fact), Some(receipt)) => {
                if let Some(change) = pending.take() {
                    change.apply_to(&mut receipt.owned);
                    if fact.is_some() || matches!(change, Change::Delete { .. }) {
                        receipt.facts.set(change.key(), fact);
                    }
                }
            }
            (Line::Refused, Some(_)) => pending = None,
            (Line::Settled, Some(receipt)) => receipt.settled = true,
        }
    }
    // Killed in the middle of a change: it may be made. What was to go may be there still, and stays ours.
    if let (Some(receipt), Some(change @ (Change::Create { .. } | Change::Update { .. }))) = (&mut receipt, pending) {
        change.apply_to(&mut receipt.owned);
    }
    Ok(receipt)
}
