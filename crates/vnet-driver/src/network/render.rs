//! Renders what would be installed for a network, without reading a host.

use vnet_firewall::Ruleset;
use vnet_plan::{Choices, File, Files, NetworkRules, Resource, dnsmasq, preview};
use vnet_types::Inventory;
use vnet_xml::Network;

use crate::driver::{Driver, network_name};
use crate::error::Error;

/// The rules and files of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendering {
    /// Its rules.
    pub rules: Option<Ruleset>,
    /// dnsmasq's configuration.
    pub dnsmasq: Option<File>,
    /// Whether dnsmasq has nothing to do, and is not started.
    pub is_idle: bool,
    /// The files that dnsmasq reloads: reservations, and names of addresses.
    pub hosts: Vec<File>,
}

impl Driver {
    /// Renders what would be installed for a network. The host is not read: when the definition
    /// leaves the bridge's name open, the first name of its template is used.
    ///
    /// # Errors
    /// [`Error::Lower`] for a definition with errors.
    pub fn render(&self, network: &Network) -> Result<Rendering, Error> {
        let nowhere = Inventory { ipv6: true, ..Inventory::default() };
        let name = network_name(&network.name)?;
        let leases = Some(self.data.leases(&name));
        let choices = Choices { directory: self.directory(&name), random: [0; 3], bridge: None, leases };
        let lowered = preview(network, &nowhere, &choices)?;
        let files = Files::of(&choices);
        let mut rendering = Rendering::default();
        for resource in lowered.desired.iter() {
            match resource {
                Resource::Ruleset(NetworkRules { ruleset, .. }) => rendering.rules = Some((**ruleset).clone()),
                Resource::File(file) if file.path == files.conf => rendering.dnsmasq = Some(file.clone()),
                Resource::File(file) if [&files.hosts, &files.addn_hosts].contains(&&file.path) => {
                    rendering.hosts.push(file.clone());
                }
                _ => {}
            }
        }
        if let (None, Some(bridge), false) = (&rendering.dnsmasq, &lowered.bridge, network.ips.is_empty()) {
            rendering.is_idle = true;
            let conf = dnsmasq(network, bridge, &files)?.conf;
            rendering.dnsmasq = Some(File { path: files.conf, contents: Some(conf), mode: 0o644 });
        }
        Ok(rendering)
    }
}
