//! `vnet detach DEV|FILE`: detaches the interfaces of a guest.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use vnet_driver::{Driver, InterfaceName};

use crate::changes::{ChangeJson, brief, changes};
use crate::definition::is_file;
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::{self, readable, refuse};
use crate::guest::{Guest, Which};
use crate::output::{Answer, Format, FormatOption, are, done, note, print, print_json};

/// Detach a guest's interface, or all of a domain: remove everything that attach made, and nothing
/// else
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of its device on the host, as `vnet ports` lists it; or the `<interface>` or
    /// `<domain>`: a file, or `-` for stdin
    #[arg(value_name = "DEV|FILE")]
    port: String,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    /// `None` when there are several.
    port: Option<String>,
    ports: Vec<String>,
    changes: Vec<ChangeJson>,
}

impl Args {
    /// Detaches and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        if !is_file(&self.port) {
            if self.which != Which::default() {
                anyhow::bail!("--mac and --interface choose from a `<domain>`, and `{}` is no file", self.port);
            }
            let port = self.port.parse().with_context(|| format!("`{}` cannot be the name of a device", self.port))?;
            return detach(&driver, &[port], self.format.format);
        }
        let checked = Checked::new(Document::read(Path::new(&self.port))?);
        let Some(definition) = checked.sound() else {
            note(human(&checked));
            return Ok(Answer::No);
        };
        let guest = Guest::of(definition, &checked.document, &self.which)?;
        let known = readable(driver.ports()?).into_iter().map(|status| status.port).collect();
        let ports = guest.attached(known, &self.port)?.into_iter().map(|port| port.dev).collect::<Vec<_>>();
        if ports.is_empty() {
            let message = format!("no such interface of `{}` is attached", self.port);
            return refuse(failure::advised(message, "`vnet ports` shows those that are"));
        }
        detach(&driver, &ports, self.format.format)
    }
}

/// Detaches ports and reports. The first that cannot be detached ends it.
pub(super) fn detach(driver: &Driver, ports: &[InterfaceName], format: Format) -> anyhow::Result<Answer> {
    let mut made = Vec::new();
    for port in ports {
        match driver.detach(port) {
            Ok(changes) => made.push((port, changes)),
            Err(error) => return failure::answer(error),
        }
    }
    let names: Vec<String> = ports.iter().map(ToString::to_string).collect();
    Ok(done(format!("{} detached", are("port", ports.iter())), || match format {
        Format::Json => print_json(&Report {
            port: names.first().filter(|_| names.len() == 1).cloned(),
            ports: names.clone(),
            changes: changes(&made.iter().flat_map(|(_, changes)| changes.clone()).collect::<Vec<_>>()),
        }),
        Format::Human => {
            let lines = made.iter().map(|(port, changes)| format!("{}port {port} detached\n", brief(changes)));
            Ok(print(lines.collect::<String>())?)
        }
    }))
}
