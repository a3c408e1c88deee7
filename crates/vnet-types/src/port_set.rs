//! Sets of TCP or UDP ports, and when two programs cannot use the same port.

use std::fmt;
use std::net::IpAddr;

use crate::{InterfaceName, PortRange};

/// A set of ports: ranges in order, with gaps between them.
///
/// ```
/// use vnet_types::PortSet;
///
/// let web: PortSet = ["80-89".parse()?, "443-443".parse()?].into_iter().collect();
/// let low: PortSet = ["0-1023".parse()?, "8080-8080".parse()?].into_iter().collect();
/// assert_eq!(low.difference(&web).to_string(), "0-79,90-442,444-1023,8080");
/// assert_eq!(low.intersection(&web), web);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet(Vec<PortRange>);

impl PortSet {
    /// Whether the set has no port.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the set has this port.
    pub fn contains(&self, port: u16) -> bool {
        self.from(port).first().is_some_and(|range| range.start() <= port)
    }

    /// The ranges, in order, with a gap after each.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = PortRange> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// The ports, in order.
    pub fn ports(&self) -> impl DoubleEndedIterator<Item = u16> + '_ {
        self.0.iter().flat_map(|range| range.start()..=range.end())
    }

    /// The ports that are in at least one of the two sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.ranges().chain(other.ranges()).collect()
    }

    /// The ports that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (few, many) = if self.0.len() < other.0.len() { (self, other) } else { (other, self) };
        let common = few.0.iter().flat_map(|range| {
            let touched = many.from(range.start()).iter().take_while(|it| it.start() <= range.end());
            touched.map(|it| between(range.start().max(it.start()), range.end().min(it.end())))
        });
        Self(common.collect())
    }

    /// The ports that are in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let left = self.0.iter().flat_map(|range| {
            let mut next = Some(range.start());
            let taken = other.from(range.start()).iter().take_while(|it| it.start() <= range.end());
            let mut left: Vec<PortRange> = Vec::new();
            for it in taken {
                let start = next.take().filter(|start| *start < it.start());
                left.extend(start.map(|start| between(start, it.start() - 1)));
                next = it.end().checked_add(1);
            }
            left.extend(next.filter(|start| *start <= range.end()).map(|start| between(start, range.end())));
            left
        });
        Self(left.collect())
    }

    /// The ranges that end at or after a port.
    fn from(&self, port: u16) -> &[PortRange] {
        &self.0[self.0.partition_point(|range| range.end() < port)..]
    }
}

fn between(start: u16, end: u16) -> PortRange {
    PortRange::new(start, end).expect("the ends are in order")
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        let mut ranges = Vec::from_iter(ranges);
        ranges.sort_unstable_by_key(|range| range.start());
        let mut set: Vec<PortRange> = Vec::new();
        for range in ranges {
            match set.last_mut() {
                Some(last) if range.start() <= last.end().saturating_add(1) => {
                    *last = between(last.start(), last.end().max(range.end()));
                }
                _ => set.push(range),
            }
        }
        Self(set)
    }
}

impl From<PortRange> for PortSet {
    fn from(range: PortRange) -> Self {
        Self(vec![range])
    }
}

/// `22,8000-8080`
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match range.start() == range.end() {
                true => write!(f, "{}", range.start())?,
                false => write!(f, "{range}")?,
            }
        }
        Ok(())
    }
}

/// Where a program listens, without the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener<'a> {
    /// The address; `None`: every address of both families.
    pub address: Option<IpAddr>,
    /// The device that packets have to arrive on; `None`: any device.
    pub device: Option<&'a InterfaceName>,
}

impl Listener<'_> {
    /// Whether both cannot listen on the same port: the kernel refuses the second.
    ///
    /// ```
    /// use vnet_types::Listener;
    ///
    /// let at = |address: &str| Listener { address: address.parse().ok(), device: None };
    /// assert!(at("0.0.0.0").clashes(at("127.0.0.1")));
    /// assert!(!at("192.0.2.1").clashes(at("127.0.0.1")));
    /// ```
    pub fn clashes(self, other: Listener<'_>) -> bool {
        let address = match (self.address, other.address) {
            (Some(one), Some(other)) => {
                one == other || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified())
            }
            _ => true,
        };
        let device = match (self.device, other.device) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        address && device
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Each port as one bit: the reference that the sets are compared with.
    fn bits(ranges: &[PortRange]) -> Vec<bool> {
        let mut bits = vec![false; 1 << 16];
        ranges.iter().for_each(|it| bits[usize::from(it.start())..=usize::from(it.end())].fill(true));
        bits
    }

    fn both(one: &[bool], other: &[bool], keep: fn(bool, bool) -> bool) -> Vec<bool> {
        one.iter().zip(other).map(|(one, other)| keep(*one, *other)).collect()
    }

    /// Ranges near each other and near the limits, so that they touch and overlap.
    fn ranges() -> impl Strategy<Value = Vec<PortRange>> {
        let port = prop_oneof![0..40u16, (u16::MAX - 40)..=u16::MAX, any::<u16>()];
        let range = (port, 0..30u16).prop_map(|(start, more)| between(start, start.saturating_add(more)));
        prop::collection::vec(range, 0..12)
    }

    proptest! {
        #[test]
        fn sets_are_bitmaps(one in ranges(), other in ranges(), port in any::<u16>()) {
            let sets = [&one, &other].map(|ranges| PortSet::from_iter(ranges.iter().copied()));
            let (one, other) = (bits(&one), bits(&other));
            let [first, second] = &sets;
            let same = |set: &PortSet, expected: Vec<bool>| {
                let ranges = Vec::from_iter(set.ranges());
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start() - 1), "{}", set);
                prop_assert!(bits(&ranges) == expected, "{}", set);
                Ok(())
            };
            same(first, one.clone())?;
            same(&first.union(second), both(&one, &other, |one, other| one || other))?;
            same(&first.intersection(second), both(&one, &other, |one, other| one && other))?;
            same(&first.difference(second), both(&one, &other, |one, other| one && !other))?;
            prop_assert_eq!(first.contains(port), one[usize::from(port)]);
            prop_assert_eq!(first.is_empty(), !one.contains(&true));
            prop_assert_eq!(first.ports().count(), one.iter().filter(|port| **port).count());
            prop_assert!(first.ports().all(|port| one[usize::from(port)]));
        }
    }

    #[rstest]
    #[case("10.0.0.1", "", "10.0.0.1", "", true)]
    #[case("10.0.0.1", "", "10.0.0.2", "", false)]
    #[case("", "", "10.0.0.2", "", true)]
    #[case("10.0.0.1", "", "0.0.0.0", "", true)]
    #[case("0.0.0.0", "", "::1", "", false)]
    #[case("::", "", "127.0.0.1", "", false)]
    #[case("::", "", "::1", "", true)]
    #[case("", "eth0", "", "eth1", false)]
    #[case("", "eth0", "", "eth0", true)]
    #[case("10.0.0.1", "eth0", "10.0.0.1", "", true)]
    fn listeners(#[case] one: &str, #[case] dev: &str, #[case] other: &str, #[case] with: &str, #[case] clash: bool) {
        let (dev, with) = (dev.parse().ok(), with.parse().ok());
        let [one, other] = [(one, &dev), (other, &with)]
            .map(|(address, device)| Listener { address: address.parse().ok(), device: device.as_ref() });
        assert_eq!((one.clashes(other), other.clashes(one)), (clash, clash));
    }
}
