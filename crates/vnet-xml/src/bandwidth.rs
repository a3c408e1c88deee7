//! `<bandwidth>`: limits of traffic, in networks, portgroups, network ports and guests' interfaces.

use std::fmt;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::number;
use crate::write::Writer;

/// `<bandwidth>`: the limits of traffic in each direction, seen from the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Bandwidth {
    /// `classID`: the class of the guest below its bridge; in network ports only.
    pub class_id: Option<u32>,
    /// `<inbound>`: to the guest.
    pub inbound: Option<Rate>,
    /// `<outbound>`: from the guest.
    pub outbound: Option<Rate>,
}

/// `<inbound>` or `<outbound>` of `<bandwidth>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Rate {
    /// `average`, in kilobytes (1000 bytes) per second.
    pub average: Option<u64>,
    /// `peak`: the rate during a burst, in kilobytes (1000 bytes) per second.
    pub peak: Option<u64>,
    /// `floor`: the rate that is reserved for the guest, in kilobytes (1000 bytes) per second;
    /// inbound only.
    pub floor: Option<u64>,
    /// `burst`: how much may pass at `peak`, in kibibytes (1024 bytes).
    pub burst: Option<u64>,
}

/// What a `<bandwidth>` belongs to. This decides which parts of it are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BandwidthOf {
    /// A network, a portgroup, or an interface that is not on a network.
    Anything,
    /// A guest's interface on a network: it can have a `floor`.
    NetworkInterface,
    /// A network port: it can have a `floor` and a `classID`.
    NetworkPort,
}

impl Rate {
    /// A limit on the average only, in kilobytes (1000 bytes) per second.
    pub fn average(kilobytes: u64) -> Self {
        Self { average: Some(kilobytes), ..Self::default() }
    }
}

pub(crate) static GRAMMAR: Grammar = Grammar::new(&["classID"], &[("inbound", &RATE), ("outbound", &RATE)]);
static RATE: Grammar = Grammar::new(&["average", "peak", "floor", "burst"], &[]);

/// Reads `<bandwidth>`; `None` if it limits nothing.
pub(crate) fn bandwidth(element: &Element<'_>, of: BandwidthOf) -> Option<Bandwidth> {
    element.expect(&GRAMMAR);
    if of != BandwidthOf::NetworkPort {
        element.misplaced("classID", "only the bandwidth of a network port has a `classID`".to_owned());
    }
    let class_id = element.value("classID", number).filter(|class_id| *class_id != 0);
    let inbound = element.only_child("inbound").map(|element| rate(&element, of != BandwidthOf::Anything));
    let outbound = element.only_child("outbound").map(|element| rate(&element, false));
    (inbound.is_some() || outbound.is_some()).then_some(Bandwidth { class_id, inbound, outbound })
}

fn rate(element: &Element<'_>, floor_allowed: bool) -> Rate {
    element.expect(&RATE);
    if !floor_allowed {
        element.misplaced("floor", "only the inbound traffic of a guest on a network can have a `floor`".to_owned());
    }
    if !element.has("average") {
        match ["peak", "burst"].into_iter().find(|name| element.has(name)) {
            Some(name) => element.misplaced(name, format!("`{name}` has a meaning beside an `average` only")),
            None if !element.has("floor") => element.missing("average"),
            None => {}
        }
    }
    let some = |name| element.value(name, number).filter(|number| *number != 0);
    Rate { average: some("average"), peak: some("peak"), floor: some("floor"), burst: some("burst") }
}

impl Bandwidth {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> fmt::Result {
        // A rate with neither an average nor a floor is not printed. If that leaves nothing,
        // libvirt prints an empty element, but not when it prints what it has read back.
        let promises = |rate: Option<Rate>| rate.filter(|rate| rate.average.is_some() || rate.floor.is_some());
        let (inbound, outbound) = (promises(self.inbound), promises(self.outbound));
        if inbound.is_none() && outbound.is_none() {
            return Ok(());
        }
        writer.tag("bandwidth")?.optional("classID", self.class_id)?.around(|writer| {
            for (name, rate) in [("inbound", inbound), ("outbound", outbound)] {
                let Some(rate) = rate else { continue };
                let tag = writer.tag(name)?.optional("average", rate.average)?.optional("peak", rate.peak)?;
                tag.optional("floor", rate.floor)?.optional("burst", rate.burst)?.empty()?;
            }
            Ok(())
        })
    }
}
