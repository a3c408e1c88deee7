//! The networks that libvirt runs, by its state files.

use std::fs;
use std::path::Path;

use vnet_types::InterfaceName;
use vnet_xml::{BridgeName, Network};

/// The folder of the state of a host's networks.
pub(super) const STATE: &str = "/run/libvirt/network";

/// A network that libvirt runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    /// Its definition as it runs.
    pub(crate) network: Network,
    /// Its bridge, if it has one.
    pub(crate) bridge: Option<InterfaceName>,
}

/// The networks that libvirt runs, as far as their files can be read. Only root can.
pub(crate) fn running() -> Vec<Running> {
    let entries = fs::read_dir(STATE).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "xml"));
    let mut networks: Vec<Running> = files.filter_map(|file| read(&file)).collect();
    networks.sort_by(|one, other| one.network.name.cmp(&other.network.name));
    networks
}

/// The network of a state file, if libvirt runs it.
pub(super) fn read(file: &Path) -> Option<Running> {
    let text = fs::read_to_string(file).ok()?;
    let network: Network = element(&text)?.parse().ok()?;
    let bridge = match network.bridge.as_ref().and_then(|bridge| bridge.name.clone()) {
        Some(BridgeName::Fixed(name)) => Some(name),
        _ => None,
    };
    Some(Running { network, bridge })
}

/// The `<network>` inside the `<networkstatus>` or `<hookData>` that libvirt has printed.
pub(super) fn element(text: &str) -> Option<&str> {
    let start = text.find("<network>").into_iter().chain(text.find("<network ")).min()?;
    let end = text.rfind("</network>")? + "</network>".len();
    text.get(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_a_state_file() {
        let network = "<network connections='2'>\n    <name>a</name>\n  </network>";
        let text = format!(
            "<!--\nvirsh net-edit a\n-->\n\n<networkstatus>\n  <floor sum='0'/>\n  {network}\n  <firewall/>\n</networkstatus>\n"
        );
        assert_eq!(element(&text), Some(network));
        assert_eq!(element("<networkstatus/>"), None);
    }
}
