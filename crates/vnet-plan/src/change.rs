//! The difference between two states, as steps that can be undone.

use serde::{Deserialize, Serialize};
use vnet_types::InterfaceName;

use crate::{HostState, Key, Resource, renames};

/// One step from a state to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// A resource is created.
    Create {
        /// The resource.
        to: Resource,
    },
    /// A resource changes; its key stays the same.
    Update {
        /// The resource as it is.
        from: Resource,
        /// The resource as it will be.
        to: Resource,
    },
    /// A resource is deleted.
    Delete {
        /// The resource.
        from: Resource,
    },
    /// A link gets another name. It stays the same link, and everything on it stays.
    Rename {
        /// Its name.
        from: InterfaceName,
        /// Its new name.
        to: InterfaceName,
    },
}

impl Change {
    /// The step that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::Create { to } => Self::Delete { from: to },
            Self::Update { from, to } => Self::Update { from: to, to: from },
            Self::Delete { from } => Self::Create { to: from },
            Self::Rename { from, to } => Self::Rename { from: to, to: from },
        }
    }

    /// The key of the resource.
    pub fn key(&self) -> Key {
        match self {
            Self::Create { to: resource } | Self::Update { from: resource, .. } | Self::Delete { from: resource } => {
                resource.key()
            }
            Self::Rename { from, .. } => Key::Link(from.clone()),
        }
    }

    /// Applies the step to a state, which is only a value.
    pub fn apply_to(&self, state: &mut HostState) {
        match self {
            Self::Create { to } | Self::Update { to, .. } => state.insert(to.clone()),
            Self::Delete { from } => {
                state.remove(&from.key());
            }
            Self::Rename { from, to } => state.rename(from, to),
        }
    }
}

/// The steps from one state to another: first links are renamed; then resources are deleted, in
/// reverse order of creation; then resources are created or changed, each after those that it
/// needs.
pub fn diff(from: &HostState, to: &HostState) -> Vec<Change> {
    let pairs = renames(from, to);
    if pairs.is_empty() {
        return steps(from, to).collect();
    }
    let renames: Vec<Change> = pairs.into_iter().map(|(from, to)| Change::Rename { from, to }).collect();
    let mut renamed = from.clone();
    renames.iter().for_each(|change| change.apply_to(&mut renamed));
    renames.into_iter().chain(steps(&renamed, to)).collect()
}

fn steps<'a>(from: &'a HostState, to: &'a HostState) -> impl Iterator<Item = Change> + 'a {
    let gone = from.iter().rev().filter(|old| to.get(&old.key()).is_none());
    let deletes = gone.map(|old| Change::Delete { from: old.clone() });
    let rest = to.iter().filter_map(|new| match from.get(&new.key()) {
        None => Some(Change::Create { to: new.clone() }),
        Some(old) if old == new => None,
        Some(old) => Some(Change::Update { from: old.clone(), to: new.clone() }),
    });
    deletes.chain(rest)
}
