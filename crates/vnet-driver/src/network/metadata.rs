//! Title, description and metadata of a network: for people and other programs alone.

use vnet_host::{LinuxHost, Lock};
use vnet_plan::File;
use vnet_types::NetworkName;
use vnet_xml::Network;
use vnet_xml::network::MetadataPart;

use super::impact::Impact;
use super::prepare::RUNNING;
use crate::driver::Driver;
use crate::error::Error;

impl Driver {
    /// The title, the description or an element of the metadata of a network, as text. Where both
    /// definitions are asked for, that of the one that it runs with.
    ///
    /// # Errors
    /// [`Error::NoMetadata`] when the network has none; [`Error::NoNetwork`];
    /// [`Error::NotRunning`] for `live`, [`Error::NotDefined`] for `config`.
    pub fn metadata(&self, network: &NetworkName, part: &MetadataPart, impact: Impact) -> Result<String, Error> {
        let meant = self.meant(network, impact)?;
        let text = meant.live.or(meant.config).and_then(|definition| definition.metadata_part(part));
        text.ok_or_else(|| Error::NoMetadata { network: network.clone(), part: part.clone() })
    }

    /// Sets the title, the description or an element of the metadata of a network; without a text,
    /// removes it. `key` is the prefix that the namespace of an element gets. A network that runs
    /// is changed in place: only the record of its definition is written, and no hook is asked.
    /// Returns which definitions were changed.
    ///
    /// # Errors
    /// [`Error::Metadata`]; [`Error::NoNetwork`]; [`Error::NotRunning`] for `live`,
    /// [`Error::NotDefined`] for `config`; those of [`define`](Self::define) for `config`;
    /// [`Error::Unconfirmed`], and [`Error::Host`] when the record cannot be written, for `live`:
    /// then the kept definition is as before.
    pub fn set_metadata(
        &self,
        network: &NetworkName,
        part: &MetadataPart,
        text: Option<&str>,
        key: Option<&str>,
        impact: Impact,
    ) -> Result<Impact, Error> {
        let lock = self.lock()?;
        let mut meant = self.meant(network, impact)?;
        let changed = meant.impact();
        for definition in meant.live.iter_mut().chain(&mut meant.config) {
            definition.set_metadata_part(part, text, key)?;
        }
        if changed.live {
            self.is_confirmed(network)?;
        }
        let _pair = match &meant.live {
            Some(live) if changed.config => self.begin_pair(&lock, network, live)?,
            _ => None,
        };
        let kept = meant.config.as_ref().map(|definition| self.keep_for_now(&lock, definition)).transpose()?;
        if let Some(definition) = &meant.live
            && let Err(error) = self.note(&lock, network, definition)
        {
            let undo = kept.map_or(Ok(()), |(_, replaced)| replaced.undo());
            return Err(error.undone(undo));
        }
        Ok(changed)
    }

    /// Writes down the definition of a network that runs, where it changes nothing on the host.
    fn note(&self, lock: &Lock, name: &NetworkName, definition: &Network) -> Result<(), Error> {
        let mut host = self.host()?;
        let path = self.store.directory(name).join(RUNNING);
        let file = File { path, contents: Some(definition.inactive().to_string()), mode: 0o600 };
        vnet_host::replace(&mut host, lock, name, LinuxHost::namespace()?, vec![file.into()])?;
        Ok(())
    }
}
