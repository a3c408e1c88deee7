//! A guest's floor: a class of its own, and a filter that sends the guest's packets to it.

use std::collections::BTreeSet;

use vnet_types::{Features, Filter, FilterAction, FilterMatch, InterfaceName, MacAddr, TrafficHandle};
use vnet_xml::Rate;

use super::{FIRST, REST, ROOT, WHOLE, bytes, class, leaf, quantum};
use crate::Resource;

/// The priority of the filters for packets to guests with a floor.
pub(in crate::lower) const FLOORS: u16 = 2;

/// A guest's floor: the bandwidth that it gets however much the others use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor<'a> {
    /// The bridge of its network.
    pub bridge: &'a InterfaceName,
    /// `<inbound>` of the network, which is shared.
    pub network: &'a Rate,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// `<inbound>` of the guest, with the floor.
    pub guest: &'a Rate,
    /// The number of its class, 3 or more, see [`free_class`].
    pub class: u16,
}

/// Why a floor cannot be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FloorError {
    /// The guest shares no bandwidth with others.
    #[error("a floor can be kept on a network with a bridge of its own only: isolated, nat, route or open")]
    NotShared,
    /// The network's inbound traffic has no limit, so there is nothing to share out.
    #[error("the network has no limit for inbound traffic, which a floor needs")]
    NoInbound,
    /// The floors together exceed the network's bandwidth.
    #[error("floors of {sum} kilobytes per second would be promised, but the network has {limit}")]
    Overcommitted {
        /// All floors together.
        sum: u64,
        /// The network's peak, or average.
        limit: u64,
    },
    /// All class numbers are taken.
    #[error("the bridge has no class left for another floor")]
    NoClass,
}

/// The class and the filter for a guest's floor on the bridge of its network; empty if it has no
/// floor.
///
/// The floor is for IPv4 only, as with libvirt. `others` are the floors of the network's other
/// guests together, in kilobytes per second.
///
/// # Errors
/// [`FloorError`]
pub fn floor(floor: &Floor<'_>, others: u64, features: &Features) -> Result<Vec<Resource>, FloorError> {
    let Some(own) = floor.guest.floor.filter(|own| *own != 0) else { return Ok(Vec::new()) };
    let limit = floor.network.peak.or(floor.network.average).ok_or(FloorError::NoInbound)?;
    let sum = others.saturating_add(own);
    if sum > limit {
        return Err(FloorError::Overcommitted { sum, limit });
    }
    let handle = TrafficHandle::new(1, floor.class);
    let filter = Filter {
        link: floor.bridge.clone(),
        parent: ROOT,
        priority: FLOORS,
        handle: FIRST & 0xffff_f000 | node(floor.class).ok_or(FloorError::NoClass)?,
        matches: FilterMatch::Ipv4To(floor.mac),
        action: FilterAction::Class(handle),
    };
    let class = class(floor.bridge, WHOLE, handle, bytes(own), bytes(limit), quantum(floor.guest));
    let mut all = vec![Resource::Class(class)];
    all.extend(leaf(floor.bridge, handle, features));
    all.push(Resource::Filter(filter));
    Ok(all)
}

/// The smallest class number that no floor of the bridge uses.
pub fn free_class(taken: impl IntoIterator<Item = u16>) -> Option<u16> {
    let taken: BTreeSet<u16> = taken.into_iter().collect();
    (REST.minor + 1..).take_while(|class| node(*class).is_some()).find(|class| !taken.contains(class))
}

/// The number of a floor's filter. libvirt adds 800 to the class and reads the decimal digits as
/// hexadecimal; classes above 199 get the numbers after those.
fn node(class: u16) -> Option<u32> {
    let number = match class {
        0..200 => u32::from_str_radix(&(800 + class).to_string(), 16).ok()?,
        _ => 0xa00 + u32::from(class) - 200,
    };
    (number <= 0xfff).then_some(number)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::{name, rate, words};
    use super::*;

    #[rstest]
    #[case::fits(rate(1000, 5000, 0, 0), 200, 4800, Ok(3))]
    #[case::none(rate(1000, 0, 0, 0), 0, 0, Ok(0))]
    #[case::beyond_the_peak(rate(1000, 5000, 0, 0), 201, 4800, Err(FloorError::Overcommitted { sum: 5001, limit: 5000 }))]
    #[case::beyond_the_average(rate(1000, 0, 0, 0), 1001, 0, Err(FloorError::Overcommitted { sum: 1001, limit: 1000 }))]
    #[case::of_nothing(rate(0, 0, 0, 0), 1, 0, Err(FloorError::NoInbound))]
    fn floors(
        #[case] network: Option<Rate>,
        #[case] own: u64,
        #[case] others: u64,
        #[case] expected: Result<usize, FloorError>,
    ) {
        let (bridge, network, guest) = (name("virbr0"), network.expect("a rate"), rate(0, 0, own, 0).expect("a rate"));
        let mac = MacAddr([0x52, 0x54, 0, 0xa, 0xb, 0xc]);
        let wanted = Floor { bridge: &bridge, network: &network, mac, guest: &guest, class: 10 };
        let made = floor(&wanted, others, &Features::ALL);
        if let Ok(made) = &made
            && own != 0
        {
            assert_eq!(
                words(made.clone()),
                [
                    "+ tc class add dev virbr0 parent 1:1 classid 1:a htb rate 200kbps ceil 5000kbps quantum 1",
                    "+ tc qdisc add dev virbr0 parent 1:a handle a: sfq perturb 10",
                    "+ tc filter add dev virbr0 parent 1: prio 2 protocol ip handle 800::810 u32 match u16 0x0800 0xffff \
                     at -2 match u32 0x000a0b0c 0xffffffff at -12 match u16 0x5254 0xffff at -14 flowid 1:a",
                ]
            );
        }
        assert_eq!(made.map(|made| made.len()), expected);
    }

    #[test]
    fn classes_have_filters_of_their_own() {
        assert_eq!(free_class([]), Some(3));
        assert_eq!(free_class([3, 4, 6]), Some(5));
        let all: Vec<u16> = std::iter::successors(Some(3), |last| free_class(3..=*last)).collect();
        let nodes: BTreeSet<_> = all.iter().filter_map(|class| node(*class)).collect();
        assert_eq!((all.len(), nodes.len()), (1733, 1733));
    }
}
