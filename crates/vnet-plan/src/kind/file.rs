//! Files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Kind, difference};
use crate::Key;

/// A file that vnet or a program of its own writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where; absolute.
    pub path: PathBuf,
    /// What it holds. `None`: a program writes it, it is only ours to remove.
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
