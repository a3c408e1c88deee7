//! `<vnet:ovn>` in `<metadata>`: what OVN needs to be told, and what it cannot do of a definition.

mod cannot;
mod outside;

use std::path::Path;

use vnet_ovsdb::Remote;
use vnet_types::Inventory;
use vnet_xml::network::{ForwardMode, OvnEngine};
use vnet_xml::{Network, NodePath};

use crate::finding::Finding;
use crate::rules;

/// The largest packet of a guest: what Geneve over IPv4 leaves of Ethernet's 1500.
pub(crate) const OVN_MTU: u32 = 1442;
/// The most ports of the gateway that can lead to guests: each is a balancer's address, known to
/// every host.
const MOST_FORWARDED: usize = 1024;
/// The bridge of Open vSwitch that guests of OVN are attached to.
const INTEGRATION_BRIDGE: &str = "br-int";

/// Finds what OVN cannot do of a definition that asks for it with `<vnet:ovn>`.
pub fn refused_by_ovn(network: &Network) -> Vec<Finding> {
    crate::finding::in_document_order(check(network, &NodePath::root("network")))
}

pub(crate) fn check(network: &Network, root: &NodePath) -> Vec<Finding> {
    let Some((engine, path)) = place(network, root) else { return Vec::new() };
    let mode = network.forward_mode();
    if !matches!(mode, ForwardMode::None | ForwardMode::Nat | ForwardMode::Route | ForwardMode::Open) {
        let message = format!("OVN makes no network of mode `{mode}`");
        let finding = Finding::new(rules::OVN_NOT_IN_MODE, root.element("forward").attribute("mode"), message);
        return vec![finding.help("write `nat`, `route` or `open`, or make the network without OVN")];
    }
    let mut findings = Vec::new();
    findings.extend(northbound(engine, &path));
    if mode != ForwardMode::None {
        findings.extend(outside::check(network, engine, &path));
    } else if engine.outside.is_some() {
        let message = "a network without `<forward>` has no way to the outside";
        let finding = Finding::new(rules::OVN_WITHOUT_EFFECT, path.element("vnet:outside"), message);
        findings.push(finding.help("add `<forward mode='nat'/>`, or leave it out"));
    }
    findings.extend(forwards(network, root));
    findings.extend(cannot::check(network, root));
    findings
}

/// The servers of the northbound database, and the files for those that speak TLS.
fn northbound(engine: &OvnEngine, path: &NodePath) -> Vec<Finding> {
    let finding = |path, message: String, help: &str| Finding::new(rules::OVN_NORTHBOUND, path, message).help(help);
    let remotes = match Remote::list(&engine.northbound) {
        Ok(remotes) => remotes,
        Err(error) => {
            let help = "write the servers of the northbound database, separated by commas";
            return vec![finding(path.attribute("northbound"), error.to_string(), help)];
        }
    };
    let secure = remotes.iter().find(|remote| matches!(remote, Remote::Ssl(_)));
    let Some(tls) = &engine.tls else {
        let missing = secure.map(|remote| {
            let message = format!("no private key and certificates are named for `{remote}`");
            let help = "add `<vnet:tls key='…' certificate='…' ca='…'/>` with the files of `ovn-nbctl --private-key \
                        --certificate --ca-cert`";
            finding(path.attribute("northbound"), message, help)
        });
        return missing.into_iter().collect();
    };
    let path = path.element("vnet:tls");
    let files = [("key", &tls.key), ("certificate", &tls.certificate), ("ca", &tls.ca)];
    let relative = files.into_iter().filter(|(_, file)| !Path::new(file).is_absolute());
    let relative = relative.map(|(name, file)| {
        let message = format!("`{file}` is another file in each folder that a program runs in");
        finding(path.attribute(name), message, "write the path from `/`")
    });
    relative.collect()
}

/// Guests are attached to Open vSwitch on each host.
pub(crate) fn check_against(network: &Network, root: &NodePath, host: &Inventory) -> Option<Finding> {
    let (_, path) = place(network, root)?;
    if host.links.iter().any(|link| link.name.as_str() == INTEGRATION_BRIDGE) {
        return None;
    }
    let message = format!("this host is none of OVN's: it has no bridge `{INTEGRATION_BRIDGE}` of Open vSwitch");
    let help = "start ovn-controller here (Debian: ovn-host), or attach guests on the hosts that have it; the network \
                itself can be started from here";
    Some(Finding::new(rules::HOST_WITHOUT_OVN, path, message).help(help))
}

fn place<'n>(network: &'n Network, root: &NodePath) -> Option<(&'n OvnEngine, NodePath)> {
    let engine = network.extensions.ovn.as_ref()?;
    Some((engine, root.element("metadata").element("vnet:network").element("vnet:ovn")))
}

/// Ports of the gateway that lead to guests.
fn forwards(network: &Network, root: &NodePath) -> Vec<Finding> {
    let (mut findings, mut count) = (Vec::new(), 0_usize);
    for (path, it) in crate::port_forward::places(network, root) {
        if it.forward.dev.is_some() {
            let message = "the gateway of OVN has no devices of a host";
            let finding = Finding::new(rules::OVN_PORT_FORWARD, path.attribute("dev"), message);
            findings.push(finding.help("leave `dev` out, and write `address`"));
        }
        let before = count;
        let leads = it.forward.leads();
        count += leads.iter().map(|(ports, _)| usize::from(ports.end() - ports.start()) + 1).sum::<usize>();
        if before <= MOST_FORWARDED && count > MOST_FORWARDED {
            let message =
                format!("the network's forwards have {count} ports and more, {MOST_FORWARDED} are possible with OVN");
            findings.push(
                Finding::new(rules::OVN_PORT_FORWARD, path, message)
                    .help("name fewer ports; a guest of a routed network needs no forwards"),
            );
        }
    }
    findings
}
