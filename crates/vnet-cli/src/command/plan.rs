//! `vnet plan FILE|NAME`: shows what start, attach or apply would change.

use vnet_driver::Driver;

use crate::changes::human;
use crate::definition::document_or_port;
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::document::Document;
use crate::engine::EngineOption;
use crate::guest::{Guest, Which, is_guest};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::ovn;
use crate::port::{self, Heard};
use crate::report::{Report, heard, refuse};
use crate::whose::For;

/// Show what start or attach would change on this host, or apply if the network or interface exists
///
/// Uses the words of ip and nft: + is created, - is deleted, ~ is changed. Changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition, or the domain of a guest: a file, `-` for stdin, or the name of a network
    /// whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    whose: For,
    #[command(flatten)]
    engine: EngineOption,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Plans and prints.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, format) = (directories.driver()?, self.format.format);
        let document = document_or_port(&self.network, &driver)?;
        if is_guest(&document) {
            return self.plan_port(document, &driver);
        }
        if self.whose != For::default() || self.which != Which::default() {
            anyhow::bail!(
                "--owner, --group, --guest, --guest-uuid, --mac and --interface need an <interface>, and `{}` defines none",
                document.name
            );
        }
        let mut checked = Checked::of_network(document);
        checked.change_network(|network| self.engine.ask(network));
        let Some(network) = checked.sound_network() else {
            return refuse(&checked, format).map(|()| Answer::No);
        };
        let planned = driver.plan(network);
        let Some(planned) = heard(planned, &mut checked, format)? else { return Ok(Answer::No) };
        match format {
            Format::Json => print_json(&Report::changed(&checked, &planned))?,
            Format::Human if planned.ovn.as_ref().is_some_and(|ovn| !ovn.changes.is_empty()) => {
                print(planned.ovn.iter().map(|ovn| ovn::human(&ovn.changes)).collect::<String>())?;
            }
            Format::Human if planned.changes.is_empty() => {
                print(format!("network {}: nothing to change\n", planned.name))?;
            }
            Format::Human => print(human(&planned.changes))?,
        }
        Ok(Answer::Yes)
    }

    fn plan_port(&self, document: Document, driver: &Driver) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let guest = |definition: &_, document: &_| Guest::of(definition, document, &self.which);
        let heard = port::heard(document, guest, driver, self.whose.options(), Driver::plan_all, format)?;
        let Some(Heard { checked, ports }) = heard else { return Ok(Answer::No) };
        if format == Format::Json {
            print_json(&port::Report::new(&checked, &ports))?;
        }
        for (_, planned) in ports.iter().filter(|_| format == Format::Human) {
            match planned.changes.is_empty() {
                true => print(format!("port {}: nothing to change\n", planned.port.dev))?,
                false => print(human(&planned.changes))?,
            }
        }
        Ok(Answer::Yes)
    }
}
