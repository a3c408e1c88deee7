//! `vnet net-event`: virsh's command, with its options and its lines.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use vnet_driver::EventKind;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::metadata::word_and_namespace;
use crate::output::{Answer, plain, print, print_line};
use crate::time::{duration, utc};

/// virsh's events.
const LIFECYCLE: &str = "lifecycle";
const METADATA: &str = "metadata-change";

/// Wait for a network to be defined, undefined, started or stopped, or for its metadata to change,
/// as virsh does
///
/// `vnet events` tells more.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network, and the event: `lifecycle` or `metadata-change`
    #[arg(value_name = "NETWORK|EVENT", num_args = 0..=2)]
    words: Vec<String>,
    /// The network [default: all]
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// The event: `lifecycle` or `metadata-change`
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
    /// Go on after the first event
    #[arg(long = "loop")]
    goes_on: bool,
    /// End after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    timeout: Option<Duration>,
    /// List the events
    #[arg(long)]
    list: bool,
    /// Begin each line with the time
    #[arg(long)]
    timestamp: bool,
}

impl Args {
    /// Waits, and prints as virsh does. No when there was no event.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.list {
            print(format!("{LIFECYCLE}\n{METADATA}\n"))?;
            return Ok(Answer::Yes);
        }
        let (network, asked) = self.asked()?;
        let network = network.map(network_name).transpose()?;
        let mut events = directories.driver()?.events()?;
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut received = 0;
        while received == 0 || self.goes_on {
            let event = match deadline {
                Some(deadline) => events.next_before(deadline)?,
                None => events.next().transpose()?,
            };
            let Some(event) = event else {
                print("event loop timed out\n")?;
                break;
            };
            let Some(what) = what(&event.kind, asked).filter(|_| network.is_none() || event.network == network) else {
                continue;
            };
            received += 1;
            let name = event.network.as_ref().map(ToString::to_string).unwrap_or_default();
            let time = if self.timestamp { stamp(event.time) } else { String::new() };
            let line = plain(&format!("{time}event '{asked}' for network {name}: {what}"));
            if !print_line(&line)? {
                return Ok(Answer::Yes);
            }
        }
        print(format!("events received: {received}\n"))?;
        Ok(Answer::when(received > 0))
    }

    /// The network and the event. The words may name one of them, or both.
    fn asked(&self) -> anyhow::Result<(Option<&str>, &'static str)> {
        let (network, event) = match (&self.network, &self.words[..]) {
            (network, []) => (network.as_ref(), None),
            (None, [event]) if self.event.is_none() && is_event(event) => (None, Some(event)),
            (None, [network]) => (Some(network), None),
            (Some(network), [event]) => (Some(network), Some(event)),
            (None, [network, event]) => (Some(network), Some(event)),
            (_, words) => bail!("`{}` is one word too many", words.join(" ")),
        };
        match self.event.as_ref().or(event).map(String::as_str) {
            Some(LIFECYCLE) => Ok((network.map(String::as_str), LIFECYCLE)),
            Some(METADATA) => Ok((network.map(String::as_str), METADATA)),
            Some(other) => bail!("unknown event type {other}; `{LIFECYCLE}` and `{METADATA}` are known"),
            None => bail!("either --list or --event <type> is required: `{LIFECYCLE}` or `{METADATA}`"),
        }
    }
}

fn is_event(word: &str) -> bool {
    [LIFECYCLE, METADATA].contains(&word)
}

/// virsh's words for what has happened, if it is the event that was asked for.
fn what(kind: &EventKind, asked: &str) -> Option<String> {
    let (event, what) = match kind {
        EventKind::Defined => (LIFECYCLE, "Defined".to_owned()),
        EventKind::Undefined => (LIFECYCLE, "Undefined".to_owned()),
        EventKind::Started => (LIFECYCLE, "Started".to_owned()),
        EventKind::Stopped => (LIFECYCLE, "Stopped".to_owned()),
        EventKind::MetadataChanged(part) => {
            let (part, namespace) = word_and_namespace(part);
            (METADATA, format!("type {part}, uri {}", namespace.unwrap_or("<null>")))
        }
        _ => return None,
    };
    Some(what).filter(|_| event == asked)
}

/// `2026-11-21 03:45:00.123+0000: `
fn stamp(time: SystemTime) -> String {
    let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:03}+0000: ", utc(time.as_secs()).trim_end_matches('Z'), time.subsec_millis())
}
