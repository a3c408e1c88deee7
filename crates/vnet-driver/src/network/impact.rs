//! Which definition of a network is meant: the one that it runs with, the kept one, or both.

use vnet_types::NetworkName;
use vnet_xml::Network;

use crate::driver::Driver;
use crate::error::Error;

/// Which definition of a network is read or changed. If neither is set, the one that it runs with,
/// or the kept one if it does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// The one that it runs with.
    pub live: bool,
    /// The one that is kept.
    pub config: bool,
}

/// The definitions that are meant.
pub(super) struct Meant {
    /// The one that the network runs with, if that is meant.
    pub(super) live: Option<Network>,
    /// The kept one, if that is meant.
    pub(super) config: Option<Network>,
    /// Whether a definition is kept.
    pub(super) is_kept: bool,
}

impl Meant {
    /// Which of them are meant.
    pub(super) fn impact(&self) -> Impact {
        Impact { live: self.live.is_some(), config: self.config.is_some() }
    }
}

impl Driver {
    /// The definitions that are meant.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::NotRunning`] for `live`, [`Error::NotDefined`] for `config`.
    pub(super) fn meant(&self, network: &NetworkName, impact: Impact) -> Result<Meant, Error> {
        let (live, config) = (self.as_it_runs(network)?, self.kept(network)?);
        let is_kept = config.is_some();
        let chosen = match impact {
            Impact { live: false, config: false } if live.is_none() && !is_kept => {
                return Err(Error::NoNetwork(network.to_string()));
            }
            Impact { live: false, config: false } => Impact { live: live.is_some(), config: live.is_none() },
            chosen => chosen,
        };
        let of = |definition: Option<Network>, is_meant: bool, lacks: fn(NetworkName) -> Error| match is_meant {
            true => definition.map(Some).ok_or_else(|| lacks(network.clone())),
            false => Ok(None),
        };
        let live = of(live, chosen.live, Error::NotRunning)?;
        let config = of(config, chosen.config, Error::NotDefined)?;
        Ok(Meant { live, config, is_kept })
    }
}
