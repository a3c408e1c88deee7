//! What outlasts a stop: the leases of a network, as long as it runs or is defined.

use vnet_host::Lock;
use vnet_plan::{Lowered, Resource};
use vnet_types::NetworkName;

use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// Creates the folder of the leases of a network that has a dnsmasq.
    pub(crate) fn make_data(&self, lock: &Lock, lowered: &Lowered) -> Result<(), Error> {
        let has_dnsmasq = lowered.desired.iter().any(|resource| matches!(resource, Resource::Process(_)));
        if has_dnsmasq { Ok(self.data.make(lock, &lowered.name)?) } else { Ok(()) }
    }

    /// Removes the leases of a network that neither runs nor is defined.
    pub(crate) fn forget_data(&self, lock: &Lock, network: &NetworkName) -> Result<(), vnet_host::Error> {
        if self.is_known(network)? { Ok(()) } else { self.data.remove(lock, network) }
    }

    /// Whether a network runs or is defined. One whose receipt cannot be read may run.
    pub(crate) fn is_known(&self, network: &NetworkName) -> Result<bool, vnet_host::Error> {
        Ok(!matches!(self.store.has(network), Ok(false)) || self.definitions.has(network)?)
    }
}
