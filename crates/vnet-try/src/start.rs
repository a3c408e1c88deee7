//! Starts a network on the imagined host, with the same driver as on a real one.

use vnet_driver::{Driver, Error, Imagined};
use vnet_types::InterfaceName;
use vnet_validate::Finding;
use vnet_xml::{Network, VirtualPortType};

use crate::error::{Failed, Result};

/// The result of a start.
pub(crate) enum Started {
    /// The network runs on this bridge.
    On(InterfaceName),
    /// Something on the host conflicts with it.
    Refused(Vec<Finding>),
}

/// The folder of state inside.
pub(crate) const STATE: &str = "/run/vnet";

/// The driver for the host inside. That host has every zone of firewalld, and blocks nothing in it.
/// dnsmasq pings an address for 3 s before it offers it, one guest after the other; with `at_once`
/// it does not, because nobody else can have the address.
pub(crate) fn driver(at_once: bool) -> Result<Driver> {
    let imagined = Imagined { zones: true, offers_at_once: at_once, seed: Some([0x76; 16]) };
    // The definitions of the real host are visible inside.
    Ok(Driver::open(STATE)?.with_definitions("/run/definitions").imagined(imagined))
}

/// Starts a network, unless its definition conflicts with the host.
pub(crate) fn start(network: &Network, at_once: bool) -> Result<Started> {
    match driver(at_once)?.start(network) {
        Ok(outcome) => outcome.bridge.map(Started::On).ok_or_else(|| {
            let name = &network.name;
            let of_groups = network.port_groups.iter().filter_map(|group| group.virtual_port.as_ref());
            let mut switches = network.virtual_port.iter().chain(of_groups);
            Failed::Other(if switches.any(|port| port.kind == Some(VirtualPortType::OpenVSwitch)) {
                format!(
                    "the guests of network `{name}` are ports of Open vSwitch, and a trial starts none: \
                     `vnet attach` them on the host"
                )
            } else {
                format!("the guests of network `{name}` use devices of the host: there is nothing of its own to try")
            })
        }),
        Err(Error::Refused { findings }) => Ok(Started::Refused(findings)),
        Err(error) => Err(Failed::doing(format!("network `{}` does not start", network.name))(error)),
    }
}
