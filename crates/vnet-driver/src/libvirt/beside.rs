//! What is added to networks that libvirt runs: forwards and egress, from their `<metadata>`.
//!
//! libvirt tells of its networks by a hook (<https://libvirt.org/hooks.html>). It holds the network
//! meanwhile, so nothing here asks libvirt anything.

use vnet_host::LinuxHost;
use vnet_types::NetworkName;
use vnet_xml::Network;
use vnet_xml::network::VNET_NAMESPACE;

use super::running::element;
use crate::driver::{Driver, network_name};
use crate::error::Error;
use crate::hooks::{self, HookOperation};

/// What libvirt tells its hook of a network.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LibvirtCall {
    /// What happens.
    pub operation: HookOperation,
    /// The network as it runs.
    pub network: Network,
}

impl LibvirtCall {
    /// Reads the arguments of a hook and its standard input. `None` when it does not concern us:
    /// another kind of call, or a network with nothing of ours that cannot be read.
    ///
    /// # Errors
    /// [`Error::Text`] for a definition with something of ours that cannot be read.
    pub fn read(operation: &str, document: &str) -> Result<Option<Self>, Error> {
        let Some(operation) = HookOperation::of(operation) else { return Ok(None) };
        let text = element(document).unwrap_or_default();
        match text.parse() {
            Ok(network) => Ok(Some(Self { operation, network })),
            Err(error) if text.contains(VNET_NAMESPACE) => Err(Error::Text(error)),
            Err(_) => Ok(None),
        }
    }

    /// Whether a failure refuses what happens: the network has forwards or egress, and libvirt can
    /// still refuse.
    pub fn can_refuse(&self) -> bool {
        let is_over = matches!(self.operation, HookOperation::Stopped | HookOperation::PortDeleted);
        !self.network.extensions.is_empty() && !is_over
    }
}

impl Driver {
    /// Does what a call of libvirt's hook asks for: adds to a network that starts, repairs that
    /// before a guest is attached, and takes it away from a network that has stopped. Nothing is
    /// done for a hook that vnet itself runs.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Lower`] for forwards or egress that the network cannot have;
    /// [`Error::AlreadyRuns`] for a network that vnet runs; [`Error::Host`].
    pub fn hear_libvirt(&self, call: &LibvirtCall) -> Result<(), Error> {
        if hooks::is_called_by_vnet() {
            return Ok(());
        }
        let network = &call.network;
        let name = network_name(&network.name)?;
        match call.operation {
            // Nothing can be made before the bridge is there.
            HookOperation::Start => {
                self.forget_ended()?;
                self.prepare_beside(network, &self.host()?, None).map(drop)
            }
            HookOperation::Started => self.add_to(network),
            HookOperation::Updated => {
                // What was changed since it started stays: libvirt's document does not have it.
                let mut network = network.clone();
                if let Some(runs) = self.as_it_runs(&name).ok().flatten() {
                    network.extensions = runs.extensions;
                }
                self.add_to(&network)
            }
            HookOperation::PortCreated => match self.repair_beside(&name)? {
                true => Ok(()),
                false => self.add_to(network),
            },
            HookOperation::Stopped => self.take_from(&name),
            HookOperation::PortDeleted => Ok(()),
        }
    }

    /// Makes what a network that libvirt runs has of ours. A network whose guests use devices of
    /// the host has nothing.
    pub(super) fn add_to(&self, network: &Network) -> Result<(), Error> {
        let name = network_name(&network.name)?;
        let mut host = self.host()?;
        let lock = self.lock()?;
        let receipt = self.store.receipt(&name)?;
        if receipt.as_ref().is_some_and(|receipt| !receipt.header.of_libvirt) {
            return Err(Error::AlreadyRuns(name));
        }
        let prepared = self.prepare_beside(network, &host, receipt)?;
        if prepared.lowered.bridge.is_none() {
            return Ok(());
        }
        let header = prepared.header(None, false)?;
        vnet_host::apply(&mut host, &lock, header, &prepared.lowered.desired)?;
        Ok(())
    }

    /// Repairs what a network that libvirt runs has of ours, without a look at the rest of the
    /// host. Returns false when it has nothing.
    fn repair_beside(&self, name: &NetworkName) -> Result<bool, Error> {
        let mut host = self.host()?;
        let lock = self.lock()?;
        let Some(receipt) = self.store.receipt(name)?.filter(|receipt| receipt.header.of_libvirt) else {
            return Ok(false);
        };
        // An act that was killed is ended by the definition.
        if !receipt.settled {
            return Ok(false);
        }
        vnet_host::apply(&mut host, &lock, receipt.header, &receipt.owned)?;
        Ok(true)
    }

    /// Takes away what a network that libvirt runs, or ran, has of ours.
    pub(super) fn take_from(&self, name: &NetworkName) -> Result<(), Error> {
        let lock = self.lock()?;
        if self.store.header(name)?.is_some_and(|header| header.of_libvirt) {
            let stopped = vnet_host::stop(&mut self.host()?, &lock, name, LinuxHost::namespace()?);
            self.after_stop(&lock, name, stopped)?;
        }
        Ok(())
    }

    /// Takes away what is left of networks that libvirt has stopped without a word: the hook or
    /// this program was not there then.
    pub(super) fn forget_ended(&self) -> Result<(), Error> {
        let host = self.host()?;
        for known in self.store.networks()? {
            // The bridge of a network that is about to run is made before anything of ours.
            if let Some(bridge) = &known.bridge
                && host.link(bridge)?.is_none()
            {
                self.take_from(&known.name)?;
            }
        }
        Ok(())
    }

    /// Refuses to stop a network that libvirt runs.
    pub(crate) fn is_not_of_libvirt(&self, name: &NetworkName) -> Result<(), Error> {
        match self.store.header(name)?.is_some_and(|header| header.of_libvirt) {
            true => Err(Error::OfLibvirt(name.clone())),
            false => Ok(()),
        }
    }
}
