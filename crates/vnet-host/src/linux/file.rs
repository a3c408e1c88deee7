//! Files, written completely or not at all.
//!
//! They are not synced: a power failure ends the network that they belong to, and the receipt,
//! which is synced, still names them.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use vnet_plan::File;

use super::{Kind, LinuxHost};
use crate::{Error, Fact, trust};

impl Kind for File {
    /// A file that its program writes always compares equal: the program writes it when it likes.
    fn look(&self, _: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        if self.contents.is_none() {
            return Ok(Some(self.clone()));
        }
        let path = &self.path;
        let file = match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(Error::file("read", path))?,
        };
        let read = || {
            let metadata = file.metadata()?;
            trust::whole(file, &metadata).map(|contents| (metadata, contents))
        };
        let (metadata, contents) = read().map_err(Error::file("read", path))?;
        let contents =
            String::from_utf8(contents).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into());
        Ok(Some(Self { path: path.clone(), contents: Some(contents), mode: metadata.permissions().mode() & 0o7777 }))
    }

    fn create(&self, _: &LinuxHost) -> Result<Option<Fact>, Error> {
        let Some(contents) = &self.contents else { return Ok(None) };
        let beside = beside(&self.path);
        let written = write_new(&beside, contents.as_bytes(), self.mode).and_then(|_| fs::rename(&beside, &self.path));
        written.map_err(|error| {
            // A half-written file is of no use. The first error is the one to report.
            let _ = fs::remove_file(&beside);
            Error::file("write", &self.path)(error)
        })?;
        Ok(None)
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    /// Removes the file, and the temporary file that a killed writer has left beside it.
    fn delete(&self, _: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        [self.path.clone(), beside(&self.path)].iter().try_for_each(|path| match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(Error::file("remove", path)),
        })
    }
}

/// Writes a new file to the disk.
pub(crate) fn write_new(path: &Path, contents: &[u8], mode: u32) -> io::Result<fs::File> {
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // The umask may have cleared some bits.
    new.set_permissions(Permissions::from_mode(mode))?;
    new.write_all(contents)?;
    Ok(new)
}

/// The temporary path that is renamed to the final one.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    beside.into()
}
