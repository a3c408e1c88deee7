//! A guest's `<interface>`: what libvirt refuses when a guest is defined and when it is started.

mod connection;
mod device;
mod guest;
mod host;
pub(crate) mod passt;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use vnet_xml::interface::{DeviceAddress, HostdevAddress, HostdevSource, Source, Teaming};
use vnet_xml::{Domain, Interface, NodePath};

use crate::finding::Finding;
use crate::rules::{self, Hypervisor, Rule, rule};

pub(crate) use connection::{too_fast, vlan_ids};
pub(crate) use host::{check as check_against, fixed_bridge, without_policer};

/// A set of interface types, to compare with and to list.
struct Types(&'static [&'static str]);

impl Types {
    fn has(&self, source: &Source) -> bool {
        self.0.contains(&source.word())
    }

    /// `network, bridge or ethernet`
    fn list(&self) -> String {
        match self.0 {
            [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            types => types.concat(),
        }
    }
}

pub(crate) fn check(interface: &Interface, root: &NodePath) -> Vec<Finding> {
    let subjects = [connection::check, device::check, guest::check, passt::check];
    subjects.into_iter().flat_map(|check| check(interface, root)).collect()
}

/// Checks the interfaces of a guest, each alone and together with the others.
pub(crate) fn check_domain(domain: &Domain, root: &NodePath) -> Vec<Finding> {
    let place = |index| root.element("devices").nth("interface", index);
    let interfaces = || domain.interfaces.iter().enumerate();
    let mut findings: Vec<_> = interfaces().flat_map(|(index, it)| check(it, &place(index))).collect();
    if !domain.shared_memory {
        findings.extend(interfaces().filter_map(|(index, it)| connection::unseen(it, &place(index))));
    }
    // The two devices of a `<teaming>` share one MAC address.
    let alone = interfaces().filter(|(_, it)| !matches!(it.teaming, Some(Teaming::Transient { .. })));
    let macs =
        alone.filter_map(|(index, it)| Some((it.mac_address()?, place(index).element("mac").attribute("address"))));
    findings.extend(twice(rules::INTERFACES_SHARE_MAC, macs, "MAC address"));
    let devices = interfaces().filter_map(|(index, it)| {
        let dev = it.target.as_ref()?.dev.as_ref().filter(|dev| !dev.contains('%'))?;
        Some((dev, place(index).element("target").attribute("dev")))
    });
    findings.extend(twice(rules::INTERFACES_SHARE, devices, "device"));
    let orders = interfaces()
        .filter_map(|(index, it)| Some((it.boot.as_ref()?.order, place(index).element("boot").attribute("order"))));
    findings.extend(twice(rules::INTERFACES_SHARE, orders, "place in the boot order"));
    let aliases = interfaces()
        .filter_map(|(index, it)| Some((it.alias.as_ref()?, place(index).element("alias").attribute("name"))));
    let known: HashSet<_> = aliases.clone().map(|(alias, _)| alias).collect();
    findings.extend(twice(rules::INTERFACES_SHARE, aliases, "alias"));
    findings.extend(interfaces().filter_map(|(index, it)| {
        let Some(Teaming::Transient { persistent: Some(alias) }) = &it.teaming else { return None };
        let message = format!("no other interface of the guest has the alias `{alias}`");
        let path = place(index).element("teaming").attribute("persistent");
        let finding = (!known.contains(alias)).then(|| Finding::new(rules::TEAMING_ALONE, path, message))?;
        Some(finding.help(format!("write `<alias name='{alias}'/>` in the interface that stays")))
    }));
    let indices =
        interfaces().filter_map(|(index, it)| Some((it.acpi_index?, place(index).element("acpi").attribute("index"))));
    findings.extend(twice(rules::INTERFACES_SHARE, indices, "ACPI index"));
    let addresses = interfaces().filter_map(|(index, it)| match &it.address {
        Some(DeviceAddress::Pci { address, .. }) => Some(((*address)?, place(index).element("address"))),
        _ => None,
    });
    findings.extend(twice(rules::INTERFACES_SHARE, addresses, "PCI address"));
    let hostdevs = interfaces().filter_map(|(index, it)| match &it.source {
        Source::Hostdev(HostdevSource { address: HostdevAddress::Pci(address), .. }) => {
            Some((*address, place(index).element("source").element("address")))
        }
        _ => None,
    });
    findings.extend(twice(rules::INTERFACES_SHARE, hostdevs, "device of the host"));
    let forwards = interfaces().filter(|(_, it)| it.is_passt());
    let forwards = forwards.flat_map(|(index, it)| passt::forwarded(it, &place(index)).collect::<Vec<_>>());
    findings.extend(passt::clashes(&forwards.collect::<Vec<_>>()));
    if !domain.is_qemu() {
        let of_qemu = |finding: &Finding| rule(finding.code).is_some_and(|rule| rule.hypervisor == Hypervisor::Qemu);
        findings.retain(|finding| !of_qemu(finding));
    }
    findings
}

/// What two interfaces of a guest cannot share.
fn twice<T>(rule: Rule, values: impl Iterator<Item = (T, NodePath)>, what: &str) -> Vec<Finding>
where
    T: Eq + Hash + std::fmt::Display,
{
    let mut first: HashMap<T, NodePath> = HashMap::new();
    let mut findings = Vec::new();
    for (value, path) in values {
        match first.get(&value) {
            Some(other) => {
                let message = format!("the {what} `{value}` belongs to another interface of the guest already");
                let finding = Finding::new(rule, path, message);
                findings.push(finding.related(other.clone(), "the first one is here").help("write another one"));
            }
            None => drop(first.insert(value, path)),
        }
    }
    findings
}
