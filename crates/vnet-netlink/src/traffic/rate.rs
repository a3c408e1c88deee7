//! Rates and bursts as the kernel counts them: in bytes per second, and in the ticks that a burst
//! takes at its rate (`linux/pkt_sched.h`).

use crate::message::{Request, attribute, number32};

/// One tick of the packet schedulers, since Linux 2.6.31 (`PSCHED_SHIFT`).
const TICK_NANOSECONDS: u128 = 64;
const NANOSECONDS: u128 = 1_000_000_000;
/// `TC_LINKLAYER_ETHERNET`: the kernel needs no table of times to learn it from.
const ETHERNET: u8 = 1;
/// Length of `struct tc_ratespec`.
pub(super) const SPEC: usize = 12;

/// The time that `bytes` take at a rate, in ticks, rounded up as `tc` of iproute2 6.15 does; 6.1
/// cuts it to whole microseconds.
pub(super) fn ticks(rate: u64, bytes: u32) -> u32 {
    let ticks = (u128::from(bytes) * NANOSECONDS).div_ceil(u128::from(rate.max(1)) * TICK_NANOSECONDS);
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// The number of bytes that pass in this many ticks.
pub(super) fn bytes(rate: u64, ticks: u32) -> u32 {
    u32::try_from(u128::from(rate) * u128::from(ticks) * TICK_NANOSECONDS / NANOSECONDS).unwrap_or(u32::MAX)
}

/// `struct tc_ratespec`. A rate that does not fit gets a separate attribute, see [`with_rate64`].
pub(super) fn spec(rate: u64, cell_log: u8) -> [u8; SPEC] {
    let mut spec = [0; SPEC];
    (spec[0], spec[1]) = (cell_log, ETHERNET);
    spec[4..6].copy_from_slice(&(-1i16).to_ne_bytes());
    spec[8..].copy_from_slice(&u32::try_from(rate).unwrap_or(u32::MAX).to_ne_bytes());
    spec
}

/// Adds a rate that does not fit into [`spec`].
pub(super) fn with_rate64(request: Request, kind: u16, rate: u64) -> Request {
    if rate < u64::from(u32::MAX) { request } else { request.with(kind, &rate.to_ne_bytes()) }
}

/// Reads a rate from its separate attribute, or from its `struct tc_ratespec`.
pub(super) fn read(spec: &[u8], attributes: &[u8], kind: u16) -> Option<u64> {
    let large = attribute(attributes, kind).and_then(|value| value.first_chunk()).copied().map(u64::from_ne_bytes);
    large.or_else(|| spec.get(8..).and_then(number32).map(u64::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The numbers that `tc` sends for the same arguments, on a machine where `/proc/net/psched`
    /// begins with 3e8 40.
    #[rstest]
    #[case(1_024_000, 1600, 24_415)]
    #[case(1_024_000, 1_048_576, 16_000_000)]
    #[case(125_000_000, 1600, 200)]
    #[case(1, u32::MAX, u32::MAX)]
    fn times(#[case] rate: u64, #[case] burst: u32, #[case] expected: u32) {
        assert_eq!(ticks(rate, burst), expected);
        assert!(expected == u32::MAX || bytes(rate, expected).abs_diff(burst) <= 1 + (rate >> 23) as u32);
    }

    #[rstest]
    #[case(1_024_000, false)]
    #[case(4_294_967_295_000, true)]
    fn rates_are_read_as_written(#[case] rate: u64, #[case] large: bool) {
        let request = with_rate64(Request::new(0, &[]), 6, rate).finish(0);
        assert_eq!(request.len() > 16, large);
        assert_eq!(read(&spec(rate, 0), &request[16..], 6), Some(rate));
    }
}
