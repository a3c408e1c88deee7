//! The limits that a definition sets to a guest's traffic. Pure.

use std::fmt;
use std::time::Duration;

use vnet_xml::{Bandwidth, Network, Rate};

use crate::guest::Guest;
use crate::promise::{Promise, Side};

/// What is sent beyond the limit: so many times what may arrive.
const EXCESS: u64 = 2;
/// The most bytes per second that any host carries from one program to the other.
const MOST: u64 = 25_000_000;
/// A frame, or some that are on the way, more than was counted.
const SLACK: u64 = 64 << 10;

/// A limit of a guest's traffic in one direction: the tightest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) direction: Direction,
    /// Bytes per second.
    rate: u64,
    /// Bytes that may pass at once.
    burst: u64,
}

/// Which traffic of a guest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the guest.
    In,
    /// From the guest.
    Out,
}

impl Direction {
    /// That of who is at the other end.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

impl Limit {
    /// The limit of a rate, if it is one. Only traffic to guests has a peak. A limit of OVN is a
    /// meter of Open vSwitch: it has no peak, and lets as much as in a second pass at once unless
    /// it is told otherwise.
    fn of(direction: Direction, rate: &Rate, on_ovn: bool) -> Option<Self> {
        let average = rate.average.filter(|average| *average > 0)?;
        let (fastest, burst) = match direction {
            _ if on_ovn => (average, rate.burst.filter(|burst| *burst > 0).unwrap_or(average)),
            Direction::In => (average.max(rate.peak.unwrap_or_default()), rate.burst.unwrap_or_default()),
            Direction::Out => (average, rate.burst.unwrap_or(average)),
        };
        Some(Self { direction, rate: fastest.saturating_mul(1000), burst: burst.saturating_mul(1024) })
    }

    /// How long it is measured: longer when a burst hides the rate.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_millis(if self.burst > 1 << 20 { 1000 } else { 400 })
    }

    /// The bytes that may pass in that time.
    pub(crate) fn most(&self) -> u64 {
        let milliseconds = u64::try_from(self.time().as_millis()).unwrap_or(u64::MAX);
        (self.rate.saturating_mul(milliseconds) / 1000).saturating_add(self.burst)
    }

    /// The bytes that are sent to see that.
    pub(crate) fn offer(&self) -> u64 {
        self.most().saturating_mul(EXCESS).saturating_add(SLACK)
    }

    /// Whether so much can be sent here.
    pub(crate) fn is_measurable(&self) -> bool {
        self.offer().saturating_mul(1000) / u64::try_from(self.time().as_millis()).unwrap_or(u64::MAX) <= MOST
    }

    /// Whether it holds when so many bytes arrive, with a tenth for the clock.
    pub(crate) fn allows(&self, arrived: u64) -> bool {
        arrived <= self.most() + self.most() / 10 + SLACK
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kB/s", self.rate / 1000)?;
        if self.burst > 0 {
            write!(f, " and {} KiB at once", self.burst / 1024)?;
        }
        Ok(())
    }
}

/// The limits of the first guest, and of the first of each portgroup. They are measured with the
/// host, so there are none where it has no address.
pub(super) fn promises(network: &Network, guests: &[Guest]) -> Vec<Promise> {
    if network.ips.is_empty() {
        return Vec::new();
    }
    let mut promises = Vec::new();
    for (number, guest) in guests.iter().enumerate().filter(|(at, guest)| *at == 0 || guest.port_group.is_some()) {
        let limits = [Direction::In, Direction::Out].into_iter().filter_map(|it| limit_of(network, guest, it));
        promises.extend(limits.map(|limit| Promise::Limit { guest: number, limit, with: Some(Side::Host) }));
    }
    promises
}

/// The tightest limit of a guest in a direction.
pub(super) fn limit_of(network: &Network, guest: &Guest, direction: Direction) -> Option<Limit> {
    let rate = |bandwidth: &Bandwidth| match direction {
        Direction::In => bandwidth.inbound,
        Direction::Out => bandwidth.outbound,
    };
    let group = network.port_group(guest.port_group.as_deref());
    let both = [network.bandwidth.as_ref(), group.and_then(|group| group.bandwidth.as_ref())];
    let limits = both.into_iter().flatten().filter_map(rate);
    let limits = limits.filter_map(|rate| Limit::of(direction, &rate, network.is_on_ovn()));
    limits.min_by_key(Limit::most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::guests;

    fn network(text: &str) -> Network {
        let text =
            format!("<network><name>n</name><forward mode='nat'/>{text}<ip address='10.7.7.1' prefix='24'/></network>");
        text.parse().unwrap()
    }

    fn texts(text: &str) -> Vec<String> {
        let network = network(text);
        let guests = guests(&network);
        promises(&network, &guests).iter().map(|promise| promise.text(&guests)).collect()
    }

    #[test]
    fn the_tightest_limit_of_each_direction_is_promised() {
        let group = "<portgroup name='slow'><bandwidth><inbound average='300' burst='20'/>
            <outbound average='9000'/></bandwidth></portgroup>";
        let whole = "<bandwidth><inbound average='2000' peak='5000'/><outbound average='1000'/></bandwidth>";
        assert_eq!(
            texts(&format!("{whole}{group}")),
            [
                "guest1 receives at most 5000 kB/s",
                "guest1 sends at most 1000 kB/s and 1000 KiB at once",
                "group1 of portgroup slow receives at most 300 kB/s and 20 KiB at once",
                "group1 of portgroup slow sends at most 1000 kB/s and 1000 KiB at once",
            ]
        );
        assert_eq!(texts("<bandwidth><inbound average='0'/></bandwidth>"), [""; 0]);
    }

    #[test]
    fn a_limit_of_ovn_is_a_meter() {
        let mut rate = Rate::default();
        (rate.average, rate.peak) = (Some(300), Some(5000));
        let text = |rate: &Rate| Limit::of(Direction::In, rate, true).unwrap().to_string();
        assert_eq!(text(&rate), "300 kB/s and 300 KiB at once");
        rate.burst = Some(20);
        assert_eq!(text(&rate), "300 kB/s and 20 KiB at once");
    }

    #[test]
    fn a_limit_is_broken_by_what_it_would_not_let_pass() {
        let limit = |average: u64, burst: u64| {
            let mut rate = Rate::default();
            (rate.average, rate.burst) = (Some(average), Some(burst));
            Limit::of(Direction::In, &rate, false).unwrap()
        };
        let slow = limit(300, 20);
        assert!(slow.is_measurable() && slow.allows(slow.most()) && !slow.allows(slow.offer()));
        assert!(limit(1000, 5120).is_measurable());
        assert!(!limit(125_000, 0).is_measurable());
        assert!(!limit(u64::MAX, u64::MAX).is_measurable());
    }
}
