//! Changes one element of a network: `virsh net-update`.

use vnet_types::NetworkName;
use vnet_validate::{Finding, check_update};
use vnet_xml::network::{Command, Section};
use vnet_xml::{Network, Problem, Severity, SourceMap};

use super::impact::Impact;
use super::outcome::NetworkOutcome;
use crate::definitions::are_different;
use crate::driver::Driver;
use crate::error::Error;

/// One element of a network to add, replace or delete.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Update<'a> {
    /// The part of the network.
    pub section: Section,
    /// What to do with the element.
    pub command: Command,
    /// The number, from 0, of the `<ip>` that an element of DHCP belongs to. If absent, it is
    /// chosen as [`Network::update`] does.
    pub parent_index: Option<usize>,
    /// The element's text.
    pub element: &'a [u8],
    /// Change the network that runs.
    pub live: bool,
    /// Change the kept definition. If neither is set, the network is changed as it runs, or as it
    /// is kept if it does not run.
    pub config: bool,
}

/// What was found in the text of an element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElementReport {
    /// What reading it found.
    pub problems: Vec<Problem>,
    /// What is wrong with the network because of it, at places in the element.
    pub findings: Vec<Finding>,
    /// The places in the element's text.
    pub source: SourceMap,
}

/// A definition with one element changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// The definition.
    pub network: Network,
    /// Warnings about the element.
    pub element: ElementReport,
    /// The comments of an element that was deleted.
    pub lost: Vec<String>,
}

/// The result of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateOutcome {
    /// The network's name.
    pub name: NetworkName,
    /// The changes to the network that runs. `None` when only the kept definition was changed.
    pub live: Option<NetworkOutcome>,
    /// Whether the kept definition was changed.
    pub config: bool,
    /// Whether a definition is kept.
    pub is_kept: bool,
    /// Warnings about the element.
    pub element: ElementReport,
    /// The comments of an element that was deleted from the kept definition, or else from that of
    /// the network that runs.
    pub lost: Vec<String>,
}

impl<'a> Update<'a> {
    /// An update of the network as it runs, or as it is kept if it does not run.
    pub fn new(section: Section, command: Command, element: &'a [u8]) -> Self {
        Self { section, command, parent_index: None, element, live: false, config: false }
    }

    /// The definition with the element changed.
    ///
    /// # Errors
    /// [`Error::Update`]; [`Error::Element`] when the network would be invalid because of the
    /// element.
    pub fn edit(&self, network: &Network) -> Result<Edited, Error> {
        let updated = network.update(self.section, self.command, self.parent_index, self.element)?;
        let within = |path: &vnet_xml::NodePath| path.moved(updated.path.as_ref()?, &updated.root);
        let findings = check_update(network, &updated.network).into_iter().map(|mut finding| {
            // Errors elsewhere that the element causes count as the element's.
            finding.path = within(&finding.path).unwrap_or_else(|| updated.root.clone());
            finding.related.retain_mut(|related| match within(&related.path) {
                Some(path) => {
                    related.path = path;
                    true
                }
                None => false,
            });
            finding
        });
        let findings: Vec<Finding> = findings.collect();
        let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        let element = ElementReport { problems: updated.problems, findings, source: updated.source };
        match refused {
            true => Err(Error::Element(Box::new(element))),
            false => {
                let lost = updated.lost.texts().map(str::to_owned).collect();
                Ok(Edited { network: updated.network, element, lost })
            }
        }
    }
}

impl Driver {
    /// Changes one element of a network, in place as it runs, in its kept definition, or in both.
    /// Everything is decided before anything is changed. Of both, the kept definition is changed
    /// first; where that is all that a process did before it was killed, the next one takes it
    /// back.
    ///
    /// # Errors
    /// [`Error::NoNetwork`]; [`Error::NotRunning`] for `live`, [`Error::NotDefined`] for `config`;
    /// [`Error::Update`], [`Error::Element`]; those of [`apply`](Self::apply) and
    /// [`define`](Self::define): unless the network that runs was changed, the kept definition is
    /// as before.
    pub fn update(&self, network: &NetworkName, update: &Update<'_>) -> Result<UpdateOutcome, Error> {
        self.edit_where(network, update.live, update.config, |network| update.edit(network))
    }

    /// Edits the definition of a network as it runs, as it is kept, or both; if neither is chosen,
    /// as it runs, or as it is kept if it does not run.
    pub(super) fn edit_where(
        &self,
        network: &NetworkName,
        live: bool,
        config: bool,
        edit: impl Fn(&Network) -> Result<Edited, Error>,
    ) -> Result<UpdateOutcome, Error> {
        let lock = self.lock()?;
        let meant = self.meant(network, Impact { live, config })?;
        let (Impact { live, config }, is_kept, kept) = (meant.impact(), meant.is_kept, meant.config);
        let runs = meant.live.map(|runs| self.with_connections(runs, network)).transpose()?;
        let edited_live = runs.map(|runs| edit(&runs)).transpose()?;
        let edited_config = match kept.map(|kept| (edit(&kept), kept)) {
            None => None,
            // A run that was killed has changed the kept definition, and no more.
            Some((Err(Error::Update(_)), kept))
                if edited_live.as_ref().is_some_and(|live| !are_different(&kept, &live.network)) =>
            {
                None
            }
            Some((edited, _)) => Some(edited?),
        };
        if live {
            self.is_confirmed(network)?;
        }
        let mut host = live.then(|| self.host()).transpose()?;
        let prepared = match (&edited_live, &mut host) {
            (Some(edited), Some(host)) => Some((self.prepare(&edited.network, host, Some(&lock))?, edited, host)),
            _ => None,
        };
        let _pair = match (&edited_live, &edited_config) {
            (Some(live), Some(_)) => self.begin_pair(&lock, network, &live.network)?,
            _ => None,
        };
        let replaced = edited_config.as_ref().map(|edited| self.keep_for_now(&lock, &edited.network)).transpose()?;
        let live = match prepared {
            None => None,
            Some((prepared, edited, host)) => match self.apply_prepared(prepared, &edited.network, None, host, &lock) {
                Ok(applied) => Some(applied.outcome),
                Err(error) => {
                    // With these errors the network is changed all the same.
                    let is_changed =
                        matches!(error, Error::PortStays { .. } | Error::PortsStay { .. } | Error::Hook(_));
                    let undo = replaced.filter(|_| !is_changed).map_or(Ok(()), |(_, replaced)| replaced.undo());
                    return Err(error.undone(undo));
                }
            },
        };
        let Edited { element, lost, .. } =
            edited_config.or(edited_live).ok_or_else(|| Error::NotRunning(network.clone()))?;
        Ok(UpdateOutcome { name: network.clone(), live, config, is_kept, element, lost })
    }
}
