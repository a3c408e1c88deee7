//! Files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Kind, difference};
use crate::Key;

/// A file that vnet, or a program that vnet runs, writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The absolute path.
    pub path: PathBuf,
    /// The content. `None`: a program writes it, and vnet only removes it.
    pub contents: Option<String>,
    /// Permission bits.
    pub mode: u32,
}

impl Kind for File {
    fn key(&self) -> Key {
        Key::File(self.path.clone())
    }

    fn added(&self) -> String {
        match &self.contents {
            Some(text) => format!("file {} ({} lines)", self.path.display(), text.lines().count()),
            None => format!("file {} (written by its program)", self.path.display()),
        }
    }

    fn deleted(&self) -> String {
        format!("file {}", self.path.display())
    }

    fn changed(&self, to: &Self) -> String {
        let [from_text, to_text] = [self, to].map(|file| file.contents.as_deref().unwrap_or_default());
        format!("~ {}{}", to.added(), difference(from_text, to_text))
    }

    fn effect_of_delete(&self) -> Option<&'static str> {
        None
    }
}
