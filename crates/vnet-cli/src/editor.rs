//! The user's editor, on a text in a file of our own.

use std::env;
use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tempfile::TempDir;

use crate::failure;

/// A text that is edited, in a folder that only this user can enter. The folder goes with the
/// value, unless the text is to [stay](Self::stay).
pub(crate) struct EditedText {
    folder: TempDir,
    path: PathBuf,
}

impl EditedText {
    /// Writes the text into a file of this name.
    pub(crate) fn new(file_name: &str, text: &[u8]) -> anyhow::Result<Self> {
        let permissions = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("vnet-edit-").permissions(permissions).tempdir();
        let folder = folder.with_context(|| format!("no folder can be made in `{}`", env::temp_dir().display()))?;
        let path = folder.path().join(file_name);
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = written.and_then(|mut file| file.write_all(text));
        written.with_context(|| format!("`{}` cannot be written", path.display()))?;
        Ok(Self { folder, path })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the editor until it ends, and reads the text.
    ///
    /// # Errors
    /// When the editor fails, or the text cannot be read.
    pub(crate) fn edit(&self) -> anyhow::Result<Vec<u8>> {
        run(&self.path)?;
        self.read()
    }

    /// The text as it is now.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| format!("`{}` cannot be read", self.path.display()))
    }

    /// Leaves the text where it is.
    pub(crate) fn stay(self) -> PathBuf {
        let _ = self.folder.keep();
        self.path
    }
}

/// Runs $VISUAL, $EDITOR or vi on a file. As other programs do, the shell reads the variable, so
/// that it may hold arguments.
fn run(path: &Path) -> anyhow::Result<()> {
    let named = |variable| env::var_os(variable).filter(|editor| !editor.is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| OsString::from("vi"));
    let mut script = editor.clone();
    script.push(" \"$@\"");
    let cannot = || format!("the editor `{}` cannot be run; $VISUAL and $EDITOR name another", editor.display());
    let mut child = Command::new("/bin/sh").arg("-c").arg(script).arg("sh").arg(path).spawn().with_context(cannot)?;
    // Ctrl-C in the editor is for the editor alone.
    let ignored = Ignored::new().with_context(cannot)?;
    let status = child.wait().with_context(cannot)?;
    drop(ignored);
    match status.code() {
        Some(0) => Ok(()),
        Some(126 | 127) => bail!(cannot()),
        _ => {
            let message = format!("the editor `{}` failed ({status})", editor.display());
            Err(failure::advised(message, "set $VISUAL or $EDITOR to another one"))
        }
    }
}

/// The signals of the terminal's keys are ignored as long as this value lives.
struct Ignored {
    signals: SigSet,
    pending: SignalFd,
}

impl Ignored {
    fn new() -> nix::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGQUIT]);
        signals.thread_block()?;
        let pending = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { signals, pending })
    }
}

impl Drop for Ignored {
    fn drop(&mut self) {
        while let Ok(Some(_)) = self.pending.read_signal() {}
        let _ = self.signals.thread_unblock();
    }
}
