//! Whether a container could be attached now.

use vnet_host::LinuxHost;
use vnet_plan::{AddressWish, container_addresses};
use vnet_types::{MacAddr, NetworkName};
use vnet_validate::Finding;
use vnet_xml::{Network, Severity};

use crate::driver::Driver;
use crate::error::Error;

/// Whether a container could be attached to a network now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It could.
    Ready,
    /// It could not, for this reason.
    Unavailable(String),
    /// The network runs, but lacks something that its guests need.
    Impaired(String),
}

impl Driver {
    /// Whether a container could be attached to a network now: the network runs as it was made and
    /// has a free address, or could be started. Changes nothing, and waits for nobody.
    ///
    /// # Errors
    /// [`Error::Host`] where the host or a receipt cannot be read; [`Error::Read`],
    /// [`Error::Kept`].
    pub fn readiness(
        &self,
        network: &NetworkName,
        definition: Option<&Network>,
        starts: bool,
        has_addresses: bool,
    ) -> Result<Readiness, Error> {
        let here = LinuxHost::namespace()?;
        let receipt = self.store.receipt(network)?.filter(|receipt| receipt.header.namespace.is(&here));
        let Some(receipt) = receipt else {
            if let Ok(Some(on_ovn)) = self.container_on_ovn(network, definition) {
                return self.readiness_on_ovn(on_ovn, starts, has_addresses);
            }
            let kept = if definition.is_some() { None } else { self.kept(network)? };
            return Ok(startable(network, definition.or(kept.as_ref()), starts));
        };
        let drift = vnet_host::drift_of(&self.host()?, &receipt, here)?;
        if !drift.is_empty() {
            let changes: Vec<String> = drift.iter().map(ToString::to_string).collect();
            let words = format!("network `{network}` is not as it was made; `vnet apply {network}` repairs it");
            return Ok(Readiness::Impaired(format!("{words}:\n{}", changes.join("\n"))));
        }
        let Some(runs) = self.as_it_runs(network)?.filter(|_| has_addresses) else { return Ok(Readiness::Ready) };
        let wish = AddressWish { mac: MacAddr([0; 6]), names: Vec::new(), ips: Vec::new(), seed: 0 };
        match container_addresses(&runs, &self.store.ports()?, &self.leased(network)?, &wish) {
            Err(error @ vnet_plan::ContainerAddressError::UsedUp { .. }) => {
                Ok(Readiness::Unavailable(error.to_string()))
            }
            _ => Ok(Readiness::Ready),
        }
    }
}

fn startable(name: &NetworkName, definition: Option<&Network>, starts: bool) -> Readiness {
    let Some(network) = definition else {
        return Readiness::Unavailable(format!("network `{name}` does not run and is not defined"));
    };
    if !starts {
        return Readiness::Unavailable(format!("network `{name}` does not run; `vnet start {name}` starts it"));
    }
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    match vnet_validate::check(network).into_iter().find(is_error) {
        Some(finding) => {
            Readiness::Unavailable(format!("the definition of network `{name}` is invalid: {}", finding.message))
        }
        None => Readiness::Ready,
    }
}
