//! nf_tables rules: read back into the value they were made of, replaced in one transaction.

use vnet_firewall::{Firewall, Ruleset};
use vnet_types::NetworkName;

use crate::Error;

pub(super) fn look(firewall: &Firewall, network: &NetworkName, expected: &Ruleset) -> Result<Option<Ruleset>, Error> {
    firewall.read_all_of(expected).map_err(Error::rules(network))
}

pub(super) fn replace(
    firewall: &Firewall,
    network: &NetworkName,
    from: Option<&Ruleset>,
    to: Option<&Ruleset>,
) -> Result<(), Error> {
    firewall.replace(from, to).map_err(Error::rules(network))
}
