//! `vnet attach FILE`: attaches the interfaces of a guest.

use std::path::PathBuf;

use vnet_driver::Driver;

use crate::changes::brief;
use crate::directories::Directories;
use crate::document::Document;
use crate::guest::{Guest, Which};
use crate::output::{Answer, Format, FormatOption, are, done, print, print_json};
use crate::port::{Heard, Report, connection, heard};
use crate::whose::For;

/// Attach a guest's interface, or all of a domain: create its tap or macvtap and connect it, or
/// start its passt
///
/// Prints how QEMU and cloud-hypervisor use it. The tap stays until `vnet detach`, whoever opens
/// and closes it. With --owner or --group a hypervisor needs no capability. When a step fails, the
/// steps before it are undone; of a domain, all interfaces are attached or none.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The `<interface>` or the `<domain>`: a file, or `-` for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    whose: For,
    #[command(flatten)]
    format: FormatOption,
}

impl Args {
    /// Attaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        attach(Document::read(&self.file)?, &self.which, &self.whose, directories, self.format.format)
    }
}

/// Attaches the interfaces of a document and reports.
pub(super) fn attach(
    document: Document,
    which: &Which,
    whose: &For,
    directories: &Directories,
    format: Format,
) -> anyhow::Result<Answer> {
    let driver = directories.driver()?;
    let guest = |definition: &_, document: &_| Guest::of(definition, document, which);
    let heard = heard(document, guest, &driver, whose.options(), Driver::attach_all, format)?;
    let Some(Heard { checked, ports }) = heard else { return Ok(Answer::No) };
    let names = are("port", ports.iter().map(|(_, attached)| &attached.port.dev));
    Ok(done(format!("{names} attached"), || match format {
        Format::Json => print_json(&Report::new(&checked, &ports)),
        Format::Human => {
            let text = ports.iter().enumerate().map(|(at, (interface, attached))| {
                let (dev, mac, made) = (&attached.port.dev, attached.port.mac, brief(&attached.changes));
                let connect = connection(at, interface, attached);
                format!("{made}port {dev} attached: the guest is {mac}\n{connect}")
            });
            Ok(print(text.collect::<String>())?)
        }
    }))
}
