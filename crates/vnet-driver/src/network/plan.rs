//! The changes that starting or applying a network would make.

use vnet_xml::Network;

use super::outcome::NetworkOutcome;
use super::prepare::chosen;
use crate::driver::Driver;
use crate::error::Error;
use crate::note::Note;

impl Driver {
    /// The changes of [`start`](Self::start), or of [`apply`](Self::apply) when the network runs:
    /// those of the network, then those of its ports.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Host`] when something is in the way or the host cannot be read.
    pub fn plan(&self, network: &Network) -> Result<NetworkOutcome, Error> {
        if network.is_on_ovn() {
            return self.plan_on_ovn(network);
        }
        let mut host = self.host()?;
        host.look_as_allowed();
        let prepared = self.prepare(network, &mut host, None)?;
        let lowered = &prepared.lowered;
        let changes = vnet_host::plan(&host, &self.store, &lowered.name, &lowered.desired)?;
        if !self.ports_of(&lowered.name)?.is_empty() {
            host.look_once();
        }
        let mut all = self.plan_follow(&host, &chosen(network, prepared.uuid, lowered), lowered)?;
        all.changes.splice(..0, changes);
        let mut planned = prepared.planned(all);
        planned.notes.extend(host.unread().into_iter().map(Note::Unread));
        Ok(planned)
    }
}
