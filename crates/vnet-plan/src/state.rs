//! The state of a host: resources by key, in order of creation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Key, Resource};

/// Resources of a host, one for each key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    resources: BTreeMap<Key, Resource>,
}

impl HostState {
    /// A state without resources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a resource, or replaces the one with the same key.
    pub fn insert(&mut self, resource: impl Into<Resource>) {
        let resource = resource.into();
        self.resources.insert(resource.key(), resource);
    }

    /// Removes a resource.
    pub fn remove(&mut self, key: &Key) -> Option<Resource> {
        self.resources.remove(key)
    }

    /// The resource of a key.
    pub fn get(&self, key: &Key) -> Option<&Resource> {
        self.resources.get(key)
    }

    /// All resources, in order of creation.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Resource> + ExactSizeIterator {
        self.resources.values()
    }

    /// Whether the state has no resources.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }
}

impl Extend<Resource> for HostState {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        resources.into_iter().for_each(|resource| self.insert(resource));
    }
}

impl FromIterator<Resource> for HostState {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        Self { resources: resources.into_iter().map(|resource| (resource.key(), resource)).collect() }
    }
}

/// Serializes a state as the list of its resources.
impl Serialize for HostState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for HostState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Resource>::deserialize(deserializer)?.into_iter().collect())
    }
}
