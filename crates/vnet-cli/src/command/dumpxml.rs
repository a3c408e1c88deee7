//! `vnet dumpxml NETWORK`: prints the definition of a network.

use anyhow::bail;
use serde::Serialize;

use crate::directories::Directories;
use crate::failure;
use crate::named::OneNetwork;
use crate::output::{Answer, Format, FormatOption, print_exact, print_json};

/// Print the definition of a network: as it runs, with open choices filled in and the number of
/// attached guests, or as it is kept when it does not run
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    network: OneNetwork,
    /// Print the definition that is kept, which the next start uses
    #[arg(long)]
    inactive: bool,
    #[arg(long, value_name = "EXPR", hide = true)]
    xpath: Option<String>,
    #[arg(long, hide = true)]
    wrap: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    network: String,
    xml: String,
}

impl Args {
    /// Prints the definition.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.xpath.is_some() || self.wrap {
            bail!("vnet evaluates no XPath: `vnet dumpxml NETWORK | xmllint --xpath EXPR -` prints a part");
        }
        let driver = directories.driver()?;
        let found = self.network.find(&driver).and_then(|name| {
            let text = if self.inactive { driver.inactive_xml(&name) } else { driver.xml(&name) };
            Ok((name, text?))
        });
        let (name, xml) = match found {
            Ok(found) => found,
            Err(error) => return failure::answer(error),
        };
        match self.format.format {
            Format::Json => print_json(&Report { network: name.to_string(), xml })?,
            Format::Human => print_exact(&xml)?,
        }
        Ok(Answer::Yes)
    }
}
