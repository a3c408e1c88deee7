//! The folder of kept definitions: one file for each network, and links to those that start at
//! boot.
//!
//! A network is kept exactly when its file is there, and starts at boot when there is a link to
//! that file as well. So one rename keeps a definition, and one removal drops it: a process that is
//! killed leaves at most a file or a link that means nothing, and the next change removes it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use vnet_types::NetworkName;

use crate::linux::file::write_new;
use crate::{Error, Header, Lock, Subject, Understood, trust};

/// The end of a definition's file name.
const XML: &str = ".xml";
/// The end of the name of a file or link that becomes another one. It begins with a dot.
const NEW: &str = ".new";

/// The folder of kept definitions. Their text is not understood here.
#[derive(Clone, Debug)]
pub struct Definitions {
    folder: PathBuf,
}

impl Definitions {
    /// The definitions in a folder, which is created when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a network's definition.
    pub fn file(&self, network: &NetworkName) -> PathBuf {
        self.folder.join(file_name(network))
    }

    /// The link that says that a network starts at boot.
    pub fn link(&self, network: &NetworkName) -> PathBuf {
        self.links().join(file_name(network))
    }

    /// Whether a definition of the network is kept.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn has(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.look(network)?.is_some())
    }

    fn look(&self, network: &NetworkName) -> Result<Option<Metadata>, Error> {
        let path = self.file(network);
        match fs::symlink_metadata(&path) {
            Ok(about) => Ok(Some(about)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(Error::file("look at", &path)(error)),
        }
    }

    /// What a kept definition says: as it is remembered of the same file, or by `read`. `None` when
    /// none is kept.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn understood<T: Clone>(
        &self,
        network: &NetworkName,
        memory: &Understood<T>,
        read: impl FnOnce() -> T,
    ) -> Result<Option<T>, Error> {
        memory.of(&self.file(network), self.look(network)?.as_ref(), || Ok(Some(read())))
    }

    /// The text of a kept definition. `None` when none is kept.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others could have written it; [`Error::File`] when it cannot be
    /// read.
    pub fn read(&self, network: &NetworkName) -> Result<Option<Vec<u8>>, Error> {
        let path = self.file(network);
        let Some(text) = trust::read(&path)? else { return Ok(None) };
        trust::folder(&self.folder)?;
        Ok(Some(text))
    }

    /// The networks whose definitions are kept, ordered by the names of their files.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn names(&self) -> Result<Vec<NetworkName>, Error> {
        let mut names: Vec<_> = entries(&self.folder)?.iter().filter_map(|path| network(path)).collect();
        names.sort_by_key(file_name);
        Ok(names)
    }

    /// The files in the folder that end in `.xml` and are not named as vnet names them: nothing
    /// reads them.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn strays(&self) -> Result<Vec<PathBuf>, Error> {
        let is_stray = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            name.ends_with(XML.as_bytes()) && !name.starts_with(b".") && network(path).is_none()
        };
        let mut strays: Vec<_> = entries(&self.folder)?.into_iter().filter(is_stray).collect();
        strays.sort();
        Ok(strays)
    }

    /// Whether a network starts at boot: its definition is kept, and there is a link to it.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn starts_at_boot(&self, network: &NetworkName) -> Result<bool, Error> {
        Ok(self.is_linked(network) && self.has(network)?)
    }

    /// The networks for which there is a link that says that they start at boot. It means nothing
    /// where no definition is kept.
    ///
    /// # Errors
    /// [`Error::File`] when the folder cannot be read.
    pub fn linked(&self) -> Result<BTreeSet<NetworkName>, Error> {
        let links = entries(&self.links())?;
        Ok(links.iter().filter_map(|link| network(link)).filter(|network| self.is_linked(network)).collect())
    }

    /// Keeps a definition in place of the one before, completely or not at all. What is returned
    /// can undo it.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others can write to the folder; [`Error::File`] when the
    /// definition cannot be written so that it outlasts a power cut. Then the one before is kept.
    pub fn write(&self, _: &Lock, network: &NetworkName, text: &str) -> Result<Replaced, Error> {
        make_all(&self.folder)?;
        trust::folder(&self.folder)?;
        self.sweep();
        let (path, before) = (self.file(network), self.before(network));
        let had_one = put_aside(&path, &before)?;
        let replaced = Replaced { before: had_one.then_some(before), path };
        self.replace(network, text)?;
        match sync(&self.folder) {
            Ok(()) => Ok(replaced),
            Err(error) => {
                // The first error is the one to report.
                let _ = replaced.undo();
                Err(error)
            }
        }
    }

    fn replace(&self, network: &NetworkName, text: &str) -> Result<(), Error> {
        let (path, new) = (self.file(network), self.folder.join(new_name(network)));
        let written = write_new(&new, text.as_bytes(), 0o600).and_then(|file| file.sync_all());
        let written = written.and_then(|()| fs::rename(&new, &path));
        // A half-written file is of no use. The first error is the one to report.
        written.inspect_err(|_| drop(fs::remove_file(&new))).map_err(Error::file("write", &path))
    }

    /// Drops a definition and its link. Returns whether one was kept.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be removed.
    pub fn remove(&self, _: &Lock, network: &NetworkName) -> Result<bool, Error> {
        let path = self.file(network);
        let was_kept = match fs::remove_file(&path) {
            Ok(()) => true,
            Err(error) if is_missing(&error) => false,
            Err(error) => return Err(Error::file("remove", &path)(error)),
        };
        let _ = fs::remove_file(self.before(network));
        if was_kept {
            sync(&self.folder)?;
        }
        self.sweep();
        Ok(was_kept)
    }

    /// Makes or removes the link of a network whose definition is kept.
    ///
    /// # Errors
    /// [`Error::Untrusted`] when others can write to the folder; [`Error::File`] when it cannot be
    /// written.
    pub fn set_start_at_boot(&self, _: &Lock, network: &NetworkName, on: bool) -> Result<(), Error> {
        let links = self.links();
        self.sweep();
        if self.is_linked(network) == on {
            return Ok(());
        }
        if on {
            make_all(&links)?;
            trust::folder(&links)?;
        }
        self.switch(network, on)?;
        sync(&links).inspect_err(|_| drop(self.switch(network, !on)))
    }

    /// Makes or removes the link.
    fn switch(&self, network: &NetworkName, on: bool) -> Result<(), Error> {
        let (link, new) = (self.link(network), self.links().join(new_name(network)));
        if !on {
            return fs::remove_file(&link).map_err(Error::file("remove", &link));
        }
        let made = symlink(Path::new("..").join(file_name(network)), &new).and_then(|()| fs::rename(&new, &link));
        made.inspect_err(|_| drop(fs::remove_file(&new))).map_err(Error::file("write", &link))
    }

    /// Whether there is a link. A link to another file does not count.
    fn is_linked(&self, network: &NetworkName) -> bool {
        let target = fs::read_link(self.link(network));
        target.is_ok_and(|target| target.file_name() == Some(OsStr::new(&file_name(network))))
    }

    /// Removes what a process that was killed has left: files and links that did not replace
    /// another one, and links to definitions that are not kept. What cannot be removed means
    /// nothing.
    fn sweep(&self) {
        let is_new = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            name.starts_with(b".") && name.ends_with(NEW.as_bytes())
        };
        let is_dead = |link: &PathBuf| network(link).is_some_and(|network| matches!(self.has(&network), Ok(false)));
        let (files, links) = (entries(&self.folder), entries(&self.links()));
        let files = files.unwrap_or_default().into_iter().filter(is_new);
        let links = links.unwrap_or_default().into_iter().filter(|link| is_new(link) || is_dead(link));
        files.for_each(|path| drop(fs::remove_file(path)));
        // A definition that is kept later must not find the link again after a power cut.
        if links.map(fs::remove_file).filter(Result::is_ok).count() > 0 {
            let _ = sync(&self.links());
        }
    }

    /// The name that the definition before has until the next one is kept for certain.
    fn before(&self, network: &NetworkName) -> PathBuf {
        self.folder.join(format!(".{}.before", file_name(network)))
    }

    fn links(&self) -> PathBuf {
        self.folder.join("autostart")
    }
}

