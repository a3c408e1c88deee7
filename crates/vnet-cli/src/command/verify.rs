//! `vnet verify NETWORK`: whether a network that runs keeps what it promises.

use serde::Serialize;
use vnet_try::{Judgement, NetworkReport};

use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, plain, print, print_json, progress};
use crate::style::{BOLD, BROKEN, KEPT};
use crate::try_network::report::{counts, seconds, table};

/// What stands for a promise that was not observed.
const UNKNOWN: &str = "unknown";

/// Check with packets whether a running network keeps what it promises
///
/// Two guests are made up for a moment, with ports as any guest's. They ask for addresses and
/// names, reach each other, and send to addresses beyond the network; the kernel tells what the
/// rules of this host do with that. They take no lease and no address of another guest, and go with
/// this process, even when it is killed. What cannot be seen from this host, such as connections
/// from outside, is said to be unknown. Exit code 1 when a promise is broken, 2 when nothing could
/// be tried.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network, by name or UUID
    #[arg(value_name = "NETWORK")]
    network: String,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    bridge: Option<String>,
    promises: Vec<Judgement>,
    notes: Vec<String>,
    holds: bool,
    milliseconds: u64,
}

impl Args {
    /// Verifies and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let name = driver.lookup(&self.network)?;
        let verified = vnet_try::verify(&driver, &name, progress);
        progress("");
        let verified = verified?;
        let (holds, milliseconds) = (verified.holds, verified.milliseconds);
        for NetworkReport { network, bridge, promises, notes, .. } in verified.networks {
            let report = Report { network, bridge, promises, notes, holds, milliseconds };
            match self.format.format {
                Format::Json => print_json(&report)?,
                Format::Human => print(text(&report))?,
            }
        }
        Ok(Answer::when(holds))
    }
}

/// For people: every promise, and how many are kept.
fn text(report: &Report) -> String {
    let title = format!("{BOLD}{}{BOLD:#} on {}\n", plain(&report.network), report.bridge.as_deref().unwrap_or("-"));
    let style = if report.holds { KEPT.bold() } else { BROKEN };
    let all: Vec<&Judgement> = report.promises.iter().collect();
    let (counts, seconds) = (counts(&all, UNKNOWN), seconds(report.milliseconds));
    title + &table(&report.promises, &report.notes, UNKNOWN) + &format!("{style}{counts}{style:#} in {seconds}\n")
}
