//! Flowtables.

use std::collections::BTreeSet;

use vnet_types::InterfaceName;

use super::attribute::{Writer, attribute, attributes, text_of, u32_of};
#[cfg(feature = "netlink")]
use super::expression::{self, Expression, FLOW_OFFLOAD};
use super::message::TABLE;
#[cfg(feature = "netlink")]
use super::message::{self, CREATE, NEW_CHAIN, NEW_FLOWTABLE, NEW_RULE, NEW_TABLE};
use super::own::Owner;
use super::table::Table;
use crate::ruleset::{Element, Flowtable, Ruleset};
use crate::shared::{ACCELERATED, devices, flowtable};

const NAME: u16 = 2;
const HOOK: u16 = 3;
const NUMBER: u16 = 1;
const PRIORITY: u16 = 2;
const DEVICES: u16 = 3;
const DEVICE: u16 = 1;
/// `NF_NETDEV_INGRESS`
const INGRESS: u32 = 0;

/// A transaction that every kernel refuses: with `EINVAL` one that has flowtables and adds
/// connections to them, since the rule names none; with another error one that has not.
#[cfg(feature = "netlink")]
pub(crate) fn trial() -> Vec<u8> {
    const TRIAL: &str = "vnet_trial";
    let mut bytes = Vec::new();
    message::begin(&mut bytes, 0, None);
    message::write(&mut bytes, NEW_TABLE, CREATE, 1, |table| {
        table.text(1, TRIAL);
    });
    message::write(&mut bytes, NEW_FLOWTABLE, CREATE, 2, |flowtable| {
        flowtable.text(1, TRIAL).text(NAME, TRIAL).nest(HOOK, |hook| {
            hook.be32(NUMBER, INGRESS).be32(PRIORITY, 0);
        });
    });
    message::write(&mut bytes, NEW_CHAIN, CREATE, 3, |chain| {
        chain.text(1, TRIAL).text(3, TRIAL);
    });
    let last = bytes.len();
    message::write(&mut bytes, NEW_RULE, CREATE, 4, |rule| {
        rule.text(1, TRIAL).text(2, TRIAL);
        expression::write_all(&[Expression::new(&FLOW_OFFLOAD, [])], rule);
    });
    message::acknowledge(&mut bytes, last);
    message::end(&mut bytes, 5);
    bytes
}

/// Writes the attributes of a flowtable, or of one that gets more devices.
pub(super) fn write(flowtable: &Flowtable, to: &mut Writer<'_>) {
    to.text(1, TABLE).text(NAME, &flowtable.name).nest(HOOK, |hook| {
        hook.be32(NUMBER, INGRESS).be32(PRIORITY, flowtable.priority.cast_unsigned()).nest(DEVICES, |devices| {
            for device in &flowtable.devices {
                devices.text(DEVICE, device.as_str());
            }
        });
    });
}

/// Reads what [`write`] writes and the kernel shows.
pub(super) fn read(message: &[u8]) -> Option<Flowtable> {
    let hook = attribute(message, HOOK)?;
    let names = attributes(attribute(hook, DEVICES).unwrap_or_default()).filter_map(|(_, name)| text_of(name));
    let mut devices: Vec<InterfaceName> = names.filter_map(|name| name.parse().ok()).collect();
    devices.sort();
    Some(Flowtable {
        name: attribute(message, NAME).and_then(text_of)?,
        priority: attribute(hook, PRIORITY).and_then(u32_of)?.cast_signed(),
        devices,
    })
}

impl Table {
    /// The flowtable with those of its devices that these elements name.
    pub(super) fn flowtable_of(&self, elements: Vec<&Element>) -> Option<Flowtable> {
        let named: BTreeSet<InterfaceName> = elements.into_iter().flat_map(devices).collect();
        let here = self.flowtable.as_ref().filter(|_| !named.is_empty())?;
        let devices = here.devices.iter().filter(|device| named.contains(device)).cloned().collect();
        Some(Flowtable { devices, ..here.clone() })
    }

    /// Whether networks have connections in the flowtable.
    pub(super) fn accelerates(&self, own: &[Owner]) -> bool {
        self.accelerated(own, true).next().is_some()
    }

    /// The flowtable after a network is changed to these rules, or removed: the devices that other
    /// networks name stay if they are there. `None` if it has no device.
    pub(super) fn flowtable_with(&self, own: &[Owner], to: Option<&Ruleset>) -> Option<Flowtable> {
        let others: BTreeSet<InterfaceName> = self.accelerated(own, false).flat_map(devices).collect();
        let here = self.flowtable.iter().flat_map(|here| &here.devices);
        let stay = here.filter(|device| others.contains(device));
        let wanted = to.and_then(|to| to.flowtable.as_ref()).into_iter().flat_map(|it| &it.devices);
        Some(flowtable(stay.chain(wanted).cloned())).filter(|it| !it.devices.is_empty())
    }

    fn accelerated<'t>(&'t self, own: &'t [Owner], of_own: bool) -> impl Iterator<Item = &'t Element> {
        let elements = self.set(ACCELERATED).into_iter().flat_map(|set| &set.elements);
        elements.filter(move |element| own.iter().any(|own| own.owns(element)) == of_own)
    }
}
