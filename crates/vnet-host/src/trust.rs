//! Whether a file or folder can be trusted: only root and the user of this process could have
//! written to it, and no symbolic link leads elsewhere.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::libc::{ELOOP, O_NOFOLLOW, O_NONBLOCK};
use nix::unistd::geteuid;

use crate::Error;

/// The write permissions of the group and of others (inode(7)).
const OTHERS_WRITE: u32 = 0o022;
/// The sticky bit: only the owner of a file in such a folder can rename or remove it.
const STICKY: u32 = 0o1000;
/// The user that stands for users without a number in this user namespace, such as the host's root.
const OVERFLOW: u32 = 65_534;

/// Opens a file for reading. `None` when there is no such file.
///
/// [`Error::Untrusted`] when it is a symbolic link or belongs to another user; [`Error::File`] when
/// it cannot be opened.
pub(crate) fn open(path: &Path) -> Result<Option<File>, Error> {
    Ok(open_with(path)?.map(|(file, _)| file))
}

/// The same, with what the file is.
fn open_with(path: &Path) -> Result<Option<(File, Metadata)>, Error> {
    // Opening a pipe would block.
    let file = match OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) if error.raw_os_error() == Some(ELOOP) => return Err(untrusted(path, "it is a link".to_owned())),
        file => file.map_err(Error::file("read", path))?,
    };
    let about = file.metadata().map_err(Error::file("read", path))?;
    if !about.is_file() {
        return Err(untrusted(path, "it is not a regular file".to_owned()));
    }
    check(path, &about)?;
    Ok(Some((file, about)))
}

/// Reads a file.
///
/// # Errors
/// Those of [`open`].
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let Some((file, about)) = open_with(path)? else { return Ok(None) };
    whole(file, &about).map(Some).map_err(Error::file("read", path))
}

/// Reads an open file, by one call where nobody writes to it meanwhile: there are hundreds of
/// receipts.
pub(crate) fn whole(mut file: File, about: &Metadata) -> io::Result<Vec<u8>> {
    let size = usize::try_from(about.len()).unwrap_or_default();
    let (mut text, mut filled) = (vec![0; size + 1], 0);
    loop {
        if filled == text.len() {
            text.resize(filled * 2, 0);
        }
        match file.read(&mut text[filled..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => {
                let some = read?;
                filled += some;
                // There was room for more than the file had.
                if some == 0 || filled == size {
                    text.truncate(filled);
                    return Ok(text);
                }
            }
        }
    }
}

/// What a regular file is, without opening it. `None` when there is no such file.
///
/// # Errors
/// Those of [`open`].
pub(crate) fn look(path: &Path) -> Result<Option<Metadata>, Error> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        about => about.map_err(Error::file("look at", path))?,
    };
    if !about.is_file() {
        return Err(untrusted(path, "it is not a regular file".to_owned()));
    }
    check(path, &about)?;
    Ok(Some(about))
}

/// Checks a folder and all folders above it: whoever can rename one of them can replace it.
///
/// # Errors
/// [`Error::Untrusted`] when somebody else can; [`Error::File`] when a folder cannot be read.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    match place(path)?.is_dir() {
        true => Ok(()),
        false => Err(untrusted(path, "it is not a folder".to_owned())),
    }
}

/// Checks a file and all folders above it, for a program that is about to run. The file may be a
/// symbolic link.
///
/// # Errors
/// [`Error::Untrusted`] when somebody else than root and this user can replace it or write to it;
/// [`Error::File`] when a folder cannot be read.
pub fn trusted_file(path: &Path) -> Result<(), Error> {
    match place(path)?.is_file() {
        true => Ok(()),
        false => Err(untrusted(path, "it is not a regular file".to_owned())),
    }
}

/// Checks a path, its target and all folders above both. Returns what the target is.
fn place(path: &Path) -> Result<Metadata, Error> {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let mut is_real = path.is_absolute() && path.components().all(is_plain);
    for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
        is_real &= !check_folder(folder)?.is_symlink();
    }
    let about = fs::symlink_metadata(path).map_err(Error::file("look at", path))?;
    check(path, &about)?;
    if is_real && !about.is_symlink() {
        return Ok(about);
    }
    // The target of each symbolic link on the way is checked too.
    let real = path.canonicalize().map_err(Error::file("look at", path))?;
    for folder in real.ancestors().skip(1) {
        check_folder(folder)?;
    }
    let about = fs::metadata(&real).map_err(Error::file("look at", path))?;
    check(&real, &about)?;
    Ok(about)
}

fn check_folder(folder: &Path) -> Result<Metadata, Error> {
    let about = fs::symlink_metadata(folder).map_err(Error::file("look at", folder))?;
    if about.is_dir() && about.mode() & STICKY != 0 {
        check_owner(folder, &about)?;
    } else {
        check(folder, &about)?;
    }
    Ok(about)
}

fn check(path: &Path, about: &Metadata) -> Result<(), Error> {
    check_owner(path, about)?;
    // A symbolic link is always writable for everybody, which means nothing.
    if !about.is_symlink() && about.mode() & OTHERS_WRITE != 0 {
        return Err(untrusted(path, format!("its mode {:04o} lets others write to it", about.mode() & 0o7777)));
    }
    Ok(())
}

fn check_owner(path: &Path, about: &Metadata) -> Result<(), Error> {
    let owner = about.uid();
    if owner == 0 || owner == geteuid().as_raw() || (owner == OVERFLOW && !is_mapped(OVERFLOW)) {
        return Ok(());
    }
    Err(untrusted(path, format!("it belongs to user {owner}")))
}

/// Whether a number is that of a user in this user namespace (user_namespaces(7)).
fn is_mapped(user: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [first, _, count] if (first..first + count).contains(&u64::from(user)))
    })
}

fn untrusted(path: &Path, why: String) -> Error {
    Error::Untrusted { path: PathBuf::from(path), why }
}
