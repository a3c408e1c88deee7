//! `vnet events [NAME]`: tells what happens to networks.

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::Serialize;
use vnet_driver::{Event, EventKind, NetworkName};

use crate::changes::{ChangeJson, changes};
use crate::definition::network_name;
use crate::directories::Directories;
use crate::metadata::word_and_namespace;
use crate::output::{Answer, Format, FormatOption, json_line, note, plain, print_line};
use crate::style::{BOLD, WARNING};
use crate::time::{duration, utc};

/// Tell what happens to networks from now on, whoever does it
///
/// One line for each event: defined, undefined, started, stopped, changed, metadata changed, port
/// attached or detached, lease granted or expired, drift seen, in sync again. Drift that is there
/// already comes first. Without CAP_NET_ADMIN drift cannot be seen.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name [default: all]
    #[arg(value_name = "NAME")]
    network: Option<String>,
    /// End after this time: 30s, 2m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    format: FormatOption,
}

/// One line of JSON.
#[derive(Serialize)]
struct EventJson<'a> {
    /// When it was seen, in seconds since 1970.
    time: u64,
    event: &'a str,
    network: Option<String>,
    #[serde(flatten)]
    more: More<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    Port { port: String, mac: String, guest: Option<&'a str> },
    Granted { address: String, client: &'a str, hostname: Option<&'a str>, expires: Option<u64> },
    Expired { address: String, client: &'a str, hostname: Option<&'a str> },
    Drift { changes: Vec<ChangeJson> },
    Metadata { part: &'static str, namespace: Option<&'a str> },
    Nothing {},
}

impl Args {
    /// Prints events until the time is over.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let network = self.network.as_deref().map(network_name).transpose()?;
        let mut events = directories.driver()?.events()?;
        if !events.sees_drift() {
            note(format!("{WARNING}note{WARNING:#}{BOLD}: drift is not told: that needs CAP_NET_ADMIN{BOLD:#}\n"));
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let event = match deadline {
                Some(deadline) => events.next_before(deadline)?,
                None => events.next().transpose()?,
            };
            let Some(event) = event else { return Ok(Answer::Yes) };
            if network.is_some() && event.network != network {
                continue;
            }
            let line = match self.format.format {
                Format::Human => human(&event),
                Format::Json => json_line(&EventJson::of(&event))?,
            };
            if !print_line(&line)? {
                return Ok(Answer::Yes);
            }
        }
    }
}

/// `2026-11-21 03:45:00Z lab started`
fn human(event: &Event) -> String {
    let network = event.network.as_ref().map_or("-", NetworkName::as_str);
    plain(&format!("{} {network} {}", utc(seconds(event)), event.kind))
}

fn seconds(event: &Event) -> u64 {
    event.time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl<'a> EventJson<'a> {
    fn of(event: &'a Event) -> Self {
        let more = match &event.kind {
            EventKind::PortAttached { dev, mac, guest } | EventKind::PortDetached { dev, mac, guest } => {
                More::Port { port: dev.to_string(), mac: mac.to_string(), guest: guest.as_deref() }
            }
            EventKind::LeaseGranted { ip, client, hostname, expiry } => {
                More::Granted { address: ip.to_string(), client, hostname: hostname.as_deref(), expires: *expiry }
            }
            EventKind::LeaseExpired { ip, client, hostname } => {
                More::Expired { address: ip.to_string(), client, hostname: hostname.as_deref() }
            }
            EventKind::MetadataChanged(part) => {
                let (part, namespace) = word_and_namespace(part);
                More::Metadata { part, namespace }
            }
            EventKind::DriftSeen { changes: drift } => More::Drift { changes: changes(drift) },
            _ => More::Nothing {},
        };
        let network = event.network.as_ref().map(ToString::to_string);
        Self { time: seconds(event), event: event.kind.name(), network, more }
    }
}
