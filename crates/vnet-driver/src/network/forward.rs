//! Ports of the host that lead to guests: added to a network and removed from it.

use vnet_types::NetworkName;
use vnet_validate::check_update;
use vnet_xml::interface::PortForward;
use vnet_xml::network::GuestForward;
use vnet_xml::{Network, Severity};

use super::update::{Edited, ElementReport, UpdateOutcome};
use crate::driver::Driver;
use crate::error::Error;
use crate::libvirt::{LibvirtFolders, keep_in_libvirt, kept_by_libvirt};

/// A change of a network's forwards.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ForwardUpdate {
    /// What to do.
    pub act: ForwardAct,
    /// Change the network that runs.
    pub live: bool,
    /// Change the kept definition. If neither is set, the network is changed as it runs, or as it
    /// is kept if it does not run.
    pub config: bool,
}

/// What to do with a network's forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardAct {
    /// Add one.
    Add(GuestForward),
    /// Remove these ports, of any guest.
    Remove(PortForward),
}

impl ForwardUpdate {
    /// A change of the network as it runs, or as it is kept if it does not run.
    pub fn new(act: ForwardAct) -> Self {
        Self { act, live: false, config: false }
    }

    fn edit(&self, network: &Network) -> Result<Edited, Error> {
        let mut edited = network.clone();
        let mut lost = Vec::new();
        match &self.act {
            ForwardAct::Add(forward) => edited.add_forward(forward.clone()),
            ForwardAct::Remove(forward) => {
                let removed = edited.remove_forward(forward);
                let comments = removed.map_err(|missing| Error::NotForwarded {
                    protocol: forward.protocol.word(),
                    ports: missing.to_string(),
                    network: network.name.clone(),
                })?;
                lost.extend(comments.texts().map(str::to_owned));
            }
        }
        let findings = check_update(network, &edited);
        if findings.iter().any(|finding| finding.severity == Severity::Error) {
            return Err(Error::Refused { findings });
        }
        Ok(Edited { network: edited, element: ElementReport::default(), lost })
    }
}

impl Driver {
    /// Adds or removes ports of the host that lead to guests, in place as the network runs, in its
    /// kept definition, or in both. Of a network that libvirt runs, libvirt keeps the definition:
    /// virsh changes that.
    ///
    /// # Errors
    /// [`Error::NotForwarded`], [`Error::Refused`]; [`Error::LibvirtHook`] when virsh fails; those
    /// of [`update`](Self::update).
    pub fn update_forwards(&self, network: &NetworkName, update: &ForwardUpdate) -> Result<UpdateOutcome, Error> {
        if !self.store.header(network)?.is_some_and(|header| header.of_libvirt) {
            return self.edit_where(network, update.live, update.config, |network| update.edit(network));
        }
        let live = || self.edit_where(network, true, false, |network| update.edit(network));
        let is_kept = LibvirtFolders::system().file(network.as_str()).exists();
        if !update.config {
            return Ok(UpdateOutcome { is_kept, ..live()? });
        }
        let before = kept_by_libvirt(network)?;
        let Edited { network: after, element, lost } = update.edit(&before)?;
        keep_in_libvirt(&after)?;
        if update.live {
            let live = live().inspect_err(|_| {
                // The first error is the one to report.
                let _ = keep_in_libvirt(&before);
            })?;
            return Ok(UpdateOutcome { config: true, is_kept: true, ..live });
        }
        Ok(UpdateOutcome { name: network.clone(), live: None, config: true, is_kept: true, element, lost })
    }
}
