//! Finds the place in the definition of an option that dnsmasq refused.

use std::path::Path;

use vnet_plan::{File, HostState, Key, Resource};
use vnet_validate::{Finding, refused_by_dnsmasq};
use vnet_xml::Network;

use super::prepare::Prepared;
use crate::error::Error;

impl Prepared {
    /// The error of a start or a change. [`Error::Refused`] when dnsmasq refused an option of the
    /// definition; then everything is undone.
    pub(crate) fn refusal(&self, network: &Network, error: vnet_host::Error) -> Error {
        match self.refused_option(network, &error) {
            Some(finding) => {
                let findings = self.findings.iter().cloned().chain([finding]).collect();
                Error::Refused { findings }
            }
            None => error.into(),
        }
    }

    fn refused_option(&self, network: &Network, error: &vnet_host::Error) -> Option<Finding> {
        let vnet_host::Error::Step { step: Key::Process(_), source, rollback } = error else { return None };
        let vnet_host::Error::Program { stderr, .. } = &**source else { return None };
        let said = stderr.lines().find_map(|line| line.strip_prefix("dnsmasq: ")).filter(|_| rollback.is_empty())?;
        let (option, said) = option(network, &self.lowered.desired, said)?;
        refused_by_dnsmasq(network, option, &format!("{said}; what was done before it is undone"))
    }
}

/// The option that dnsmasq complains about, and its complaint without the line number of a file
/// that is gone.
fn option<'a>(network: &'a Network, desired: &'a HostState, said: &'a str) -> Option<(&'a str, &'a str)> {
    if let Some((complaint, place)) = said.rsplit_once(" at line ")
        && let Some((number, file)) = place.split_once(" of ")
        && let Some(Resource::File(File { contents: Some(text), .. })) =
            desired.get(&Key::File(Path::new(file).to_owned()))
    {
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        return Some((text.lines().nth(index)?, complaint));
    }
    // The complaint has no line number: dnsmasq names a missing user or file instead.
    let names = |line: &&String| line.split_once('=').is_some_and(|(_, it)| it.len() > 2 && said.contains(it.trim()));
    Some((network.dnsmasq_options.iter().find(names)?, said))
}
