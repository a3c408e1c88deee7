//! A receipt: what was made for a network or a port, written ahead.
//!
//! A file of JSON lines. Each change stands there, synced, before it is made; a line after it says how it went. So a
//! process that was killed still knows what may be ours. A last line that is torn was not acted on. What was made once
//! and changed since is history, and goes at the end of a change when it is most of the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use vnet_plan::{Change, HostState, Resource};

use crate::{Error, Fact, Facts, Header, Subject, trust};

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
    /// Was it begun by another start or change than this one?
    goes_on: bool,
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
        let mut journal = Self { path: path.to_owned(), file, len: 0, goes_on: false, receipt };
        journal.write(&Line::Header(Box::new(header)))?;
        Ok(journal)
    }

    /// Goes on with a receipt.
    pub(crate) fn open(path: &Path, receipt: Receipt<S>) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::file("read", path))?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::file("open", path))?;
        let len = whole_lines(&text).len() as u64;
        file.set_len(len).map_err(Error::file("mend", path))?;
        Ok(Self { path: path.to_owned(), file, len, goes_on: true, receipt: Receipt { settled: false, ..receipt } })
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

    /// Notes that all changes are made, and lets go of what was before them once that is most of the file.
    pub(crate) fn settled(&mut self) -> Result<(), Error> {
        self.receipt.settled = true;
        self.write(&Line::Settled)?;
        if self.goes_on {
            // A receipt that is longer than it needs to be is as good.
            let _ = self.compact();
        }
        Ok(())
    }

    /// Writes the receipt anew, as if all that is owned were made at once: beside the old one, whose place it takes.
    fn compact(&mut self) -> io::Result<()> {
        let Receipt { header, owned, facts, .. } = &self.receipt;
        let mut text = bytes(&Line::Header(Box::new(header.clone())));
        for resource in owned.iter() {
            text.extend(bytes::<S>(&Line::Intent(Box::new(Change::Create { to: resource.clone() }))));
            text.extend(bytes::<S>(&Line::Done(facts.get(&resource.key()))));
        }
        text.extend(bytes::<S>(&Line::Settled));
        if self.len < 2 * text.len() as u64 {
            return Ok(());
        }
        let beside = beside(&self.path);
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            OpenOptions::new().append(true).open(&self.path)
        };
        self.file = write().inspect_err(|_| drop(fs::remove_file(&beside)))?;
        self.len = text.len() as u64;
        Ok(())
    }

    fn write(&mut self, line: &Line<S>) -> Result<(), Error> {
        let text = bytes(line);
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.len += text.len() as u64,
            // On a full disk a line may be torn, which the next would be appended to.
            Err(_) => drop(self.file.set_len(self.len)),
        }
        written.map_err(Error::file("write", &self.path))
    }
}

/// Where a receipt is written anew before it takes the place of the old one.
pub(crate) fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn bytes<S: Subject>(line: &Line<S>) -> Vec<u8> {
    let mut text = serde_json::to_vec(line).expect("lines are plain data");
    text.push(b'\n');
    text
}

/// The text of a receipt. `None` where its network has just been stopped, or was never started.
fn text(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let Some(mut file) = trust::open(path)? else { return Ok(None) };
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(Error::file("read", path))?;
    Ok(Some(text))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use vnet_plan::{Sysctl, SysctlSetting};

    use super::*;

    fn switch(value: u32) -> Resource {
        Resource::Sysctl(SysctlSetting { switch: Sysctl::Ipv4Forward, value })
    }

    #[test]
    fn what_is_no_longer_so_goes_in_time() {
        let folder = std::env::temp_dir().join(format!("vnet-journal-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("receipt");
        let header = Header {
            network: "lab".parse().unwrap(),
            uuid: None,
            bridge: None,
            namespace: crate::Namespace::new(1, 2),
            owner: None,
        };
        let mut journal = Journal::create(&path, header).unwrap();
        let (fact, create) = (Some(Fact::Link(7)), Change::Create { to: switch(0) });
        journal.intent(&create).unwrap();
        journal.done(&create, fact).unwrap();
        let mut longest = 0;
        for value in 1..100 {
            let mut journal = Journal::open(&path, read::<Header>(&path).unwrap().unwrap()).unwrap();
            let change = Change::Update { from: switch(value - 1), to: switch(value) };
            journal.intent(&change).unwrap();
            journal.done(&change, fact).unwrap();
            journal.settled().unwrap();
            assert_eq!(read(&path).unwrap().as_ref(), Some(&journal.receipt));
            longest = longest.max(fs::metadata(&path).unwrap().len());
        }
        let receipt = read::<Header>(&path).unwrap().unwrap();
        assert_eq!(receipt.owned.iter().collect::<Vec<_>>(), [&switch(99)]);
        assert_eq!(receipt.facts.get(&switch(99).key()), fact);
        assert!(longest < 2000, "{longest}");
        assert!(!beside(&path).exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
