//! nf_tables rules: read back into the value they were made of, replaced in one transaction.

use vnet_firewall::{Batch, Ruleset, Table};
use vnet_netlink::{KernelLink, Netfilter, Netlink, Refused};
use vnet_types::{InterfaceName, NetworkName};

use crate::Error;

pub(super) fn look(netlink: &Netlink, netfilter: &Netfilter, network: &NetworkName) -> Result<Option<Ruleset>, Error> {
    let links = netlink.links()?;
    Ok(installed(&links, netfilter, network)?.ruleset(network.as_str()))
}

pub(super) fn replace(
    netlink: &Netlink,
    netfilter: &Netfilter,
    network: &NetworkName,
    from: Option<&Ruleset>,
    to: Option<&Ruleset>,
) -> Result<(), Error> {
    let links = netlink.links()?;
    let installed = installed(&links, netfilter, network)?;
    let index_of = |name: &InterfaceName| links.iter().find(|known| known.link.name == *name).map(|known| known.index);
    let batch = Batch::new(&installed, from, to, index_of);
    let batch = batch.map_err(|source| Error::Rules { network: network.clone(), source: Box::new(source) })?;
    if batch.is_empty() {
        return Ok(());
    }
    netfilter.commit(&batch.bytes).map_err(|source| {
        let what = source.sequence.and_then(|sequence| batch.describe(sequence)).unwrap_or("the rules");
        Error::Netfilter { what: what.to_owned(), source }
    })
}

fn installed(links: &[KernelLink], netfilter: &Netfilter, network: &NetworkName) -> Result<Table, Error> {
    let name_of = |index| links.iter().find(|known| known.index == index).map(|known| known.link.name.clone());
    let table = Table::read_network(network.as_str(), |request| netfilter.dump(request), name_of);
    table.map_err(|source: Refused| Error::Netfilter { what: "to show the rules".to_owned(), source })
}
