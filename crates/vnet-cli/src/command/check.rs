//! `vnet check FILE…`: reports everything that is wrong with definitions.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vnet_driver::{Driver, Error, NetworkName};
use vnet_xml::{KEPT_FILE_UNUSED, KEPT_UNDER_OTHER_NAME};

use crate::check::{Format, Summary};
use crate::diagnostic::Checked;
use crate::directories::Directories;
use crate::document::Document;
use crate::failure::{self, apart};
use crate::files::Files;
use crate::output::{Answer, progress};
use crate::rewrite::{files_only, rewrite};

/// How long a check runs until it shows its progress.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a document is checked again after its remedies were made.
const ROUNDS: usize = 16;

/// Report everything that is wrong with definitions, and where
///
/// Checks each definition alone, and whether all of them can be on one host. With --against-host,
/// also checks them against this host: routes, addresses, interfaces and other programs' firewall
/// rules that conflict with them. Exit code 1 when there is an error.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Definitions, or folders with definitions in them and below; `-` is stdin; or networks that
    /// are defined, by their names or UUIDs
    #[arg(required_unless_present = "all", value_name = "FILE|NETWORK")]
    paths: Vec<PathBuf>,
    /// Check all networks that are defined
    #[arg(long)]
    all: bool,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Check against this host as well
    #[arg(long)]
    against_host: bool,
    /// Rewrite the files with every remedy that is sure; the findings are those that remain
    #[arg(long)]
    fix: bool,
}

impl Args {
    /// The paths. What is no file here is a network that is defined.
    fn given(&self, driver: &Driver) -> anyhow::Result<(Vec<PathBuf>, Vec<anyhow::Error>)> {
        let of_network = |given: &PathBuf| {
            let text = given.to_str().filter(|text| *text != "-" && !text.contains('/') && !given.exists());
            match text.map(|text| driver.lookup(text).and_then(|name| Ok(driver.definition_text(&name)?.0))) {
                Some(Ok(file)) => Ok(file),
                Some(Err(Error::NoNetwork(_))) | None => Ok(given.clone()),
                Some(Err(error)) => Err(error.into()),
            }
        };
        let mut failed = Vec::new();
        let mut given: Vec<PathBuf> = self.paths.iter().map(of_network).collect::<anyhow::Result<_>>()?;
        if self.all {
            let (all, unread) = apart(driver.all()?);
            let defined = all.iter().filter(|info| info.is_persistent);
            given.extend(defined.map(|info| driver.definition_file(&info.name)));
            given.extend(driver.unused_files()?);
            failed = unread;
        }
        Ok((given, failed))
    }

    /// Checks and reports.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        if self.fix {
            files_only(&self.paths, "--fix")?;
        }
        let driver = directories.driver()?;
        let checker = self.against_host.then(|| driver.checker()).transpose()?;
        let mut summary = Summary::new(self.format, self.strict, checker.as_ref());
        let (given, failed) = self.given(&driver)?;
        let Files { found: files, mut passed_over, mut unread, .. } = Files::of(&given)?;
        unread.extend(failed);
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
            let checked = document.map(Checked::new).and_then(|checked| self.mended(checked, &file.path));
            let checked = checked.map(|(checked, fixed)| (self.as_kept(checked, &file.path, &driver), fixed));
            if takes_long {
                progress("");
            }
            match checked {
                Ok((checked, fixed)) => summary.add(checked, fixed, checker.as_ref())?,
                Err(error) => unread.push(error),
            }
        }
        summary.pass_over(passed_over);
        unread.iter().for_each(failure::report);
        if summary.has_read() || unread.is_empty() {
            summary.print()?;
        }
        Ok(if unread.is_empty() { Answer::when(summary.holds()) } else { Answer::Failed })
    }

    /// With `--all`, a kept definition and what is wrong with the name of its file.
    fn as_kept(&self, mut checked: Checked, file: &Path, driver: &Driver) -> Checked {
        let Some(inside) = checked.network().map(|network| network.name.clone()).filter(|_| self.all) else {
            return checked;
        };
        let is_its_own = |name: NetworkName| driver.definition_file(&name) == file;
        if inside.parse().is_ok_and(is_its_own) {
            return checked;
        }
        let path = file.display();
        if driver.unused_files().is_ok_and(|unused| unused.iter().any(|unused| unused == file)) {
            let message = "the file is not named as that of a network: nothing reads it".to_owned();
            let help = format!("`vnet define {path}` keeps the network under its name; then remove the file");
            checked.of_kept_file(KEPT_FILE_UNUSED, message, help);
        } else {
            let message = format!("the network is `{inside}`, but the file is that of another: neither can use it");
            let help = "give the network the name of the file (`vnet edit`), or the file that of the network";
            checked.of_kept_file(KEPT_UNDER_OTHER_NAME, message, help.to_owned());
        }
        checked
    }

    /// A document with its sure remedies made in its file, and their number. A remedy can uncover
    /// another finding that has one.
    fn mended(&self, mut checked: Checked, file: &Path) -> anyhow::Result<(Checked, usize)> {
        let (name, mut fixed) = (checked.document.name.clone(), 0);
        for _ in 0..ROUNDS {
            let Some((text, count)) = checked.mended().filter(|_| self.fix) else { break };
            checked = Checked::new(Document::new(name.clone(), text.into_bytes()));
            fixed += count;
        }
        if fixed > 0 {
            rewrite(file, str::from_utf8(&checked.document.bytes)?)?;
        }
        Ok((checked, fixed))
    }
}
