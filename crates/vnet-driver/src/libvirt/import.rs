//! Takes definitions, what starts at boot, and leases from libvirt.

use std::fs;
use std::io;
use std::path::PathBuf;

use vnet_host::Lock;
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::{BridgeName, Network};

use super::definitions::{LibvirtFolders, file};
use super::{leases, running};
use crate::definitions::Defined;
use crate::driver::{Driver, network_name};
use crate::error::Error;

/// How the comment begins that libvirt puts above each definition: to change it with virsh.
const HEADER: &str = "WARNING: THIS IS AN AUTO-GENERATED FILE.";

/// A network taken from libvirt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The definition that is kept now.
    pub defined: Defined,
    /// Whether it is the one that was kept before.
    pub is_unchanged: bool,
    /// Whether it starts at boot.
    pub autostart: bool,
    /// The number of leases that were taken.
    pub leases: usize,
    /// Whether libvirt runs it.
    pub runs_in_libvirt: bool,
}

impl Driver {
    /// Takes a network from libvirt: keeps its definition, makes it start at boot when libvirt does
    /// that, and takes its leases when it has none yet. libvirt's own files stay.
    ///
    /// # Errors
    /// [`Error::KeptDiffers`] when another definition of this name is kept, unless `replace`; those
    /// of [`define`](Self::define); [`Error::Read`], [`Error::Text`], [`Error::Kept`] when
    /// libvirt's files cannot be read. Nothing has changed then.
    pub fn import(&self, from: &LibvirtFolders, network: &Network, replace: bool) -> Result<Imported, Error> {
        let name = network_name(&network.name)?;
        let mut network = network.clone();
        network.comments.retain(|text| !text.starts_with(HEADER));
        let network = &network;
        let text = self.libvirt_leases(from, network)?.filter(|text| !text.is_empty());
        let lock = self.lock()?;
        let kept = self.kept(&name);
        let is_unchanged = matches!(&kept, Ok(Some(kept)) if same(kept, network));
        let is_free = matches!(kept, Ok(None));
        if !is_unchanged && !is_free && !replace {
            return Err(Error::KeptDiffers { file: self.definition_file(&name), name });
        }
        let text = match text {
            Some(text) if self.takes_leases(&name, replace)? => Some(text),
            _ => None,
        };
        let leases_before = fs::read(self.data.leases(&name)).ok();
        let autostart = from.starts_at_boot(&network.name);
        let take = || -> Result<Defined, Error> {
            text.as_ref().map_or(Ok(()), |text| self.write_leases(&lock, &name, text))?;
            let (defined, replaced) = self.keep_for_now(&lock, network)?;
            if autostart || replace {
                let set = self.definitions.set_start_at_boot(&lock, &name, autostart);
                set.map_err(|error| Error::from(error).undone(replaced.undo()))?;
            }
            Ok(defined)
        };
        let defined = take().inspect_err(|_| {
            // The first error is the one to report. Leases that were not taken may be in use.
            if text.is_some() {
                let leases = self.data.leases(&name);
                let _ = leases_before.map_or_else(|| fs::remove_file(&leases), |before| fs::write(&leases, before));
            }
            let _ = self.forget_data(&lock, &name);
        })?;
        let leases = text.map_or(0, |text| vnet_dnsmasq::parse_leases(&text).len());
        let runs_in_libvirt =
            from.state.as_ref().is_some_and(|state| running::read(&file(state, &network.name, "xml")).is_some());
        let autostart = self.is_autostarted(&name)?;
        Ok(Imported { defined, is_unchanged, autostart, leases, runs_in_libvirt })
    }

    /// libvirt's leases of a network, as our dnsmasq reads them. `None` when it has no list.
    pub(crate) fn libvirt_leases(&self, from: &LibvirtFolders, network: &Network) -> Result<Option<String>, Error> {
        let (Some(folder), Some(bridge)) = (&from.dnsmasq, bridge(network)) else { return Ok(None) };
        let path = file(folder, bridge.as_str(), "status");
        let json = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            json => json.map_err(|source| Error::Read { path: path.clone(), source })?,
        };
        let what = "libvirt's list of leases";
        leases::converted(&json).map(Some).map_err(|error| Error::Kept { path, what, source: error.into() })
    }

    /// Whether a network takes leases: it does not run and has none, or they are replaced. Leases
    /// of a network that is not known are of no use to anybody.
    fn takes_leases(&self, network: &NetworkName, replace: bool) -> Result<bool, Error> {
        let has_leases = self.is_known(network)? && self.data.leases(network).exists();
        Ok(!self.store.has(network)? && (replace || !has_leases))
    }

    /// Writes the leases that our dnsmasq starts with.
    pub(super) fn write_leases(&self, lock: &Lock, network: &NetworkName, text: &str) -> Result<(), Error> {
        self.data.make(lock, network)?;
        let path: PathBuf = self.data.leases(network);
        fs::write(&path, text).map_err(|source| Error::Folder { path, source })
    }
}

/// Whether two definitions are the same as they are kept.
pub(super) fn same(one: &Network, other: &Network) -> bool {
    one.inactive().to_string() == other.inactive().to_string()
}

/// The bridge that a definition names.
pub(super) fn bridge(network: &Network) -> Option<InterfaceName> {
    match network.bridge.as_ref()?.name.clone()? {
        BridgeName::Fixed(name) => Some(name),
        BridgeName::Template(_) => None,
    }
}
