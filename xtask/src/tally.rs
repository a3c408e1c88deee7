//! Counts what passed and what failed.

use std::collections::BTreeSet;
use std::fmt;
use std::iter::Sum;

use crate::run::Failed;

/// The number of checks and tests that passed and that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// Of those that passed, how many failed at first.
    pub(crate) flaky: u32,
    /// The tests that failed, also those that failed at first only.
    pub(crate) names: BTreeSet<String>,
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
            names: sum.names.into_iter().chain(it.names).collect(),
        })
    }
}

impl Tally {
    /// Counts one check. A failure is printed.
    pub(crate) fn of(result: Result<(), Failed>) -> Self {
        match result {
            Ok(()) => Self { passed: 1, ..Self::default() },
            Err(failed) => {
                eprintln!("xtask: {failed}");
                let name = failed.0.lines().next().unwrap_or_default().to_owned();
                Self { failed: 1, names: [name].into(), ..Self::default() }
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

    /// Reads a line of a test program's output. Of several last lines the last one counts: a
    /// failing test prints lines of other programs.
    pub(crate) fn line(&mut self, line: &str) {
        match read(line) {
            Some(last) => *self = Self { names: std::mem::take(&mut self.names), ..last },
            None => self.names.extend(failure(line).map(str::to_owned)),
        }
    }

    /// Counts a test that failed as one that passed when it was run again, if it did.
    pub(crate) fn again(self, again: &Self) -> Self {
        let passed = again.passed.min(self.failed);
        Self { passed: self.passed + passed, failed: self.failed - passed, flaky: self.flaky + passed, ..self }
    }
}

/// The test that a line of libtest or nextest says has failed. nextest indents what a test has
/// printed.
fn failure(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("test ") {
        return rest.strip_suffix(" ... FAILED");
    }
    let (words, rest) = line.split_once(" [")?;
    let is_failure = matches!(words.trim_start(), "FAIL" | "TIMEOUT" | "TRY 1 FAIL" | "TRY 1 TIMEOUT");
    is_failure.then(|| rest.split_once(") ").map(|(_, name)| name)).flatten()
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
    Tally {
        passed: count(&["passed"]),
        failed: count(&["failed", "timed", "exec"]),
        flaky: count(&["flaky"]),
        ..Tally::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(passed: u32, failed: u32, flaky: u32) -> Tally {
        Tally { passed, failed, flaky, ..Tally::default() }
    }

    #[test]
    fn the_last_lines_of_test_runners_are_read() {
        let libtest =
            "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.1s";
        assert_eq!(read(libtest), Some(of(12, 2, 0)));
        let nextest =
            "     Summary [   0.899s] 20 tests run: 17 passed (1 slow, 2 flaky), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(read(nextest), Some(of(17, 3, 2)));
        assert_eq!(read("test tests::it ... ok"), None);
        let checks = of(31, 2, 0);
        assert_eq!(told(&format!("{checks}, in 12 s")), Some(checks));
        assert_eq!(told("was not compared"), None);
    }

    #[test]
    fn tests_that_failed_are_named() {
        let mut tally = Tally::default();
        for line in [
            "test routes::it ... ok",
            "test links::other ... FAILED",
            "  TRY 1 FAIL [  33.359s] (─────────) vnet-tests::live chains::case_3_of_three",
            "    test chains::case_3_of_three ... FAILED",
            "  TRY 2 PASS [  30.100s] ( 900/1098) vnet-tests::live chains::case_3_of_three",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
        ] {
            tally.line(line);
        }
        let names = ["links::other", "vnet-tests::live chains::case_3_of_three"].map(str::to_owned).into();
        assert_eq!(tally, Tally { names, ..of(12, 2, 0) });
    }

    #[test]
    fn what_passes_when_run_again_is_counted_so() {
        assert_eq!(of(10, 2, 0).again(&of(1, 0, 0)), of(11, 1, 1));
        assert_eq!(of(10, 2, 0).again(&of(0, 1, 0)), of(10, 2, 0));
        assert_eq!(of(10, 2, 0).again(&Tally::default()), of(10, 2, 0));
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        assert_eq!(of(3, 0, 0).with_status(false), of(3, 1, 0));
        assert_eq!(of(3, 2, 0).with_status(false), of(3, 2, 0));
        assert_eq!(of(3, 0, 0).with_status(true), of(3, 0, 0));
    }
}
