//! What hooks are told.

use std::fs;

use vnet_host::PortHeader;
use vnet_types::{InterfaceName, NetworkName};
use vnet_xml::{Network, NetworkPort};

use super::HookOperation;
use crate::driver::Driver;
use crate::port::RECORD;

/// The document of a hook: the network, and the port if it is about one.
pub(crate) fn document(network: &Network, port: Option<&NetworkPort>) -> String {
    let port = port.map(ToString::to_string).unwrap_or_default();
    format!("<hookData>\n{network}{port}</hookData>")
}

/// What is said of a network and of ports when they are gone. Their definitions are read before.
#[derive(Default)]
pub(crate) struct Departure {
    ports: Vec<(InterfaceName, NetworkName, String)>,
    network: Option<(NetworkName, String)>,
}

impl Departure {
    /// That of a network, with its ports. Empty when there are no hooks.
    pub(crate) fn of_network(driver: &Driver, network: &NetworkName) -> Self {
        // A definition that cannot be read does not keep a network from being stopped.
        let Some(definition) = definition(driver, network) else { return Self::default() };
        let receipts = driver.store.port_receipts().unwrap_or_default().into_iter().flatten();
        let ports = receipts.filter(|receipt| receipt.header.port.network.as_ref() == Some(network));
        Self {
            ports: ports.map(|receipt| port(driver, &receipt.header, network, &definition)).collect(),
            network: Some((network.clone(), document(&definition, None))),
        }
    }

    /// That of a port. Empty when there are no hooks, or it is on no network.
    pub(crate) fn of_port(driver: &Driver, header: &PortHeader) -> Self {
        let Some(network) = &header.port.network else { return Self::default() };
        let Some(definition) = definition(driver, network) else { return Self::default() };
        Self { ports: vec![port(driver, header, network, &definition)], network: None }
    }

    /// Tells the hooks of what is gone.
    pub(crate) fn tell(self, driver: &Driver) {
        for (dev, network, document) in self.ports {
            if matches!(driver.store.port_receipt(&dev), Ok(None)) {
                driver.tell_hooks(HookOperation::PortDeleted, &network, &document);
            }
        }
        if let Some((network, document)) = self.network
            && matches!(driver.store.has(&network), Ok(false))
        {
            driver.tell_hooks(HookOperation::Stopped, &network, &document);
        }
    }
}

/// The definition of a network as it runs. `None` when there are no hooks or it cannot be read.
fn definition(driver: &Driver, network: &NetworkName) -> Option<Network> {
    driver.has_hooks().then(|| driver.definition(network).ok()).flatten()
}

fn port(
    driver: &Driver,
    header: &PortHeader,
    network: &NetworkName,
    definition: &Network,
) -> (InterfaceName, NetworkName, String) {
    let dev = &header.port.dev;
    let text = fs::read_to_string(driver.store.port_directory(dev).join(RECORD)).ok();
    let record = text.and_then(|text| text.parse().ok());
    (dev.clone(), network.clone(), document(definition, record.as_ref()))
}
