//! The domain of a network in the resolver of the host (libvirt `network/bridge_driver.c`,
//! `<domain register='yes'>`).

use vnet_dnsmasq::Config;
use vnet_types::Inventory;
use vnet_xml::Network;

use super::LowerError;
use crate::{LinkResolver, Resource};

/// The port that systemd-resolved asks name servers at.
const DNS: u16 = 53;

/// Refuses a domain that nobody on this host could register.
pub(super) fn check(network: &Network, inventory: &Inventory) -> Result<(), LowerError> {
    match network.registered_domain() {
        Some(domain) if !inventory.resolved => Err(LowerError::NoResolved { domain: domain.to_owned() }),
        _ => Ok(()),
    }
}

/// What systemd-resolved is told: it asks the network's dnsmasq for names of the domain, and for no
/// other name. It knows domains in lower case, without the dot at the end.
pub(super) fn resolver(network: &Network, config: &Config) -> Option<Resource> {
    let domain = network.registered_domain().filter(|_| config.dns_port() == Some(DNS))?;
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    Some(Resource::Resolver(LinkResolver {
        link: config.interface.clone(),
        servers: config.subnets.iter().map(|subnet| subnet.net.addr()).collect(),
        domains: vec![format!("~{domain}")],
        default_route: false,
    }))
}
