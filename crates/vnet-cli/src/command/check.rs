//! `vnet check FILE…`: everything that is wrong with definitions, at once.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use vnet_plan::preview;
use vnet_types::Inventory;
use vnet_xml::Severity;

use crate::definition::{choices, network_name};
use crate::diagnostic::{Checked, DiagnosticJson, Log, diagnostics, human};
use crate::directories::Directories;
use crate::document::{Document, files};
use crate::failure;
use crate::host::Here;
use crate::obstacle::Obstacle;
use crate::output::{Answer, note, print, print_json, progress};
use crate::port::probe;

/// From when on people want to know how far it is.
const PATIENCE: Duration = Duration::from_millis(500);

/// Say everything that is wrong with definitions, and where
///
/// Looks at the definitions alone; with --against-host at what this host has too: routes, addresses, interfaces and
/// other programs' firewall rules that would be in the way. Exit code 1 when there is an error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Warnings are errors
    #[arg(long)]
    strict: bool,
    /// Check against this host as well
    #[arg(long)]
    against_host: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, on stderr, with a summary on stdout
    #[default]
    Human,
    /// One JSON document
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

#[derive(Serialize)]
struct Report {
    files: Vec<FileReport>,
    errors: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct FileReport {
    file: String,
    /// `None` where the document defines none.
    network: Option<String>,
    diagnostics: Vec<DiagnosticJson>,
    /// Rules of others that are in its way.
    obstacles: Vec<Obstacle>,
}

impl Args {
    /// Checks and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let here = if self.against_host { Some(Here::open(directories)?) } else { None };
        let mut inventory = here.as_ref().map(Here::inventory).transpose()?;
        if let Some(inventory) = &mut inventory {
            probe(inventory)?;
        }
        let mut report = Report { files: Vec::new(), errors: 0, warnings: 0 };
        let mut log = Log::new();
        let mut unread = Vec::new();
        let files = files(&self.paths)?;
        let began = Instant::now();
        for (done, file) in files.iter().enumerate() {
            let takes_long = began.elapsed() > PATIENCE;
            if takes_long {
                progress(&format!("{done} of {} files checked", files.len()))?;
            }
            let checked = self.check(file, inventory.as_ref());
            if takes_long {
                progress("")?;
            }
            let checked = match checked {
                Ok(checked) => checked,
                Err(error) => {
                    unread.push(error);
                    continue;
                }
            };
            report.errors += checked.count(Severity::Error);
            report.warnings += checked.count(Severity::Warning);
            let obstacles: Vec<Obstacle> = match here.as_ref().zip(inventory.as_ref()) {
                Some((here, inventory)) => obstacles(&checked, here, inventory)?,
                None => Vec::new(),
            };
            let sure = obstacles.iter().filter(|obstacle| obstacle.is_sure()).count();
            let worst = if self.strict { Severity::Error } else { Severity::Warning };
            match worst {
                Severity::Error => report.errors += sure,
                Severity::Warning => report.warnings += sure,
            }
            match self.format {
                Format::Human => note(human(&checked) + &Obstacle::human(&obstacles, worst))?,
                Format::Json => report.files.push(FileReport::new(&checked, obstacles)),
                Format::Sarif => log.add(&checked, &obstacles, worst),
            }
        }
        if unread.len() < files.len() {
            match self.format {
                Format::Human => print(format!("{}\n", report.summary(files.len() - unread.len())))?,
                Format::Json => print_json(&report)?,
                Format::Sarif => print_json(&log)?,
            }
        }
        match unread.pop() {
            None => Ok(Answer::when(report.errors == 0)),
            Some(last) => {
                unread.iter().for_each(failure::report);
                Err(last)
            }
        }
    }

    fn check(&self, file: &Path, inventory: Option<&Inventory>) -> anyhow::Result<Checked> {
        let mut checked = Checked::new(Document::read(file)?);
        if let Some(inventory) = inventory {
            checked.against(inventory);
        }
        if self.strict {
            checked.be_strict();
        }
        Ok(checked)
    }
}

impl FileReport {
    fn new(checked: &Checked, obstacles: Vec<Obstacle>) -> Self {
        Self {
            file: checked.document.name.clone(),
            network: checked.network().map(|network| network.name.clone()),
            diagnostics: diagnostics(checked),
            obstacles,
        }
    }
}

/// Rules of others that are in the way of a network, where it is sound.
fn obstacles(checked: &Checked, here: &Here, inventory: &Inventory) -> anyhow::Result<Vec<Obstacle>> {
    let Some(network) = checked.sound_network() else { return Ok(Vec::new()) };
    let name = network_name(&network.name)?;
    let running = here.running(&name)?;
    let choices = choices(network, &name, running.as_ref(), here)?;
    let lowered = preview(network, inventory, &choices)?;
    Obstacle::find(here, &lowered.desired, lowered.intent.as_ref(), inventory)
}

impl Report {
    fn summary(&self, files: usize) -> String {
        let count = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let checked = format!("{} checked", count(files, "file"));
        match (self.errors, self.warnings) {
            (0, 0) => format!("{checked}, nothing found"),
            (errors, warnings) => format!("{checked}, {}, {}", count(errors, "error"), count(warnings, "warning")),
        }
    }
}
