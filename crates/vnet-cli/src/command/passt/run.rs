//! `vnet passt run FILE`: starts a passt for a guest.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use serde::Serialize;
use vnet_driver::{AttachOptions, PasstOptions, PortOutcome};
use vnet_passt::run::Program;
use vnet_passt::{Lifetime, Passt, Process};

use crate::directories::Directories;
use crate::document::Document;
use crate::guest::Guest;
use crate::hypervisor::PasstJson;
use crate::output::{Answer, Format, FormatOption, done, print, print_json};
use crate::port::{Call, heard};

/// Start a passt for a guest, and print how a hypervisor connects to it
///
/// passt ends with its guest. Its socket is in a folder that only this user can open. The guest's
/// interface becomes a port: `vnet diff` shows whether passt has ended, `vnet apply` restarts it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guest's `<interface>`, or a `<domain>` with one on passt; `-` is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The guest's name [default: the domain's, else the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Keep running when the guest has gone, for the next guest
    #[arg(long)]
    stay: bool,
    /// Become passt, for a service manager, and print nothing
    #[arg(long)]
    foreground: bool,
    #[command(flatten)]
    format: FormatOption,
}

#[derive(Serialize)]
struct Report {
    name: String,
    /// The name of the port, for `vnet diff`, `vnet apply` and `vnet detach`.
    port: String,
    pid_file: Option<PathBuf>,
    /// The path of passt, and the version that it prints.
    program: PathBuf,
    program_version: String,
    arguments: Vec<String>,
    #[serde(flatten)]
    passt: PasstJson,
}

impl Args {
    /// Starts passt.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let (driver, format) = (directories.driver()?, self.format.format);
        let passt = PasstOptions {
            lifetime: self.stay.then_some(Lifetime::ManyGuests),
            process: self.foreground.then_some(Process::Foreground),
            ..PasstOptions::default()
        };
        let options = AttachOptions { guest: self.name.clone(), passt, ..AttachOptions::default() };
        let call: Call = |driver, interfaces, options| {
            interfaces.iter().map(|interface| driver.run_passt(interface, options)).collect()
        };
        let heard = heard(Document::read(&self.file)?, Guest::behind_passt, &driver, options, call, format)?;
        let Some((_, PortOutcome { port, passt: Some(passt), .. })) =
            heard.and_then(|heard| heard.ports.into_iter().next())
        else {
            return Ok(Answer::No);
        };
        let program = Program::find()?;
        if self.foreground {
            return become_passt(&passt, &program).map(|never| match never {});
        }
        let report = Report {
            name: port.guest.unwrap_or_default(),
            port: port.dev.to_string(),
            pid_file: passt.pid_file.clone(),
            program: program.path().to_owned(),
            program_version: program.version().to_owned(),
            arguments: passt.arguments()?.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
            passt: PasstJson::of(&passt, Some(port.mac), 0),
        };
        Ok(done(format!("the passt of guest `{}` runs", report.name), || match format {
            Format::Json => print_json(&report),
            Format::Human => {
                let socket = report.passt.socket.display();
                Ok(print(format!("passt for guest {} listens on {socket}\n{}", report.name, report.passt.text()))?)
            }
        }))
    }
}

/// Replaces this process. Returns only when that failed.
fn become_passt(passt: &Passt, program: &Program) -> anyhow::Result<Infallible> {
    let failed = Command::new(program.path()).args(passt.arguments()?).exec();
    Err(failed).with_context(|| format!("`{}` did not start", program.path().display()))
}
