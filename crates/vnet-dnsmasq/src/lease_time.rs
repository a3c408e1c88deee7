//! How long a lease lasts, as dnsmasq writes it.

use std::fmt;
use std::str::FromStr;

/// How long a lease lasts.
///
/// Prints as dnsmasq reads it: `infinite`, `200s`, `10m`, `1h`. dnsmasq raises shorter times to two
/// minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseTime {
    /// For ever.
    Infinite,
    /// Seconds.
    Seconds(u64),
    /// Minutes.
    Minutes(u64),
    /// Hours.
    Hours(u64),
}

/// A text that is not a [`LeaseTime`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a lease time such as 200s, 10m, 1h or infinite")]
pub struct ParseLeaseTimeError(String);

impl LeaseTime {
    /// Whether dnsmasq can count it: dnsmasq counts seconds in a C `int`.
    pub(crate) fn is_countable(self) -> bool {
        let seconds = match self {
            Self::Infinite => return true,
            Self::Seconds(seconds) => Some(seconds),
            Self::Minutes(minutes) => minutes.checked_mul(60),
            Self::Hours(hours) => hours.checked_mul(3600),
        };
        seconds.is_some_and(|seconds| i32::try_from(seconds).is_ok())
    }
}

impl fmt::Display for LeaseTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Infinite => f.write_str("infinite"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Minutes(minutes) => write!(f, "{minutes}m"),
            Self::Hours(hours) => write!(f, "{hours}h"),
        }
    }
}

impl FromStr for LeaseTime {
    type Err = ParseLeaseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            only_digits.then(|| digits.parse().ok()).flatten()
        };
        let read = || match text.split_at_checked(text.len().checked_sub(1)?)? {
            (digits, "s") => number(digits).map(Self::Seconds),
            (digits, "m") => number(digits).map(Self::Minutes),
            (digits, "h") => number(digits).map(Self::Hours),
            _ => (text == "infinite").then_some(Self::Infinite),
        };
        read().ok_or_else(|| ParseLeaseTimeError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("200s", Some(LeaseTime::Seconds(200)))]
    #[case("10m", Some(LeaseTime::Minutes(10)))]
    #[case("1h", Some(LeaseTime::Hours(1)))]
    #[case("infinite", Some(LeaseTime::Infinite))]
    #[case("", None)]
    #[case("s", None)]
    #[case("+1s", None)]
    #[case("10", None)]
    #[case("1ü", None)]
    fn reads_what_it_prints(#[case] text: &str, #[case] expected: Option<LeaseTime>) {
        assert_eq!(text.parse().ok(), expected);
        assert!(expected.is_none_or(|time| time.to_string() == text));
    }

    #[rstest]
    #[case(LeaseTime::Infinite, true)]
    #[case(LeaseTime::Seconds(2_147_483_647), true)]
    #[case(LeaseTime::Seconds(2_147_483_648), false)]
    #[case(LeaseTime::Hours(596_523), true)]
    #[case(LeaseTime::Hours(596_524), false)]
    #[case(LeaseTime::Minutes(u64::MAX), false)]
    fn counts_in_an_int(#[case] time: LeaseTime, #[case] countable: bool) {
        assert_eq!(time.is_countable(), countable);
    }
}
