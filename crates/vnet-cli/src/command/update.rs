//! `vnet update NETWORK SECTION COMMAND XML`: changes one element of a network.

use std::error::Error as StdError;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use vnet_driver::{Driver, Edited, ElementReport, Error, NetworkName, Update, UpdateOutcome};
use vnet_xml::network::{Command, Section, UpdateError};
use vnet_xml::{Network, did_you_mean};

use crate::changes::{ChangeJson, brief, changes};
use crate::definition::is_file;
use crate::diagnostic::human::human;
use crate::diagnostic::json::{DiagnosticJson, diagnostics};
use crate::diagnostic::{Checked, Diagnostic};
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::notes::noted;
use crate::output::{Answer, Format, FormatOption, done, note, plain, print, print_exact, print_json};

/// Add, replace or delete one element of a network: of the one that runs, in place, of the kept
/// definition, or of both
///
/// The rules are those of `virsh net-update`, for more sections than libvirt has; its command line
/// works word for word. Of a file, or with --print, the resulting definition is printed and nothing
/// is changed. Exit code 1 when the update is refused.
///
/// Sections: bridge, domain, ip, ip-dhcp-host, ip-dhcp-range, forward, forward-interface,
/// forward-pf, portgroup, dns-host, dns-txt, dns-srv, route, mtu, bandwidth, vlan, nat, port.
/// Commands: add-last (or add), add-first, modify, delete.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The network's name or UUID, or a file; the section and the command in either order; the
    /// element: its text, a file, or `-` for stdin
    #[arg(value_name = "NETWORK SECTION COMMAND XML", num_args = 0..=4)]
    words: Vec<String>,
    /// The network's name or UUID, or a file
    #[arg(long, value_name = "NETWORK")]
    network: Option<String>,
    /// The part of the network
    #[arg(long, value_parser = words(Section::WORDS))]
    section: Option<Section>,
    /// What to do with the element; add is add-last
    #[arg(long, value_parser = words(Command::WORDS))]
    command: Option<Command>,
    /// The element: its text, a file, or `-` for stdin
    #[arg(long, value_name = "XML")]
    xml: Option<String>,
    /// The `<ip>` that a DHCP element belongs to, counted from 0; with -1, vnet chooses it
    #[arg(long, alias = "parentIndex", value_name = "N", allow_negative_numbers = true, default_value_t = -1)]
    parent_index: i64,
    /// Change the network that runs
    #[arg(long)]
    live: bool,
    /// Change the kept definition
    #[arg(long)]
    config: bool,
    /// Change the network as it runs, or as it is kept if it does not run; this is the default
    #[arg(long, conflicts_with_all = ["live", "config"])]
    current: bool,
    /// Only print the resulting definition: the kept one, or with --live that of the network that
    /// runs
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    format: FormatOption,
}

/// What is asked.
struct Asked {
    network: String,
    section: Section,
    command: Command,
    element: Document,
}

/// A result. `docs/json.md` describes the shape.
#[derive(Serialize)]
struct Report {
    /// `None` when the update is refused.
    network: Option<String>,
    /// Whether the network that runs was changed.
    live: bool,
    /// Whether the kept definition was changed.
    config: bool,
    /// The definition, if it was only to be printed.
    xml: Option<String>,
    /// Findings about the element.
    diagnostics: Vec<DiagnosticJson>,
    changes: Vec<ChangeJson>,
    /// The comments of a deleted element.
    lost_comments: Vec<String>,
}

