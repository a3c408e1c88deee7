//! The options for who makes a network: this host, or OVN for all hosts of a cluster.

use vnet_xml::Network;
use vnet_xml::network::{OvnEngine, OvnGateway};

/// Where OVN's own programs look for the database on the host that has it.
const NORTHBOUND: &str = "unix:/var/run/ovn/ovnnb_db.sock";

/// Who makes a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// OVN, for all hosts of a cluster
    Ovn,
}

/// The options for a network that OVN makes. Each asks for OVN.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct EngineOption {
    /// Let OVN make the network for all hosts, as `<vnet:ovn>` in its `<metadata>` does
    #[arg(long, value_enum, value_name = "ENGINE", help_heading = "OVN")]
    engine: Option<Engine>,
    /// The servers of OVN's northbound database, with commas [default: those of the definition, or
    /// unix:/var/run/ovn/ovnnb_db.sock]
    #[arg(long, value_name = "REMOTES", help_heading = "OVN")]
    northbound: Option<String>,
    /// A host that can be the gateway of `<vnet:outside>`, by its system-id; the first one is it
    /// while it can
    #[arg(long, value_name = "CHASSIS", help_heading = "OVN")]
    gateway: Vec<String>,
}

impl EngineOption {
    /// Whether one is given.
    pub(crate) fn is_given(&self) -> bool {
        self.engine.is_some() || self.northbound.is_some() || !self.gateway.is_empty()
    }

    /// A network as the options ask for it.
    pub(crate) fn ask(&self, network: &mut Network) {
        if !self.is_given() {
            return;
        }
        let ovn = network.extensions.ovn.get_or_insert_with(|| OvnEngine::new(NORTHBOUND));
        if let Some(northbound) = &self.northbound {
            ovn.northbound.clone_from(northbound);
        }
        if let Some(outside) = ovn.outside.as_mut().filter(|_| !self.gateway.is_empty()) {
            let ranked = self.gateway.iter().zip((0..u16::try_from(self.gateway.len()).unwrap_or(u16::MAX)).rev());
            outside.gateways = ranked.map(|(name, rank)| OvnGateway::new(name, Some(rank))).collect();
        }
    }

    /// Networks as the options ask for them.
    pub(crate) fn asked(&self, networks: &[Network]) -> Vec<Network> {
        let mut networks = networks.to_vec();
        networks.iter_mut().for_each(|network| self.ask(network));
        networks
    }
}
