//! The documents that a command is given: files, folders with everything below them, stdin.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use vnet_xml::Definition;

use crate::document::Document;
use crate::failure;

/// The documents of the given paths.
#[derive(Default)]
pub(crate) struct Files {
    /// In the order given; those of a folder by name.
    pub(crate) found: Vec<FoundFile>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// Folders that cannot be read.
    pub(crate) unread: Vec<anyhow::Error>,
    /// The files by device and inode, with their names.
    seen: HashMap<(u64, u64), String>,
}

/// A document to read.
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    /// Whether it was found in a folder, not given by name.
    in_folder: bool,
}

impl FoundFile {
    /// Why a file that was found in a folder is passed over after it was read: it is another kind
    /// of document.
    pub(crate) fn is_other(&self, document: &Document) -> Option<PassedOver> {
        let root = Definition::foreign_root(&document.bytes).filter(|_| self.in_folder)?;
        Some(PassedOver { file: document.name.clone(), reason: Reason::Root(root) })
    }
}

/// A file that is not read, and why.
#[derive(Debug, Serialize)]
pub(crate) struct PassedOver {
    pub(crate) file: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) reason: Reason,
}

/// Why a file is not read.
#[derive(Debug)]
pub(crate) enum Reason {
    /// Its name does not end in `.xml`.
    Name,
    Hidden,
    LinkToFolder,
    /// A socket, a pipe or a device.
    NoFile,
    /// It is another name of this file.
    Same(String),
    /// Its root element has this name.
    Root(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("its name does not end in .xml"),
            Self::Hidden => f.write_str("it is hidden"),
            Self::LinkToFolder => f.write_str("it is a link to a folder"),
            Self::NoFile => f.write_str("it is not a regular file"),
            Self::Same(other) => write!(f, "it is the same file as `{other}`"),
            Self::Root(name) => write!(f, "its root element is `<{name}>`"),
        }
    }
}

impl Files {
    /// The files of these paths. A folder stands for all `.xml` files in it and below; a file that
    /// has several names is read once.
    pub(crate) fn of(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut files = Self::default();
        for path in paths {
            if !path.is_dir() {
                files.file(path.clone(), fs::metadata(path).ok(), false);
                continue;
            }
            let before = files.found.len();
            files.folder(path)?;
            if files.found.len() == before && files.unread.is_empty() {
                let message = format!("the folder `{}` has no .xml file", path.display());
                return Err(failure::advised(message, "give another folder, or the files by name"));
            }
        }
        Ok(files)
    }

    fn folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = entries.with_context(|| format!("the folder `{}` cannot be read", folder.display()))?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let path = if folder == Path::new(".") { entry.file_name().into() } else { entry.path() };
            // The target of a link; `None` when it is gone, which reading reports.
            let metadata = fs::metadata(&path).ok();
            let is_folder = metadata.as_ref().is_some_and(Metadata::is_dir);
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                self.pass_over(&path, Reason::Hidden);
            } else if is_folder && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if let Err(error) = self.folder(&path) {
                    self.unread.push(error);
                }
            } else if is_folder {
                self.pass_over(&path, Reason::LinkToFolder);
            } else if path.extension().is_none_or(|extension| extension != "xml") {
                self.pass_over(&path, Reason::Name);
            } else if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
                self.pass_over(&path, Reason::NoFile);
            } else {
                self.file(path, metadata, true);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, metadata: Option<Metadata>, in_folder: bool) {
        let name = path.display().to_string();
        if let Some(metadata) = metadata {
            let identity = (metadata.dev(), metadata.ino());
            if let Some(same) = self.seen.get(&identity).cloned() {
                return self.pass_over(&path, Reason::Same(same));
            }
            self.seen.insert(identity, name);
        }
        self.found.push(FoundFile { path, in_folder });
    }

    fn pass_over(&mut self, path: &Path, reason: Reason) {
        self.passed_over.push(PassedOver { file: path.display().to_string(), reason });
    }
}

fn as_text<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_walked_and_what_is_passed_over_is_named() {
        let root = std::env::temp_dir().join(format!("vnet-files-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(root.join("b/autostart")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for file in ["a.xml", "notes.txt", "b/c.xml", "b/c.xml.bak"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("../c.xml", root.join("b/autostart/c.xml")).unwrap();
        symlink("..", root.join("b/loop")).unwrap();
        symlink("/dev/null", root.join("null.xml")).unwrap();
        let files = Files::of(&[root.clone(), root.join("a.xml")]).unwrap();
        let short = |name: &str| name.replace(&format!("{}/", root.display()), "");
        let found: Vec<_> = files.found.iter().map(|it| short(&it.path.display().to_string())).collect();
        assert_eq!(found, ["a.xml", "b/autostart/c.xml"]);
        let passed: Vec<_> = files
            .passed_over
            .iter()
            .map(|it| format!("{}: {}", short(&it.file), short(&it.reason.to_string())))
            .collect();
        let expected = [
            ".git: it is hidden",
            "b/c.xml: it is the same file as `b/autostart/c.xml`",
            "b/c.xml.bak: its name does not end in .xml",
            "b/loop: it is a link to a folder",
            "notes.txt: its name does not end in .xml",
            "null.xml: it is not a regular file",
            "a.xml: it is the same file as `a.xml`",
        ];
        assert_eq!(passed, expected);
        fs::remove_dir_all(root).unwrap();
    }
}
