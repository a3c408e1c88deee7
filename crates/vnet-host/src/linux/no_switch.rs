//! What is left without the feature `openvswitch`: no database of Open vSwitch is asked. What was
//! made with the feature is not taken to be gone: to look at it or to remove it fails.

use vnet_plan::SwitchPort;
use vnet_types::{InterfaceName, KnownSwitch};

use super::{Kind, LinuxHost};
use crate::{Error, Fact, Lock};

const REASON: &str = "this program is built without the feature `openvswitch` of vnet-host";

/// Asks Open vSwitch for its bridges: not without the feature `openvswitch`.
pub fn known_switch() -> KnownSwitch {
    KnownSwitch::Unusable(REASON.to_owned())
}

fn unasked() -> Error {
    Error::Switch { action: "tell its ports".to_owned(), source: REASON.into() }
}

impl LinuxHost {
    /// The ports that vnet made for links that are gone: none are known without the feature
    /// `openvswitch`.
    ///
    /// # Errors
    /// None.
    pub fn stale_switch_ports(&self) -> Result<Vec<InterfaceName>, Error> {
        Ok(Vec::new())
    }

    /// Removes a stale port: not without the feature `openvswitch`.
    ///
    /// # Errors
    /// [`Error::Switch`].
    pub fn remove_stale_switch_port(&self, _: &Lock, _: &InterfaceName) -> Result<(), Error> {
        Err(unasked())
    }
}

impl Kind for SwitchPort {
    fn look(&self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Self>, Error> {
        host.found_or(self, Err(unasked()))
    }

    fn create(&self, _: &LinuxHost) -> Result<Option<Fact>, Error> {
        Err(unasked())
    }

    fn update(&self, to: &Self, host: &LinuxHost, _: Option<Fact>) -> Result<Option<Fact>, Error> {
        to.create(host)
    }

    fn delete(&self, _: &LinuxHost, _: Option<Fact>) -> Result<(), Error> {
        Err(unasked())
    }
}
