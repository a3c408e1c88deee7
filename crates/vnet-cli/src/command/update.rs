//! `vnet update FILE`: adds, replaces or removes one element of a network definition.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use vnet_xml::Severity;
use vnet_xml::network::{Command, Section};

use crate::definition;
use crate::diagnostic::Checked;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::document::Document;
use crate::output::{Answer, Format, FormatOption, note, print_exact, print_json};
use crate::updated::updated;

/// Print the definition that results when an element is added, replaced or removed
///
/// The rules are those of `virsh net-update`, for more sections than libvirt has. This host is not
/// changed: pass the result to `vnet apply`. Exit code 1 when the update is refused.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The definition: a file, `-` for stdin, or the name of a network whose definition is kept
    #[arg(value_name = "FILE|NAME")]
    network: String,
    /// The part of the network
    #[arg(long, value_parser = words(Section::WORDS))]
    section: Section,
    /// What to do with the element; add is add-last
    #[arg(long, value_parser = words(Command::WORDS))]
    command: Command,
    /// The `<ip>` that a DHCP element belongs to, counted from 0; with -1, vnet chooses it
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = -1)]
    parent_index: i64,
    /// The element: a file, or `-` for stdin
    #[arg(long, value_name = "FILE")]
    xml: PathBuf,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    /// `None` when the update is refused.
    xml: Option<String>,
    /// Findings about the element.
    diagnostics: Vec<DiagnosticJson>,
}

impl Args {
    /// Updates and prints.
    pub(crate) fn run(&self, directories: &crate::directories::Directories) -> anyhow::Result<Answer> {
        let file = definition::locate(&self.network, directories)?;
        if file == Path::new("-") && self.xml == Path::new("-") {
            bail!("only one of the definition and the element can come from stdin");
        }
        let base = Checked::text_of_network(Document::read(&file)?);
        let Some(network) = base.sound_network() else {
            note(human(&base));
            return Ok(Answer::No);
        };
        let element = Document::read(&self.xml)?;
        let index = usize::try_from(self.parent_index).ok();
        let (network, found) = updated(network, self.section, self.command, index, &element);
        let told = Checked::of_element(element, found);
        let updated = network.filter(|_| told.count(Severity::Error) == 0).map(|network| network.to_string());
        match self.format.format {
            Format::Json => print_json(&Report { diagnostics: diagnostics(&told), xml: updated.clone() })?,
            Format::Human => {
                note(human(&told));
                updated.as_deref().map(print_exact).transpose()?;
            }
        }
        Ok(Answer::when(updated.is_some()))
    }
}

/// Parses one of the words; the error lists them.
fn words<T: FromStr<Err: Error + Send + Sync> + Clone + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let listed = words.iter().map(|(word, _)| match *word {
        "add-last" => PossibleValue::new(word).alias("add"),
        word => PossibleValue::new(word),
    });
    PossibleValuesParser::new(listed).try_map(|word| word.parse::<T>())
}
