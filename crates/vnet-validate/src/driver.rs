//! `<vnet:driver>` in `<metadata>`: how the host forwards for guests of a network.

use vnet_types::{Family, Inventory};
use vnet_xml::network::ForwardMode;
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let Some(path) = place(network, root) else { return Vec::new() };
    let mode = network.forward_mode();
    if matches!(mode, ForwardMode::Nat | ForwardMode::Route) {
        return Vec::new();
    }
    let message = match mode {
        ForwardMode::None => "connections of an isolated network do not pass the host".to_owned(),
        mode => format!("vnet has no rules in mode `{mode}` that connections could skip"),
    };
    let finding = Finding::new(rules::FLOWTABLE_NOT_IN_MODE, path, message);
    vec![finding.help("leave `<vnet:driver flowtable='on'/>` out, or write `<forward mode='nat'/>` or `mode='route'`")]
}

/// The device where connections leave has to be known beforehand.
pub(crate) fn check_against(network: &Network, root: &NodePath, host: &Inventory) -> Option<Finding> {
    let path = place(network, root)?;
    let families = || network.families().filter(|family| network.way_out(*family).is_some());
    families().next()?;
    let is_there = match network.outgoing_device() {
        Some(device) => host.links.iter().any(|link| link.name == *device),
        None => {
            let mut defaults = host.routes.iter().map(|it| it.destination).filter(|net| net.prefix_len() == 0);
            defaults.any(|net| families().any(|family| family == Family::of(net.addr())))
        }
    };
    if is_there {
        return None;
    }
    let message = "the device where connections leave this host is not there yet, so none skips the rules";
    let finding = Finding::new(rules::HOST_FLOWTABLE_WITHOUT_WAY_OUT, path, message);
    Some(finding.help("the network starts without a flowtable; `vnet apply` adds it once the device is there"))
}

fn place(network: &Network, root: &NodePath) -> Option<NodePath> {
    network.extensions.flowtable.filter(|on| *on)?;
    Some(root.element("metadata").element("vnet:network").element("vnet:driver").attribute("flowtable"))
}
