//! Definitions as far as they tell a change of the metadata alone from other changes.

use std::collections::BTreeMap;

use vnet_plan::{HostState, Resource};
use vnet_types::fnv1a;
use vnet_xml::Network;
use vnet_xml::network::MetadataPart;

use crate::network::RUNNING;

/// A definition that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    parts: BTreeMap<MetadataPart, Option<String>>,
    /// A hash of everything else.
    rest: u64,
}

impl Noted {
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut network: Network = text.parse().ok()?;
        let parts = network.metadata_parts().into_iter().map(|part| (part.clone(), network.metadata_part(&part)));
        let parts = parts.collect();
        (network.title, network.description, network.metadata) = (None, None, None);
        Some(Self { parts, rest: fnv1a(network.inactive().to_string().bytes()) })
    }

    /// The parts that differ. Empty when something else differs, too.
    pub(super) fn since(&self, before: &Self) -> Vec<MetadataPart> {
        if self.rest != before.rest {
            return Vec::new();
        }
        let all = self.parts.keys().chain(before.parts.keys().filter(|part| !self.parts.contains_key(*part)));
        all.filter(|part| self.parts.get(*part) != before.parts.get(*part)).cloned().collect()
    }
}

/// The parts that differ in the definitions that two states were made from. Empty when something
/// else differs, too.
pub(super) fn parts_since(now: &HostState, before: &HostState) -> Vec<MetadataPart> {
    let is_definition = |resource: &&Resource| match resource {
        Resource::File(file) => file.path.file_name().is_some_and(|name| name == RUNNING),
        _ => false,
    };
    if now.iter().filter(|it| !is_definition(it)).ne(before.iter().filter(|it| !is_definition(it))) {
        return Vec::new();
    }
    let noted = |state: &HostState| match state.iter().find(is_definition)? {
        Resource::File(file) => Noted::of(file.contents.as_deref()?),
        _ => None,
    };
    noted(now).zip(noted(before)).map(|(now, before)| now.since(&before)).unwrap_or_default()
}
