//! Counts what passed and what failed.

use std::fmt;
use std::iter::Sum;

use crate::run::Failed;

/// The number of checks and tests that passed and that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// Of those that passed, how many failed at first.
    pub(crate) flaky: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.flaky > 0 { write!(f, ", {} passed only when run again", self.flaky) } else { Ok(()) }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, it| Self {
            passed: sum.passed + it.passed,
            failed: sum.failed + it.failed,
            flaky: sum.flaky + it.flaky,
        })
    }
}

impl Tally {
    const FAILED: Self = Self { passed: 0, failed: 1, flaky: 0 };

    /// Counts one check. A failure is printed.
    #[allow(clippy::needless_pass_by_value, reason = "the result ends here")]
    pub(crate) fn of(result: Result<(), Failed>) -> Self {
        match result {
            Ok(()) => Self { passed: 1, ..Self::default() },
            Err(failed) => {
                eprintln!("xtask: {failed}");
                Self::FAILED
            }
        }
    }

    /// Counts tests that may not have run at all.
    pub(crate) fn or_failed(result: Result<Self, Failed>) -> Self {
        result.unwrap_or_else(|failed| Self::of(Err(failed)))
    }

    /// Counts at least one failure when the program with these tests has failed: it may have ended
    /// without output.
    pub(crate) fn with_status(self, succeeded: bool) -> Self {
        if succeeded || self.failed > 0 { self } else { Self { failed: 1, ..self } }
    }
}

/// Parses libtest's `test result: ok. 3 passed; 0 failed; …`, and nextest's `Summary [ 1.0s] 3
/// tests run: 3 passed, …`.
pub(crate) fn read(line: &str) -> Option<Tally> {
    let line = line.trim_start();
    if !line.starts_with("test result: ") && !line.starts_with("Summary [") {
        return None;
    }
    Some(numbers(line))
}

/// Parses what is printed of a [`Tally`] of checks, of which none is run again.
pub(crate) fn told(text: &str) -> Option<Tally> {
    text.contains(" passed, ").then(|| numbers(text))
}

fn numbers(line: &str) -> Tally {
    let words: Vec<&str> = line.split([' ', ',', ';', ':', '(', ')']).filter(|word| !word.is_empty()).collect();
    let count = |wanted: &[&str]| -> u32 {
        let number = |pair: &[&str]| pair[0].parse::<u32>().ok().filter(|_| wanted.contains(&pair[1]));
        words.windows(2).filter_map(number).sum()
    };
    Tally { passed: count(&["passed"]), failed: count(&["failed", "timed", "exec"]), flaky: count(&["flaky"]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_test_runners_are_read() {
        let libtest =
            "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.1s";
        assert_eq!(read(libtest), Some(Tally { passed: 12, failed: 2, flaky: 0 }));
        let nextest =
            "     Summary [   0.899s] 20 tests run: 17 passed (1 slow, 2 flaky), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(read(nextest), Some(Tally { passed: 17, failed: 3, flaky: 2 }));
        assert_eq!(read("test tests::it ... ok"), None);
        let checks = Tally { passed: 31, failed: 2, flaky: 0 };
        assert_eq!(told(&format!("{checks}, in 12 s")), Some(checks));
        assert_eq!(told("was not compared"), None);
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        let of = |passed, failed| Tally { passed, failed, flaky: 0 };
        assert_eq!(of(3, 0).with_status(false), of(3, 1));
        assert_eq!(of(3, 2).with_status(false), of(3, 2));
        assert_eq!(of(3, 0).with_status(true), of(3, 0));
    }
}
