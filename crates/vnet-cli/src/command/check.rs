//! `vnet check FILE…`: reports everything that is wrong with definitions.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::check::{Format, Summary};
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::document::Document;
use crate::failure;
use crate::files::Files;
use crate::output::{Answer, progress};

/// How long a check runs until it shows its progress.
const PATIENCE: Duration = Duration::from_millis(500);

/// Report everything that is wrong with definitions, and where
///
/// Checks each definition alone, and whether all of them can be on one host. With --against-host,
/// also checks them against this host: routes, addresses, interfaces and other programs' firewall
/// rules that conflict with them. Exit code 1 when there is an error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders with definitions in them and below; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Check against this host as well
    #[arg(long)]
    against_host: bool,
}

impl Args {
    /// Checks and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let driver = directories.driver()?;
        let checker = self.against_host.then(|| driver.checker()).transpose()?;
        let mut summary = Summary::new(self.format, self.strict);
        let Files { found: files, mut passed_over, mut unread, .. } = Files::of(&self.paths)?;
        let began = Instant::now();
        for (done, file) in files.iter().enumerate() {
            let takes_long = began.elapsed() > PATIENCE;
            if takes_long {
                progress(&format!("{done} of {} files checked", files.len()));
            }
            let document = Document::read(&file.path);
            if let Some(other) = document.as_ref().ok().and_then(|document| file.is_other(document)) {
                passed_over.push(other);
                continue;
            }
            let checked = document.map(Checked::new);
            if takes_long {
                progress("");
            }
            match checked {
                Ok(checked) => summary.add(checked, checker.as_ref())?,
                Err(error) => unread.push(error),
            }
        }
        summary.pass_over(passed_over);
        if summary.has_read() || unread.is_empty() {
            summary.print()?;
        }
        match unread.pop() {
            None => Ok(Answer::when(summary.holds())),
            Some(last) => {
                unread.iter().for_each(failure::report);
                Err(last)
            }
        }
    }
}
