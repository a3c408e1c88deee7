//! A network as an argument: its name or its UUID, with virsh's option as another spelling.

use vnet_driver::{Driver, Error, NetworkName};

/// One network.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct OneNetwork {
    /// The network: its name or UUID
    #[arg(value_name = "NETWORK", required_unless_present = "network_option")]
    network: Option<String>,
    #[arg(long = "network", id = "network_option", value_name = "NETWORK", hide = true, conflicts_with = "network")]
    option: Option<String>,
}

/// One or more networks.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Networks {
    /// The networks: their names or UUIDs
    #[arg(value_name = "NETWORK", required_unless_present = "networks_option")]
    networks: Vec<String>,
    #[arg(long = "network", id = "networks_option", value_name = "NETWORK", hide = true)]
    option: Vec<String>,
}

impl OneNetwork {
    /// As it was given.
    pub(crate) fn given(&self) -> &str {
        self.network.as_ref().or(self.option.as_ref()).map_or("", String::as_str)
    }

    /// The network's name, when it runs or is defined.
    pub(crate) fn find(&self, driver: &Driver) -> Result<NetworkName, Error> {
        driver.lookup(self.given())
    }
}

impl Networks {
    /// As they were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &str> {
        self.networks.iter().chain(&self.option).map(String::as_str)
    }
}
