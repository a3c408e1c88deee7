//! Shows the state of networks again and again, with rates.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};

use terminal_size::Height;
use vnet_firewall::Counts;

use crate::counted::Decision;
use crate::output::Answer;
use crate::status::{Shown, human};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(100);
/// The cursor goes to the top; the rest of a line, and of the screen, is cleared.
const TOP: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// Counters, by network and decision.
type Counters = BTreeMap<(String, Decision), Counts>;

/// Shows what `look` finds, until nobody reads it, a network is unknown, or the process is ended.
pub(super) fn watch(
    every: Duration,
    look: impl Fn() -> anyhow::Result<(Vec<Shown>, Answer)>,
) -> anyhow::Result<Answer> {
    let mut before: Option<(Instant, Counters)> = None;
    loop {
        let ((networks, answer), now) = (look()?, Instant::now());
        if answer == Answer::No {
            return Ok(answer);
        }
        let counters = counters(&networks);
        let since = before.as_ref().map(|(then, counters)| (now.duration_since(*then), counters));
        let text = if networks.is_empty() { "no network runs\n".to_owned() } else { told(&networks, &counters, since) };
        match write(&text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Answer::Yes),
            written => written?,
        }
        before = Some((now, counters));
        thread::sleep(every.max(SHORTEST));
    }
}

fn counters(networks: &[Shown]) -> Counters {
    let mut counters = Counters::new();
    for shown in networks {
        counters.extend(shown.verdicts().into_iter().map(|(decision, counts)| ((shown.name(), decision), counts)));
    }
    counters
}

/// The state of each network, and its packets and bytes per second since the look before.
fn told(networks: &[Shown], now: &Counters, before: Option<(Duration, &Counters)>) -> String {
    let of_network = |shown: &Shown| {
        let mut text = human(shown);
        let Some((time, before)) = before else { return text };
        let name = shown.name();
        for ((_, decision), counts) in now.iter().filter(|((network, _), _)| *network == name) {
            let then = before.get(&(name.clone(), *decision)).copied().unwrap_or_default();
            let [packets, bytes] = [(counts.packets, then.packets), (counts.bytes, then.bytes)]
                // A rule that was made anew counts from 0.
                .map(|(now, then)| per_second(now.checked_sub(then).unwrap_or(now), time));
            text += &format!("  {:10} {packets:>10} packets/s {bytes:>12} bytes/s\n", decision.words());
        }
        text
    };
    networks.iter().map(of_network).collect::<Vec<_>>().join("\n")
}

fn per_second(count: u64, time: Duration) -> u128 {
    u128::from(count) * 1000 / time.as_millis().max(1)
}

/// On a terminal in the place of the text before, as much as there is room for.
fn write(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    if !io::stdout().is_terminal() {
        return writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }
    let height = terminal_size::terminal_size().map_or(usize::MAX, |(_, Height(height))| usize::from(height));
    let lines: Vec<&str> = text.lines().collect();
    let shown = if lines.len() < height { lines.len() } else { height.saturating_sub(2) };
    let mut screen = String::from(TOP);
    lines[..shown].iter().for_each(|line| screen += &format!("{line}{REST_OF_LINE}\n"));
    if shown < lines.len() {
        screen += &format!("and {} more lines{REST_OF_LINE}\n", lines.len() - shown);
    }
    write!(stdout, "{screen}{REST_OF_SCREEN}").and_then(|()| stdout.flush())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        assert_eq!(per_second(50, Duration::from_millis(500)), 100);
        assert_eq!(per_second(7, Duration::ZERO), 7000, "no division by zero");
    }
}
