//! A call that changes two things: a network that runs, and its kept definition.
//!
//! Each is changed at once or not at all, the kept definition first. A note says what it was
//! before: when a process is killed between the two, whoever has the lock next takes the first
//! change back. The note is in the state folder, and is gone after a boot as the networks are.

use serde::{Deserialize, Serialize};
use vnet_host::{Lock, Store};
use vnet_types::NetworkName;
use vnet_xml::Network;

use crate::definitions::are_different;
use crate::driver::Driver;
use crate::error::Error;

#[derive(Debug, Serialize, Deserialize)]
struct PairNote {
    network: String,
    /// The kept definition before.
    kept: String,
    /// The network that runs, after.
    live: String,
}

/// A pair of changes that is under way. It ends with the value, as both were made or neither.
#[derive(Debug)]
pub(super) struct Pair<'a>(&'a Store);

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        self.0.end_pair();
    }
}

impl Driver {
    /// Begins a pair of changes, the second of which makes `live` of the network that runs.
    pub(super) fn begin_pair(
        &self,
        lock: &Lock,
        network: &NetworkName,
        live: &Network,
    ) -> Result<Option<Pair<'_>>, Error> {
        let Some(kept) = self.kept_text(network)? else { return Ok(None) };
        let kept = String::from_utf8_lossy(&kept).into_owned();
        let note = PairNote { network: network.to_string(), kept, live: live.inactive().to_string() };
        self.store.begin_pair(lock, &serde_json::to_vec(&note).unwrap_or_default())?;
        Ok(Some(Pair(&self.store)))
    }

    /// Ends a pair of changes whose process was killed: where the network that runs was not
    /// changed, its kept definition is as before.
    pub(crate) fn end_pair(&self, lock: &Lock) -> Result<(), Error> {
        let Some(text) = self.store.pair()? else { return Ok(()) };
        let ended = Pair(&self.store);
        // What cannot be read is of another release, which ends it.
        let Ok(PairNote { network, kept, live }) = serde_json::from_slice(&text) else { return Ok(()) };
        let Ok(network) = network.parse::<NetworkName>() else { return Ok(()) };
        let is_done = match (self.as_it_runs(&network), live.parse::<Network>()) {
            (Ok(Some(runs)), Ok(live)) => !are_different(&runs, &live),
            _ => false,
        };
        if !is_done && self.definitions.has(&network)? {
            self.definitions.write(lock, &network, &kept)?;
        }
        drop(ended);
        Ok(())
    }
}
