//! Starts networks on the imagined host, with the same driver as on a real one.

use vnet_driver::{Driver, Error, Imagined};
use vnet_types::{Features, InterfaceName};
use vnet_validate::Finding;
use vnet_xml::{Network, VirtualPortType};

use crate::error::{Failed, Result};
use crate::world::World;

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
pub(crate) fn driver(at_once: bool, features: Option<Features>) -> Result<Driver> {
    let imagined = Imagined { zones: true, offers_at_once: at_once, features, seed: Some([0x76; 16]) };
    // The definitions of the real host are visible inside.
    Ok(Driver::open(STATE)?.with_definitions("/run/definitions").imagined(imagined))
}

/// Starts networks, those that offer addresses alike in one call. Once a definition conflicts with
/// the host, those after its call are not started and are missing from the result.
pub(crate) fn start(world: &World, networks: &[(&Network, bool)], features: Option<Features>) -> Result<Vec<Started>> {
    let mut all = Vec::new();
    if let Some(cluster) = &world.cluster {
        for (network, _) in networks {
            all.push(cluster.start(network)?);
            if matches!(all.last(), Some(Started::Refused(_))) {
                break;
            }
        }
        return Ok(all);
    }
    for alike in networks.chunk_by(|(_, one), (_, other)| one == other) {
        let definitions: Vec<Network> = alike.iter().map(|(network, _)| (*network).clone()).collect();
        let outcomes = driver(alike[0].1, features)?.start_all(&definitions)?;
        for (network, outcome) in definitions.iter().zip(outcomes) {
            all.push(match outcome {
                Ok(outcome) => outcome.bridge.map(Started::On).ok_or_else(|| nothing_of_its_own(network))?,
                Err(Error::Refused { findings }) => Started::Refused(findings),
                Err(error) => {
                    return Err(Failed::doing(format!("network `{}` does not start", network.name))(error));
                }
            });
        }
        if all.iter().any(|started| matches!(started, Started::Refused(_))) {
            break;
        }
    }
    Ok(all)
}

fn nothing_of_its_own(network: &Network) -> Failed {
    let name = &network.name;
    let of_groups = network.port_groups.iter().filter_map(|group| group.virtual_port.as_ref());
    let mut switches = network.virtual_port.iter().chain(of_groups);
    Failed::Other(if switches.any(|port| port.kind == Some(VirtualPortType::OpenVSwitch)) {
        format!(
            "the guests of network `{name}` are ports of Open vSwitch, and a trial starts none: `vnet attach` them on \
             the host"
        )
    } else {
        format!("the guests of network `{name}` use devices of the host: there is nothing of its own to try")
    })
}
