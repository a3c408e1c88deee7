//! The headers of all receipts of one kind, kept in one file so that receipts need not be opened or
//! looked at.
//!
//! Whoever has the lock adds what it has changed to the file when it gives the lock back, with the
//! times of the folders then. Every new receipt passes through the state folder, so these times
//! change with each. The file counts while they are the same and nobody has the lock or was killed
//! with it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::libc::O_NOFOLLOW;
use serde::{Deserialize, Serialize};

use crate::hint::{decode, digest, encode};
use crate::store::RECEIPT;
use crate::understood::Version;
use crate::{Error, Receipt, Store, Subject, Understood, journal, lock, trust};

/// So many receipts are looked at without such a file.
const FEW: usize = 16;
/// The file is written anew when it has one piece for so many headers.
const PER_PIECE: usize = 8;

/// Headers by the name of their folder.
type Index<S> = BTreeMap<String, S>;

/// Headers in order, by the names of their folders. `None` for those that are gone.
type Piece<S> = Vec<(String, Option<S>)>;

/// What a store knows of the headers of one kind. Clones share it.
#[derive(Clone, Debug)]
pub struct Headers<S> {
    /// Those that were read one by one.
    pub(crate) one: Understood<S>,
    all: Arc<Mutex<All<S>>>,
}

#[derive(Debug)]
struct All<S> {
    known: Option<Known<S>>,
    /// While this store has the lock.
    held: Option<Held<S>>,
}

/// All headers.
#[derive(Debug)]
struct Known<S> {
    headers: Index<S>,
    folders: Folders,
    file: Option<Version>,
    /// The number of pieces in the file. 0 when receipts were read.
    pieces: usize,
}

/// What happens while the lock is held.
#[derive(Debug)]
struct Held<S> {
    /// The folders when the lock was taken. `None` when its last holder was killed.
    from: Option<Folders>,
    /// The headers that have changed. `None` for those that are gone.
    changes: BTreeMap<String, Option<S>>,
    /// All headers as they are now, once somebody has asked.
    now: Option<Known<S>>,
    /// Receipts that were read and have no open act. Nobody else changes them.
    receipts: BTreeMap<String, Receipt<S>>,
}

/// The times of the folder that new receipts pass through, and of the folder of folders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Folders(Version, Option<Version>);

impl Folders {
    fn of<S: Subject>(root: &Path) -> Option<Self> {
        let outer = if S::FOLDER.is_empty() { None } else { Version::of(&root.join(S::FOLDER)) };
        Some(Self(Version::of(root)?, outer))
    }
}

impl<S: Subject> Headers<S> {
    /// The headers of all receipts, as far as they can be read.
    pub(crate) fn all(&self, store: &Store) -> Result<Vec<S>, Error> {
        let (root, path) = (store.root(), store.root().join(S::HEADERS));
        let All { known, held } = &mut *self.state();
        let Some(held) = held else {
            let folders = Folders::of::<S>(root).filter(|_| lock::is_free(root));
            *known = folders.and_then(|folders| Known::of(&path, folders, known.take()));
            return match known {
                Some(known) => Ok(known.headers.values().cloned().collect()),
                None => Ok(self.look(store)?.0.into_values().collect()),
            };
        };
        if held.now.is_none() {
            let before = held.from.clone().and_then(|folders| Known::of(&path, folders, known.take()));
            held.go_on_from(before);
        }
        if held.now.is_none()
            && let Some(folders) = Folders::of::<S>(root)
        {
            let (headers, is_complete) = self.look(store)?;
            if !is_complete {
                return Ok(headers.into_values().collect());
            }
            held.now = Some(Known { headers, folders, file: None, pieces: 0 });
        }
        Ok(held.now.iter().flat_map(|now| now.headers.values()).cloned().collect())
    }

    /// Looks at each receipt. Also returns whether all could be read.
    fn look(&self, store: &Store) -> Result<(Index<S>, bool), Error> {
        let (mut headers, mut is_complete) = (Index::new(), true);
        for (folder, _, path) in store.folders::<S>()? {
            let path = path.join(RECEIPT);
            let about = trust::look(&path);
            match about.and_then(|about| self.one.of(&path, about.as_ref(), || journal::header(&path))) {
                Ok(header) => drop(header.map(|header| headers.insert(folder, header))),
                Err(_) => is_complete = false,
            }
        }
        Ok((headers, is_complete))
    }