/// A definition that took the place of another one, or of none. The one before is at hand as long
/// as this value: a full disk may have no room to write it again.
#[derive(Debug)]
pub struct Replaced {
    path: PathBuf,
    before: Option<PathBuf>,
}

impl Replaced {
    /// Puts the one before back.
    ///
    /// # Errors
    /// [`Error::File`] when that fails: the new one is kept then.
    pub fn undo(mut self) -> Result<(), Error> {
        let undone = match self.before.take() {
            Some(before) => fs::rename(before, &self.path),
            None => fs::remove_file(&self.path),
        };
        undone.map_err(Error::file("put back", &self.path))?;
        // It is there now, even if that does not outlast a power cut.
        let _ = self.path.parent().map(sync);
        Ok(())
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let _ = self.before.take().map(fs::remove_file);
    }
}

/// Gives a file a second name. Returns whether there is one.
fn put_aside(path: &Path, before: &Path) -> Result<bool, Error> {
    let _ = fs::remove_file(before);
    match fs::hard_link(path, before) {
        Ok(()) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        // Not every file system has hard links.
        Err(_) => {
            let copied = fs::copy(path, before).and_then(|_| File::open(before)?.sync_all());
            copied.inspect_err(|_| drop(fs::remove_file(before))).map_err(Error::file("copy", path))?;
            Ok(true)
        }
    }
}

fn file_name(network: &NetworkName) -> String {
    Header::folder(network) + XML
}

fn new_name(network: &NetworkName) -> String {
    format!(".{}{NEW}", file_name(network))
}

/// The network whose definition a file is, by the file's name.
fn network(path: &Path) -> Option<NetworkName> {
    Header::parse_folder(path.file_name()?.to_str()?.strip_suffix(XML)?)
}

/// The paths in a folder; none when there is no folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        Err(error) => Err(Error::file("read", folder)(error)),
    }
}

/// Creates a folder and its parents, if they are missing, so that they outlast a power cut.
fn make_all(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_all(parent)?;
    }
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(Error::file("make the folder", folder))?,
    }
    folder.parent().map_or(Ok(()), sync)
}

/// Makes sure that the entries of a folder outlast a power cut.
fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("sync", folder))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
