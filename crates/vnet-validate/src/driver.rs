//! `<vnet:driver>` in `<metadata>`: how the host forwards for guests of a network.

use vnet_types::{Family, InterfaceName, Inventory};
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

/// The kernel must have flowtables, and the device where connections leave has to be known
/// beforehand. Otherwise every packet passes the rules: nobody reaches more.
pub(crate) fn check_against(network: &Network, root: &NodePath, host: &Inventory) -> Option<Finding> {
    let path = place(network, root)?;
    let families = || network.families().filter(|family| network.way_out(*family).is_some());
    families().next()?;
    if !host.features.flowtable {
        let message = "this kernel has no flowtables, so that no connection skips the rules";
        let finding = Finding::new(rules::HOST_WITHOUT_FLOWTABLES, path, message);
        return Some(finding.help(
            "the network starts without one; `modprobe -a nf_flow_table_inet nft_flow_offload` and then `vnet apply` \
             add it",
        ));
    }
    let others = host.beside(&network.name);
    let is_beyond = |device: &InterfaceName| others.networks.iter().all(|it| it.bridge.as_ref() != Some(device));
    let is_there = match network.outgoing_device() {
        Some(device) => host.links.iter().any(|link| link.name == *device) && is_beyond(device),
        None => {
            let leaves = |net: Family| families().any(|family| family == net);
            let mut defaults = host.routes.iter().filter(|route| route.destination.prefix_len() == 0);
            defaults.any(|route| leaves(Family::of(route.destination.addr())) && is_beyond(&route.link))
        }
    };
    if is_there {
        return None;
    }
    let message = "the device where connections leave this host is not there yet, or is the bridge of another network, \
                   so that none skips the rules";
    let finding = Finding::new(rules::HOST_FLOWTABLE_WITHOUT_WAY_OUT, path, message);
    Some(finding.help("the network starts without a flowtable; `vnet apply` adds it once the device is there"))
}

fn place(network: &Network, root: &NodePath) -> Option<NodePath> {
    network.extensions.flowtable.filter(|on| *on)?;
    Some(root.element("metadata").element("vnet:network").element("vnet:driver").attribute("flowtable"))
}