    /// The header of a receipt while the lock is held and all headers are known.
    pub(crate) fn known(&self, name: &S::Name) -> Option<Option<S>> {
        let state = self.state();
        let now = state.held.as_ref()?.now.as_ref()?;
        Some(now.headers.get(&S::folder(name)).cloned())
    }

    /// A receipt, as it is remembered while the lock is held, or by `read`.
    pub(crate) fn receipt(
        &self,
        name: &S::Name,
        read: impl FnOnce() -> Result<Option<Receipt<S>>, Error>,
    ) -> Result<Option<Receipt<S>>, Error> {
        let folder = S::folder(name);
        let mut state = self.state();
        let Some(held) = &mut state.held else {
            drop(state);
            return read();
        };
        if let Some(known) = held.receipts.get(&folder) {
            return Ok(Some(known.clone()));
        }
        let receipt = read()?;
        receipt.iter().cloned().for_each(|receipt| held.remember(receipt));
        Ok(receipt)
    }

    /// Remembers a receipt that was just read, if the lock is held.
    pub(crate) fn remember(&self, receipt: Receipt<S>) {
        if let Some(held) = &mut self.state().held {
            held.remember(receipt);
        }
    }

    /// Notes that a receipt was replaced by one with this header, or removed.
    pub(crate) fn note(&self, name: &S::Name, header: Option<&S>) {
        let All { known, held } = &mut *self.state();
        let Some(held) = held else {
            *known = None;
            return;
        };
        held.now.iter_mut().for_each(|now| now.change(S::folder(name), header.cloned()));
        held.receipts.remove(&S::folder(name));
        held.changes.insert(S::folder(name), header.cloned());
    }

    /// Whether a receipt is known while the lock is held.
    pub(crate) fn knows_one(&self) -> bool {
        let state = self.state();
        let now = state.held.as_ref().and_then(|held| held.now.as_ref());
        now.is_some_and(|now| !now.headers.is_empty())
    }

    /// How many receipts were written and how many were removed since the lock was taken.
    pub(crate) fn changed(&self) -> (usize, usize) {
        let state = self.state();
        let changes = state.held.iter().flat_map(|held| held.changes.values());
        let written = changes.clone().flatten().count();
        (written, changes.count() - written)
    }

    /// Begins to note changes: the lock was taken.
    pub(crate) fn begin(&self, root: &Path, was_killed: bool) {
        let from = if was_killed { None } else { Folders::of::<S>(root) };
        self.state().held = Some(Held { from, changes: BTreeMap::new(), now: None, receipts: BTreeMap::new() });
    }

    /// Writes the changes down: the lock is about to be given back. A failure costs a look at each
    /// receipt.
    pub(crate) fn end(&self, root: &Path) {
        let All { known, held } = &mut *self.state();
        let Some(mut held) = held.take() else { return };
        let path = root.join(S::HEADERS);
        if held.now.is_none() {
            let is_same =
                |known: &Known<S>| held.from.as_ref() == Some(&known.folders) && known.file == Version::of(&path);
            let before = known.take().filter(is_same);
            held.go_on_from(before);
        }
        let is_few = held.now.as_ref().is_some_and(|now| now.headers.len() <= FEW);
        if held.from.is_none() && (held.now.is_none() || is_few) {
            let _ = fs::remove_file(path);
        } else if held.changes.is_empty() && held.from == Folders::of::<S>(root) && !held.is_news() {
            *known = held.now;
        } else if !is_few {
            *known = held.write(root, &path).ok().flatten();
        }
    }

    /// Forgets everything: the lock is about to be given back, and the folder has nothing else.
    pub(crate) fn forget(&self) {
        *self.state() = All { known: None, held: None };
    }

