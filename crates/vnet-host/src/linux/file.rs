//! Files, written whole or not at all.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use vnet_plan::File;

use crate::Error;

pub(super) fn look(expected: &File) -> Result<Option<File>, Error> {
    let path = &expected.path;
    let metadata = match fs::metadata(path) {
        // Its program writes it when it likes.
        _ if expected.contents.is_none() => return Ok(Some(expected.clone())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(Error::file("read", path))?,
    };
    let contents = fs::read(path).map_err(Error::file("read", path))?;
    let contents = String::from_utf8_lossy(&contents).into_owned();
    Ok(Some(File { path: path.clone(), contents: Some(contents), mode: metadata.permissions().mode() & 0o7777 }))
}

pub(super) fn write(file: &File) -> Result<(), Error> {
    let Some(contents) = &file.contents else { return Ok(()) };
    let beside = beside(&file.path);
    let written = write_new(&beside, contents, file.mode).and_then(|()| fs::rename(&beside, &file.path));
    written.map_err(|error| {
        // What is left of it is worth nothing; the error that matters is the first.
        let _ = fs::remove_file(&beside);
        Error::file("write", &file.path)(error)
    })
}

fn write_new(path: &PathBuf, contents: &str, mode: u32) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    // The umask may have taken bits away.
    new.set_permissions(Permissions::from_mode(mode))?;
    new.write_all(contents.as_bytes())?;
    new.sync_all()
}

/// Where a file is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    beside.into()
}

/// Removes a file, and what a writer that was killed has left beside it.
pub(super) fn remove(file: &File) -> Result<(), Error> {
    [file.path.clone(), beside(&file.path)].iter().try_for_each(|path| match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(Error::file("remove", path)),
    })
}
