//! `vnet passt run FILE`: a passt for a guest.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Serialize;
use vnet_passt::run::Program;
use vnet_passt::{Lifetime, Passt, Process};

use crate::directories::Directories;
use crate::document::Document;
use crate::host::Here;
use crate::hypervisor::{PasstJson, running};
use crate::output::{Answer, Format, FormatOption, print, print_json};
use crate::port::{self, For};

/// Start a passt for a guest, and print how a hypervisor connects to it
///
/// It ends with its guest. Its socket is in a folder of this user's alone. The guest's interface is a port from then on:
/// `vnet diff` tells whether passt has ended, `vnet apply` starts it again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's `<interface>`, or a `<domain>` with one on passt; `-` is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The guest's name [default: the domain's, else the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Stay when the guest has gone, for the next one
    #[arg(long)]
    stay: bool,
    /// Become passt, for a service manager: nothing is printed
    #[arg(long)]
    foreground: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    name: String,
    /// The port, for `vnet diff`, `vnet apply` and `vnet detach`.
    port: String,
    pid_file: Option<PathBuf>,
    /// passt, and what it says of its version.
    program: PathBuf,
    version: String,
    arguments: Vec<String>,
    #[serde(flatten)]
    passt: PasstJson,
}

impl Args {
    /// Starts it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let mut here = Here::open(directories)?;
        let lock = here.lock();
        let prepared = port::prepare(Document::read(&self.file)?, &here, &For::guest(self.name.clone()), format)?;
        let Some(mut lowered) = prepared.lowered else {
            return port::Report::refuse(&prepared.checked, format);
        };
        let Some(mut passt) = port::passt(&lowered.desired).cloned() else {
            bail!("`{}` is not on passt: `vnet attach` makes its device", self.file.display());
        };
        let name = lowered.port.guest.clone().unwrap_or_default();
        if let Some(running) = running(&passt) {
            bail!("guest `{name}` has a passt already (process {}): stop it first", running.pid());
        }
        if self.stay {
            passt.lifetime = Lifetime::ManyGuests;
        }
        if self.foreground {
            passt.options.process = Process::Foreground;
        }
        lowered.desired.insert(passt.clone());
        let (lock, program) = (lock?, Program::find()?);
        match prepared.is_attached {
            true => here.apply_port(&lock, &lowered)?,
            false => here.attach(&lock, &lowered)?,
        };
        drop(lock);
        if self.foreground {
            return Err(become_passt(&passt, &program));
        }
        let arguments = passt.arguments()?;
        let report = Report {
            name,
            port: lowered.port.dev.to_string(),
            pid_file: passt.pid_file.clone(),
            program: program.path().to_owned(),
            version: program.version().to_owned(),
            arguments: arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            passt: PasstJson::of(&passt, Some(lowered.port.mac)),
        };
        match format {
            Format::Json => print_json(&report)?,
            Format::Human => {
                let socket = report.passt.socket.display();
                print(format!("passt for guest {} listens on {socket}\n{}", report.name, report.passt.text()))?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// Replaces this process; returns only the reason why that failed.
fn become_passt(passt: &Passt, program: &Program) -> anyhow::Error {
    let arguments = match passt.arguments() {
        Ok(arguments) => arguments,
        Err(error) => return error.into(),
    };
    let failed: Result<(), _> = Err(Command::new(program.path()).args(arguments).exec());
    let failed = failed.with_context(|| format!("`{}` did not start", program.path().display()));
    failed.expect_err("it returns only where it failed")
}
