//! The definition that a command is given: found, read, checked, and refused where something is wrong with it.

use std::path::Path;

use anyhow::Context;
use vnet_types::{Inventory, NetworkName};
use vnet_xml::Network;

use crate::diagnostic::{Checked, human};
use crate::document::Document;
use crate::failure;
use crate::output::{Answer, Format, note};

/// Reads and checks a definition, and tells people what is to be said about it. Where it is sound, it is checked
/// against a host too.
pub(crate) fn read(
    file: &Path,
    inventory: impl FnOnce(&Network) -> anyhow::Result<Option<Inventory>>,
    format: Format,
) -> anyhow::Result<Checked> {
    let mut checked = Checked::new(Document::read(file)?);
    let inventory = checked.sound().map(inventory).transpose()?.flatten();
    if let Some(inventory) = inventory {
        checked.against(&inventory);
    }
    if format == Format::Human {
        note(human(&checked))?;
    }
    Ok(checked)
}

/// A network's name as an argument.
pub(crate) fn network_name(given: &str) -> anyhow::Result<NetworkName> {
    given.parse().with_context(|| format!("`{given}` cannot be the name of a network"))
}

/// The answer no, with its reason.
pub(crate) fn refuse(reason: impl Into<anyhow::Error>) -> anyhow::Result<Answer> {
    failure::report(&reason.into());
    Ok(Answer::No)
}
