//! The definition that a command is given: its file and its kind.

use std::path::{Path, PathBuf};

use anyhow::Context;
use vnet_types::{InterfaceName, NetworkName};

use crate::directories::Directories;

/// Whether an argument means a file: anything with a `/`, ending in `.xml`, or `-`. Anything else
/// is a name.
pub(crate) fn is_file(given: &str) -> bool {
    given == "-" || given.contains('/') || given.ends_with(".xml")
}

/// The file that an argument means, or that keeps the definition of the network that it names.
pub(crate) fn locate(given: &str, directories: &Directories) -> anyhow::Result<PathBuf> {
    if is_file(given) {
        return Ok(PathBuf::from(given));
    }
    let file = directories.driver()?.definition_file(&network_name(given)?);
    if !file.exists() {
        let hint = if Path::new(given).is_file() { format!("; the file here is `./{given}`") } else { String::new() };
        anyhow::bail!("no network `{given}` is defined: there is no `{}`{hint}", file.display());
    }
    Ok(file)
}

/// The same, but the name may also be that of an attached port, whose definition is kept with it.
pub(crate) fn locate_any(given: &str, directories: &Directories) -> anyhow::Result<PathBuf> {
    let located = locate(given, directories);
    let port = given.parse::<InterfaceName>().ok().filter(|_| located.is_err());
    match port.map(|port| directories.driver()?.port_file(&port).map_err(anyhow::Error::from)).transpose()?.flatten() {
        Some(file) => Ok(file),
        None => located,
    }
}

/// A network name as an argument.
pub(crate) fn network_name(given: &str) -> anyhow::Result<NetworkName> {
    given.parse().with_context(|| format!("`{given}` cannot be the name of a network"))
}
