//! `vnet attach FILE`: attaches a guest's interface.

use std::path::PathBuf;

use vnet_driver::Driver;

use crate::changes::brief;
use crate::directories::Directories;
use crate::document::Document;
use crate::hypervisor::PasstJson;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};
use crate::port::{Report, heard};
use crate::whose::For;

/// Attach a guest's interface: create its tap or macvtap and connect it, or start its passt
///
/// The tap stays until `vnet detach`, whoever opens and closes it. With --owner or --group a
/// hypervisor needs no capability. When a step fails, the steps before it are undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The `<interface>`: a file, or `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    whose: For,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Attaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, format) = (directories.driver()?, self.format.format);
        let heard = heard(Document::read(&self.file)?, &driver, self.whose.options(), Driver::attach, format)?;
        let Some((checked, attached)) = heard else { return Ok(Answer::No) };
        let (dev, mac) = (&attached.port.dev, attached.port.mac);
        Ok(done(format!("port `{dev}` is attached"), || match format {
            Format::Json => print_json(&Report::changed(&checked, &attached)),
            Format::Human => {
                let passt = attached.passt.as_ref().map(|passt| PasstJson::of(passt, Some(mac)).text());
                let (changes, connect) = (brief(&attached.changes), passt.unwrap_or_default());
                Ok(print(format!("{changes}port {dev} attached: the guest is {mac}\n{connect}"))?)
            }
        }))
    }
}
