//! `<dnsmasq:options>`: lines for dnsmasq's own configuration.

use vnet_dnsmasq::{Surroundings, objection};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::{rules, words};

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let surroundings = surroundings(network);
    let judge = |(index, line): (usize, &String)| {
        let path = place(root, index);
        let objection = objection(line, &surroundings).filter(|_| network.has_dnsmasq()).map(|it| {
            let rule = if it.is_refused { rules::DNSMASQ_OPTION_REFUSED } else { rules::DNSMASQ_OPTION_DOUBTFUL };
            let message = format!("the dnsmasq option `{}` {}", it.keyword, it.because);
            Finding::new(rule, path.clone(), message).help(it.instead)
        });
        words::line(path, line).into_iter().chain(objection)
    };
    network.dnsmasq_options.iter().enumerate().flat_map(judge).collect()
}

/// The finding for a line of `<dnsmasq:options>` that dnsmasq itself refused; `None` for another
/// line.
///
/// `said` is dnsmasq's message, such as "bad option".
pub fn refused_by_dnsmasq(network: &Network, line: &str, said: &str) -> Option<Finding> {
    let index = network.dnsmasq_options.iter().position(|option| option.trim() == line.trim())?;
    let message = format!("dnsmasq refuses the option `{}`: {said}", line.trim());
    let help = "write an option as dnsmasq(8) of this host has it, without the dashes, or leave it out";
    Some(Finding::new(rules::DNSMASQ_OPTION_UNKNOWN, place(&NodePath::root("network"), index), message).help(help))
}

fn place(root: &NodePath, index: usize) -> NodePath {
    root.nth("dnsmasq:options", 0).nth("dnsmasq:option", index).attribute("value")
}

fn surroundings(network: &Network) -> Surroundings {
    let bridge = network.bridge.as_ref().and_then(|bridge| bridge.name.as_ref());
    let mut surroundings = Surroundings::default();
    surroundings.interface = bridge.map(ToString::to_string);
    surroundings.addresses = network.ips.iter().map(|ip| ip.address).collect();
    surroundings.has_names = network.answers_names();
    surroundings.has_ranges = network.ips.iter().filter_map(|ip| ip.dhcp.as_ref()).any(|dhcp| !dhcp.ranges.is_empty());
    surroundings
}
