//! The guests of a network. Their receipts name its bridge.

use vnet_plan::{HostState, Port, Resource};
use vnet_types::{InterfaceName, NetworkName};

use crate::journal::{self, Receipt};
use crate::view::View;
use crate::{Error, Host, Named, PortHeader, Store, Subject};

/// The receipts of a network's ports, as far as they can be read.
pub(crate) fn receipts(store: &Store, network: &NetworkName) -> Result<Vec<Receipt<PortHeader>>, Error> {
    let mut receipts: Vec<_> = store.port_receipts()?.into_iter().flatten().collect();
    receipts.retain(|receipt| receipt.header.port.network.as_ref() == Some(network));
    Ok(receipts)
}

/// The bridge ports of a network's guests, as their receipts name them.
pub(crate) fn places(host: &impl Host, store: &Store, header: &impl Subject) -> Result<HostState, Error> {
    let mut places = HostState::new();
    for receipt in of(store, header)? {
        let view = View::new(host, &receipt.owned, &receipt.facts)?;
        let is_in_it = |resource: &Resource| match resource {
            Resource::Port(Port { port, .. }) => Some(&port.bridge) == header.bridge(),
            _ => false,
        };
        let ports: Vec<InterfaceName> =
            view.owned.iter().filter(|it| is_in_it(it)).filter_map(|it| it.key().link().cloned()).collect();
        let is_place = |resource: &&Resource| {
            let stands = resource.key().link().is_some_and(|link| ports.contains(link));
            stands && matches!(resource, Resource::Port(_) | Resource::Vlans(_) | Resource::Fdb(_))
        };
        places.extend(view.owned.iter().filter(is_place).cloned());
    }
    Ok(places)
}

/// Writes the current name of a network's bridge into the receipts of its guests. Receipts with an
/// open act are skipped: whoever resolves the act looks at the host.
pub(crate) fn follow<S: Subject>(store: &Store, before: &S, after: &S) -> Result<(), Error> {
    let (Some(from), Some(to)) = (before.bridge(), after.bridge()) else { return Ok(()) };
    if from == to {
        return Ok(());
    }
    for mut receipt in of(store, after)?.into_iter().filter(|receipt| receipt.act.is_none()) {
        if receipt.header.port.bridge.as_ref() == Some(from) {
            receipt.header.port.bridge = Some(to.clone());
            receipt.owned.rename(from, to);
            journal::write(store, &receipt)?;
        }
    }
    Ok(())
}

fn of<S: Subject>(store: &Store, header: &S) -> Result<Vec<Receipt<PortHeader>>, Error> {
    let Named::Network(network) = S::named(header.name()) else { return Ok(Vec::new()) };
    let mut receipts = receipts(store, &network)?;
    receipts.retain(|receipt| receipt.header.namespace.is(&header.namespace()));
    Ok(receipts)
}
