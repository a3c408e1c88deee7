//! `vnet start FILE|NETWORK…`: starts networks.

use anyhow::bail;
use vnet_driver::NetworkOutcome;

use crate::attempts;
use crate::changes::brief;
use crate::definition::Definitions;
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::engine::EngineOption;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};
use crate::ovn;
use crate::report::{Report, heard, refuse, several};

/// Start networks on this host
///
/// A definition with an error, alone or on this host, is refused with all findings, and nothing is
/// done. When a step fails, the steps before it are undone. Of several networks, one that fails
/// does not hold back the others; --all starts those that are defined and do not run.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    networks: Definitions,
    /// Start all networks that start at boot; repair those of them that run. One that fails does
    /// not hold back the others
    #[arg(long, conflicts_with_all = ["given", "all"])]
    autostart: bool,
    /// Refuse parts that are not understood, too; for one definition
    #[arg(long, conflicts_with = "autostart")]
    validate: bool,
    #[command(flatten)]
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Starts and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, format) = (directories.driver()?, self.format.format);
        if self.autostart {
            return Ok(attempts::report(driver.start_autostarts()?, format));
        }
        let mut documents = self.networks.documents(&driver, |info| info.is_persistent && !info.is_active())?;
        if !self.networks.is_one() {
            if self.validate {
                bail!("--validate is for one definition: `vnet check --strict` checks several");
            }
            return several(documents, &|networks| driver.start_all(&self.engine.asked(networks)), format, line);
        }
        let Some(document) = documents.pop() else { return Ok(Answer::Yes) };
        let mut checked = Checked::of_network(document?);
        if self.validate {
            checked.be_strict();
        }
        checked.change_network(|network| self.engine.ask(network));
        let Some(network) = checked.sound_network() else {
            return refuse(&checked, format).map(|()| Answer::No);
        };
        let started = driver.start(network);
        let Some(started) = heard(started, &mut checked, format)? else { return Ok(Answer::No) };
        Ok(done(format!("network `{}` runs", started.name), || match format {
            Format::Json => print_json(&Report::changed(&checked, &started)),
            Format::Human => Ok(print(line(&started))?),
        }))
    }
}

fn line(started: &NetworkOutcome) -> String {
    if let Some(told) = ovn::told(started, "started") {
        return told;
    }
    let on = started.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
    format!("{}network {} started{on}\n", brief(&started.changes), started.name)
}
