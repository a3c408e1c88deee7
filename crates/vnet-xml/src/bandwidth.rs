//! `<bandwidth>`: how much may pass, in networks, portgroups, network ports and guests' interfaces.

use std::fmt;

use crate::element::Element;
use crate::grammar::Grammar;
use crate::value::number;
use crate::write::Writer;

/// `<bandwidth>`: how much may pass each way, seen from the guest.
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
    /// `peak`, in kilobytes (1000 bytes) per second: while a burst lasts.
    pub peak: Option<u64>,
    /// `floor`, in kilobytes (1000 bytes) per second: what is kept for the guest; inbound only.
    pub floor: Option<u64>,
    /// `burst`, in kibibytes (1024 bytes): how much may pass at `peak`.
    pub burst: Option<u64>,
}

/// Whose bandwidth it is: not everyone can have everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BandwidthOf {
    /// A network, a portgroup, or an interface on something else than a network.
    Anything,
    /// A guest's interface on a network: it can have a `floor`.
    NetworkInterface,
    /// A network port: it can have a `floor` and a `classID`.
    NetworkPort,
}

impl Rate {
    /// So much on average, in kilobytes (1000 bytes) per second.
    pub fn average(kilobytes: u64) -> Self {
        Self { average: Some(kilobytes), ..Self::default() }
    }
}

pub(crate) static GRAMMAR: Grammar = Grammar::new(&["classID"], &[("inbound", &RATE), ("outbound", &RATE)]);
static RATE: Grammar = Grammar::new(&["average", "peak", "floor", "burst"], &[]);

/// Reads `<bandwidth>`; `None` where it limits nothing.
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
        // A rate that promises nothing is not printed; without any, libvirt leaves an empty element
        // that it would not print a second time.
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
