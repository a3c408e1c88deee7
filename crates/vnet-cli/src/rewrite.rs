//! Rewriting of documents: completely or not at all.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Replaces the contents of a file at once. Mode and owner stay; a link stays a link.
pub(crate) fn rewrite(path: &Path, contents: &str) -> anyhow::Result<()> {
    replace(path, contents).with_context(|| format!("`{}` cannot be written", path.display()))
}

/// Refuses stdin, which cannot be rewritten.
pub(crate) fn files_only(paths: &[PathBuf], option: &str) -> anyhow::Result<()> {
    if paths.iter().any(|path| path == Path::new("-")) {
        bail!("{option} rewrites files, and `-` is stdin: leave {option} out");
    }
    Ok(())
}

fn replace(path: &Path, contents: &str) -> anyhow::Result<()> {
    let target = fs::canonicalize(path)?;
    let before = fs::metadata(&target)?;
    let folder = target.parent().context("it is in no folder")?;
    let mut new = tempfile::Builder::new().prefix(".vnet-").tempfile_in(folder)?;
    new.write_all(contents.as_bytes())?;
    let file = new.as_file();
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
        fchown(file, Some(before.uid()), Some(before.gid()))?;
    }
    // After the owner, which clears some bits.
    file.set_permissions(Permissions::from_mode(before.mode() & 0o7777))?;
    file.sync_all()?;
    new.persist(&target)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}
