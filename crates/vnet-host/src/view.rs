//! Our resources under the current names of the host's links.

use vnet_plan::{HostState, Key};
use vnet_types::InterfaceName;

use crate::{Error, Facts, Host};

/// What a receipt owns, as far as its links exist: a renamed link has its current name, and
/// resources on a deleted link are gone too.
pub(crate) struct View {
    pub(crate) owned: HostState,
    pub(crate) facts: Facts,
}

impl View {
    pub(crate) fn new(host: &impl Host, owned: &HostState, facts: &Facts) -> Result<Self, Error> {
        let mut view = Self { owned: owned.clone(), facts: facts.clone() };
        for link in owned.links() {
            let key = Key::Link(link.name.clone());
            match host.locate(link, facts.get(&key))? {
                Some((name, fact)) => {
                    view.facts.set(key, Some(fact));
                    view.rename(&link.name, &name);
                }
                None => view.drop_link(&link.name),
            }
        }
        Ok(view)
    }

    fn rename(&mut self, from: &InterfaceName, to: &InterfaceName) {
        if from != to {
            self.owned.rename(from, to);
            self.facts.rename_link(from, to);
        }
    }

    fn drop_link(&mut self, name: &InterfaceName) {
        let link = Key::Link(name.clone());
        self.facts.set(link.clone(), None);
        let stood = |key: &Key| *key == link || goes_with(key, name);
        self.owned = self.owned.iter().filter(|resource| !stood(&resource.key())).cloned().collect();
    }

    /// What the host has of these resources.
    pub(crate) fn observe(&self, host: &impl Host) -> Result<HostState, Error> {
        host.observe(&self.owned, &self.facts)
    }
}

/// Whether a resource is gone when its link is.
pub(crate) fn goes_with(key: &Key, link: &InterfaceName) -> bool {
    // What was done to the bridge for a container outlives the link.
    key.link() == Some(link) && !matches!(key, Key::Container(_))
}
