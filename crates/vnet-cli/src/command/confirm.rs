//! `vnet confirm NAME`: keeps a change that would be undone.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use nix::unistd::setsid;
use vnet_driver::{Driver, Error};
use vnet_types::NetworkName;

use crate::definition::network_name;
use crate::directories::Directories;
use crate::failure::refuse;
use crate::output::{Answer, print};

/// Keep the last change of a network, which `vnet apply --confirm-within` would undo
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name
    #[arg(value_name = "NAME")]
    network: String,
    /// Undo the change now
    #[arg(long)]
    undo: bool,
    /// Undo the change after some seconds unless it is confirmed
    #[arg(long, hide = true, value_name = "SECONDS")]
    wait: Option<u64>,
}

/// How often it is looked whether a change is confirmed.
const PERIOD: Duration = Duration::from_millis(200);
/// How often an undo that fails is tried again, and after which time.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);
/// What the waiting process writes when it waits.
const READY: &[u8] = b"ready\n";

impl Args {
    /// Confirms, or undoes.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, name) = (directories.driver()?, network_name(&self.network)?);
        if let Some(seconds) = self.wait {
            return wait(&driver, &name, Duration::from_secs(seconds));
        }
        let (done, word) = match self.undo {
            true => (driver.undo_unconfirmed(&name), "undone"),
            false => (driver.confirm(&name), "confirmed"),
        };
        match done {
            Err(error @ Error::Confirmed(_)) => refuse(error),
            done => {
                done?;
                print(format!("the last change of network {name} is {word}\n"))?;
                Ok(Answer::Yes)
            }
        }
    }
}

/// Waits in a session of its own, so that it outlives the terminal of the caller.
fn wait(driver: &Driver, name: &NetworkName, within: Duration) -> anyhow::Result<Answer> {
    setsid().context("cannot begin a session")?;
    let deadline = Instant::now() + within;
    // Once this change is confirmed, another one may wait.
    let change = driver.unconfirmed(name)?;
    std::io::stdout().write_all(READY)?;
    loop {
        if change.is_none() || driver.unconfirmed(name)? != change {
            return Ok(Answer::Yes);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        thread::sleep(PERIOD.min(left));
    }
    for _ in 1..ATTEMPTS {
        match driver.undo_unconfirmed(name) {
            Ok(()) | Err(Error::Confirmed(_)) => return Ok(Answer::Yes),
            Err(_) => thread::sleep(PAUSE),
        }
    }
    driver.undo_unconfirmed(name)?;
    Ok(Answer::Yes)
}

/// Notes how a network runs, and starts the process that brings that back. Nothing is changed until
/// that process waits.
pub(crate) fn begin(directories: &Directories, name: &NetworkName, within: Duration) -> anyhow::Result<()> {
    let driver = directories.driver()?;
    driver.await_confirmation(name, SystemTime::now() + within)?;
    let waits = guard(directories, name, within).and_then(|pid| Ok(driver.outlive_session(name, pid)?));
    if waits.is_err() {
        driver.confirm(name)?;
    }
    waits.context("cannot start the process that undoes the change, so nothing was changed")
}

fn guard(directories: &Directories, name: &NetworkName, within: Duration) -> anyhow::Result<i32> {
    // The file of this program may have been replaced.
    let mut guard = Command::new("/proc/self/exe");
    guard.args(directories.arguments()).args(["confirm", "--wait", &within.as_secs().to_string(), "--", name.as_str()]);
    let mut guard = guard.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut said = vec![0; READY.len()];
    let read = guard.stdout.take().context("no output")?.read_exact(&mut said);
    ensure!(read.is_ok() && said == READY, "it ended at once");
    Ok(i32::try_from(guard.id())?)
}

/// Reads `90`, `90s`, `2m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("", 1)];
    let seconds = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*seconds).filter(|seconds| *seconds > 0)
    });
    seconds.map(Duration::from_secs).ok_or_else(|| "write seconds, or a number with s, m or h: 60s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("60", Some(60)), ("60s", Some(60)), ("2m", Some(120)), ("1h", Some(3600))] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_secs()), seconds);
        }
        for text in ["", "s", "0", "-1", "1.5m", "1d", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
