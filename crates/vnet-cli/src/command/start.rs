//! `vnet start FILE|NAME`: starts a network, or those that start at boot.

use crate::attempts;
use crate::changes::brief;
use crate::definition::locate;
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::document::Document;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};
use crate::report::{Report, heard, refuse};

/// Start a network on this host
///
/// A definition with an error, alone or on this host, is refused with all findings, and nothing is
/// done. When a step fails, the steps before it are undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME", required_unless_present_any = ["autostart", "named"])]
    network: Option<String>,
    #[arg(
        long = "network",
        alias = "file",
        value_name = "NAME",
        id = "named",
        hide = true,
        conflicts_with = "network"
    )]
    named: Option<String>,
    /// Start all networks that start at boot; repair those of them that run. One that fails does
    /// not hold back the others
    #[arg(long, conflicts_with_all = ["network", "named"])]
    autostart: bool,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Starts and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let Some(given) = self.network.as_ref().or(self.named.as_ref()) else {
            return Ok(attempts::report(directories.driver()?.start_autostarts()?, format));
        };
        let mut checked = Checked::of_network(Document::read(&locate(given, directories)?)?);
        let Some(network) = checked.sound_network() else {
            return refuse(&checked, format).map(|()| Answer::No);
        };
        let started = directories.driver()?.start(network);
        let Some(started) = heard(started, &mut checked, format)? else { return Ok(Answer::No) };
        let on = started.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
        let name = &started.name;
        Ok(done(format!("network `{name}` runs"), || match format {
            Format::Json => print_json(&Report::changed(&checked, &started)),
            Format::Human => Ok(print(format!("{}network {name} started{on}\n", brief(&started.changes)))?),
        }))
    }
}