    fn state(&self) -> MutexGuard<'_, All<S>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// It is empty whatever its headers are of.
impl<S> Default for Headers<S> {
    fn default() -> Self {
        Self { one: Understood::default(), all: Arc::new(Mutex::new(All { known: None, held: None })) }
    }
}

impl<S: Subject> Known<S> {
    /// What a file says about these folders: as it is remembered, or as it is read. `None` when it
    /// is about others, torn or wrong.
    fn of(path: &Path, folders: Folders, before: Option<Self>) -> Option<Self> {
        let file = Version::of(path)?;
        let is_same = |known: &Self| known.folders == folders && known.file.as_ref() == Some(&file);
        if let Some(known) = before.filter(is_same) {
            return Some(known);
        }
        let text = trust::read(path).ok()??;
        let mut known = Self { headers: Index::new(), folders, file: Some(file), pieces: 0 };
        let (mut rest, mut now) = (&text[..], None);
        while let Some((length, after)) = rest.split_first_chunk() {
            let (sum, after) = after.split_first_chunk()?;
            let (piece, after) = after.split_at_checked(u32::from_le_bytes(*length).try_into().ok()?)?;
            if digest(piece) != *sum {
                return None;
            }
            let (from, to, headers): (Option<Folders>, Folders, Piece<S>) = decode(piece)?;
            // The first piece has all headers, and each other one what has changed since.
            if from != now {
                return None;
            }
            if now.is_none() {
                // They are in order, and need not find their places one by one.
                known.headers = headers.into_iter().filter_map(|(folder, header)| Some((folder, header?))).collect();
            } else {
                headers.into_iter().for_each(|(folder, header)| known.change(folder, header));
            }
            (rest, now) = (after, Some(to));
            known.pieces += 1;
        }
        (rest.is_empty() && now.as_ref() == Some(&known.folders)).then_some(known)
    }

    fn change(&mut self, folder: String, header: Option<S>) {
        match header {
            Some(header) => drop(self.headers.insert(folder, header)),
            None => drop(self.headers.remove(&folder)),
        }
    }
}

impl<S: Subject> Held<S> {
    /// Knows all headers from those when the lock was taken.
    fn go_on_from(&mut self, before: Option<Known<S>>) {
        self.now = before;
        for (folder, header) in &self.changes {
            self.now.iter_mut().for_each(|now| now.change(folder.clone(), header.clone()));
        }
    }

    fn remember(&mut self, receipt: Receipt<S>) {
        if receipt.act.is_none() {
            self.receipts.insert(S::folder(receipt.header.name()), receipt);
        }
    }

    /// Whether all headers are known and the file does not have them.
    fn is_news(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.pieces == 0)
    }

    /// Adds the changes to the file, or writes all headers.
    fn write(self, root: &Path, path: &Path) -> io::Result<Option<Known<S>>> {
        let is_whole = self.now.as_ref().is_some_and(|now| !(1..=now.headers.len() / PER_PIECE).contains(&now.pieces));
        let mut options = OpenOptions::new();
        options.write(true).create(is_whole).append(!is_whole).mode(0o600).custom_flags(O_NOFOLLOW);
        let mut file = options.open(path)?;
        // The file is there now, so that writing to it does not change the folder.
        let folders = Folders::of::<S>(root).ok_or(io::ErrorKind::NotFound)?;
        let from = self.from.as_ref().filter(|_| !is_whole);
        let all = self.now.iter().filter(|_| is_whole).flat_map(|now| &now.headers);
        let changes = self.changes.iter().filter(|_| !is_whole);
        let headers = all.map(|(folder, header)| (folder, Some(header)));
        let headers = headers.chain(changes.map(|(folder, header)| (folder, header.as_ref())));
        let piece = encode(&(from, &folders, headers.collect::<Vec<_>>())).ok_or(io::ErrorKind::InvalidData)?;
        let length = u32::try_from(piece.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if is_whole {
            file.set_len(0)?;
        }
        file.write_all(&[&length.to_le_bytes(), &digest(&piece)[..], &piece].concat())?;
        let about = Version::from(&file.metadata()?);
        let pieces = |now: &Known<S>| if is_whole { 1 } else { now.pieces + 1 };
        Ok(self.now.map(|now| Known { pieces: pieces(&now), folders, file: Some(about), ..now }))
    }
}

#[cfg(test)]
mod tests;