impl Args {
    /// Updates, or prints the updated definition.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let asked = self.asked()?;
        let mut update = Update::new(asked.section, asked.command, &asked.element.bytes);
        update.parent_index = usize::try_from(self.parent_index).ok();
        (update.live, update.config) = (self.live, self.config);
        if is_file(&asked.network) {
            return self.print_file(&update, &asked);
        }
        let driver = directories.driver()?;
        let name = match driver.lookup(&asked.network) {
            Ok(name) => name,
            Err(error) => return failure::answer(error),
        };
        if self.print {
            return match self.base(&driver, &name) {
                Ok(network) => self.print_edited(&update, &network, &asked),
                Err(error) => failure::answer(error),
            };
        }
        match driver.update(&name, &update) {
            Ok(outcome) => Ok(self.tell(&asked, outcome)),
            Err(error) => self.refuse(&asked, error),
        }
    }

    /// Sorts the words: a network, a section and a command in either order, an element.
    fn asked(&self) -> anyhow::Result<Asked> {
        let (mut network, mut section, mut command, mut xml) =
            (self.network.clone(), self.section, self.command, self.xml.clone());
        for word in &self.words {
            if network.is_none() {
                network = Some(word.clone());
            } else if let (None, Ok(it)) = (section, word.parse()) {
                section = Some(it);
            } else if let (None, Ok(it)) = (command, word.parse()) {
                command = Some(it);
            } else if xml.is_none() && section.is_some() && command.is_some() {
                xml = Some(word.clone());
            } else {
                bail!("{}", unexpected(word, section, command));
            }
        }
        let section = section.context("the section is missing: ip-dhcp-host, dns-host, …")?;
        let command = command.context("the command is missing: add-last, add-first, modify or delete")?;
        let (network, xml) = (network.context("the network is missing")?, xml.context("the element is missing")?);
        if network == "-" && xml == "-" {
            bail!("only one of the definition and the element can come from stdin");
        }
        let element = match xml.trim_start().starts_with('<') {
            true => Document::new("<element>".to_owned(), xml.into_bytes()),
            false => Document::read(Path::new(&xml))?,
        };
        Ok(Asked { network, section, command, element })
    }

    /// The definition to print an update of.
    fn base(&self, driver: &Driver, name: &NetworkName) -> Result<Network, Error> {
        match driver.kept(name)?.filter(|_| !self.live) {
            Some(kept) => Ok(kept),
            None if self.config => Err(Error::NotDefined(name.clone())),
            None => driver.definition(name),
        }
    }

    fn print_file(&self, update: &Update<'_>, asked: &Asked) -> anyhow::Result<Answer> {
        if self.live || self.config || self.current {
            bail!("`{}` is a file, not a network: the resulting definition is only printed", asked.network);
        }
        let base = Checked::text_of_network(Document::read(Path::new(&asked.network))?);
        match base.sound_network() {
            Some(network) => self.print_edited(update, network, asked),
            None => {
                note(human(&base));
                Ok(Answer::No)
            }
        }
    }

    fn print_edited(&self, update: &Update<'_>, network: &Network, asked: &Asked) -> anyhow::Result<Answer> {
        let Edited { network, element, lost, .. } = match update.edit(network) {
            Ok(edited) => edited,
            Err(error) => return self.refuse(asked, error),
        };
        let (told, xml) = (asked.told(&element), network.to_string());
        match self.format.format {
            Format::Json => {
                let (network, diagnostics, lost_comments) = (Some(network.name), diagnostics(&told), lost);
                let (live, config, changes) = (false, false, Vec::new());
                print_json(&Report { network, live, config, xml: Some(xml), diagnostics, changes, lost_comments })?;
            }
            Format::Human => {
                note(human(&told) + &lost_comments(&lost));
                print_exact(&xml)?;
            }
        }
        Ok(Answer::Yes)
    }

    fn tell(&self, asked: &Asked, outcome: UpdateOutcome) -> Answer {
        let told = asked.told(&outcome.element);
        let UpdateOutcome { name, live, config, is_kept, lost, .. } = outcome;
        let how = match (&live, config) {
            (Some(_), true) => "as it runs and as it is kept",
            (Some(_), false) => "as it runs",
            (None, _) => "as it is kept",
        };
        let made = live.as_ref().map(|live| live.changes.clone()).unwrap_or_default();
        done(format!("network `{name}` is updated, {how}"), || match self.format.format {
            Format::Json => print_json(&Report {
                network: Some(name.to_string()),
                live: live.is_some(),
                config,
                xml: None,
                diagnostics: diagnostics(&told),
                changes: changes(&made),
                lost_comments: lost,
            }),
            Format::Human => {
                let mut notes = human(&told) + &lost_comments(&lost);
                if is_kept && !config {
                    notes += &noted("the kept definition is as before: --config changes it too");
                }
                note(notes);
                Ok(print(format!("{}network {name} updated, {how}\n", brief(&made)))?)
            }
        })
    }

    /// Reports why an update is refused.
    fn refuse(&self, asked: &Asked, error: Error) -> anyhow::Result<Answer> {
        let found = match error {
            Error::Element(element) => asked.found(&element),
            Error::Update(UpdateError::Element(refused)) => {
                refused.problems.into_iter().map(Diagnostic::from).collect()
            }
            Error::Update(error) => {
                let span = if let UpdateError::Refused { span, .. } = &error { span.clone() } else { None };
                vec![Diagnostic::of_update(asked.section, &error, span.unwrap_or(0..0))]
            }
            other => return failure::answer(other),
        };
        let told = Checked::of_element(asked.element.clone(), found);
        match self.format.format {
            Format::Json => print_json(&Report {
                network: None,
                live: false,
                config: false,
                xml: None,
                diagnostics: diagnostics(&told),
                changes: Vec::new(),
                lost_comments: Vec::new(),
            })?,
            Format::Human => note(human(&told)),
        }
        Ok(Answer::No)
    }
}

impl Asked {
    /// The diagnostics about the element.
    fn told(&self, report: &ElementReport) -> Checked {
        Checked::of_element(self.element.clone(), self.found(report))
    }

    fn found(&self, report: &ElementReport) -> Vec<Diagnostic> {
        let problems = report.problems.iter().cloned().map(Diagnostic::from);
        let place = |path: &vnet_xml::NodePath| report.source.span(path).unwrap_or(0..0);
        problems.chain(report.findings.iter().cloned().map(|it| Diagnostic::from_finding(it, place))).collect()
    }
}

/// The error about a word that has no place.
fn unexpected(word: &str, section: Option<Section>, command: Option<Command>) -> String {
    let sections = Section::WORDS.iter().map(|(word, _)| *word).filter(|_| section.is_none());
    let commands = Command::WORDS.iter().map(|(word, _)| *word).filter(|_| command.is_none());
    let missing: Vec<_> = sections.chain(commands).collect();
    let what = match (section, command) {
        (None, None) => "is neither a section nor a command",
        (None, Some(_)) => "is not a section",
        (Some(_), None) => "is not a command",
        (Some(_), Some(_)) => return format!("`{word}` is one word too many; quote an element that has blanks"),
    };
    match did_you_mean(word, missing.iter().copied()) {
        Some(meant) => format!("`{word}` {what}: did you mean `{meant}`?"),
        None => format!("`{word}` {what}; these are: {}", missing.join(", ")),
    }
}

fn lost_comments(lost: &[String]) -> String {
    lost.iter().map(|text| noted(format!("the comment of the element is deleted with it: {}", plain(text)))).collect()
}

/// Parses one of the words; the error lists them.
fn words<T: FromStr<Err: StdError + Send + Sync> + Clone + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let listed = words.iter().map(|(word, _)| match *word {
        "add-last" => PossibleValue::new(word).alias("add"),
        word => PossibleValue::new(word),
    });
    PossibleValuesParser::new(listed).try_map(|word| word.parse::<T>())
}
