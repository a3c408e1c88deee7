//! `vnet passt run FILE`: a passt for a guest.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use serde::Serialize;
use vnet_passt::run::Program;
use vnet_passt::{Lifetime, Process};

use super::guest::{Files, Guest, Hypervisor, quoted, read};
use crate::directories::Directories;
use crate::output::{Answer, Format, FormatOption, print, print_json};

/// Start a passt for a guest, and print how a hypervisor connects to it
///
/// It ends with its guest. Its socket is in a folder of this user's alone.
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
    pid: i32,
    socket: PathBuf,
    pid_file: PathBuf,
    /// passt, and what it says of its version.
    program: PathBuf,
    version: String,
    arguments: Vec<String>,
    #[serde(flatten)]
    hypervisor: Hypervisor,
}

impl Args {
    /// Starts it.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let format = self.format.format;
        let Some(mut guest) = read(&self.file, self.name.as_deref(), directories, format)? else {
            return Ok(Answer::No);
        };
        if self.stay {
            guest.passt.lifetime = Lifetime::ManyGuests;
        }
        let files = Files::new(&guest.name, directories)?;
        if let Some(running) = files.running() {
            bail!("guest `{}` has a passt already (process {}): stop it first", guest.name, running.pid());
        }
        let program = Program::find()?;
        program.check(&guest.passt.arguments()?)?;
        files.make(&guest)?;
        if self.foreground {
            guest.passt.options.process = Process::Foreground;
            return Err(become_passt(&guest, &program)?);
        }
        let running = match guest.passt.start(&program) {
            Ok(running) => running,
            Err(error) => {
                files.remove()?;
                return Err(error.into());
            }
        };
        let arguments = guest.passt.arguments()?;
        let report = Report {
            pid: running.pid(),
            socket: files.socket(),
            pid_file: files.pid_file(),
            program: program.path().to_owned(),
            version: program.version().to_owned(),
            arguments: arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            hypervisor: Hypervisor::of(&guest),
            name: guest.name,
        };
        match format {
            Format::Json => print_json(&report)?,
            Format::Human => print(report.text())?,
        }
        Ok(Answer::Yes)
    }
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!("passt for guest {} listens on {}\n", self.name, self.socket.display());
        text += &format!("QEMU: {}\n", quoted(&self.hypervisor.qemu));
        if let Some(memory) = &self.hypervisor.qemu_memory {
            text += &format!("  and {}, with the guest's own size\n", quoted(memory));
        }
        text + &match &self.hypervisor.cloud_hypervisor {
            Some(arguments) => format!("cloud-hypervisor: {arguments}\n"),
            None => {
                "cloud-hypervisor and others without a stream device: use an interface of type vhostuser\n".to_owned()
            }
        }
    }
}

/// Replaces this process; returns only the reason why that failed.
fn become_passt(guest: &Guest, program: &Program) -> anyhow::Result<anyhow::Error> {
    let problems = guest.passt.problems()?;
    if !problems.is_empty() {
        return Ok(vnet_passt::run::Error::Host(problems).into());
    }
    let error = Command::new(program.path()).args(guest.passt.arguments()?).exec();
    Ok(anyhow::Error::from(error).context(format!("`{}` did not start", program.path().display())))
}
