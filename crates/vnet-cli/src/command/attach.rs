//! `vnet attach FILE`: a guest's interface on this host.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::changes::brief;
use crate::definition::refuse;
use crate::directories::Directories;
use crate::document::Document;
use crate::host::Here;
use crate::hypervisor::PasstJson;
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{For, Report, passt, prepare};

/// Attach a guest's interface: make its tap or macvtap and connect it, or start its passt
///
/// The tap stays until `vnet detach`, whoever opens and closes it. With --owner or --group a hypervisor needs no
/// capability. When a step fails, those before it are undone.
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
    /// Attaches and tells.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut here = Here::open(directories)?;
        // What is wrong with the definition is told even where nothing can be locked.
        let lock = here.lock();
        let prepared = prepare(Document::read(&self.file)?, &here, &self.whose, self.format.format)?;
        let Some(lowered) = &prepared.lowered else { return Report::refuse(&prepared.checked, self.format.format) };
        let dev = &lowered.port.dev;
        if prepared.is_attached {
            return refuse(anyhow!(
                "port `{dev}` is attached already; `vnet apply` changes it, `vnet detach {dev}` ends it"
            ));
        }
        let changes = here.attach(&lock?, lowered)?;
        match self.format.format {
            Format::Json => print_json(&Report::changed(&prepared.checked, lowered, &changes)?)?,
            Format::Human => {
                let passt = passt(&lowered.desired).map(|passt| PasstJson::of(passt, Some(lowered.port.mac)));
                let connect = passt.map(|passt| passt.text()).unwrap_or_default();
                print(format!("{}port {dev} attached: the guest is {}\n{connect}", brief(&changes), lowered.port.mac))?
            }
        }
        Ok(Answer::Yes)
    }
}
