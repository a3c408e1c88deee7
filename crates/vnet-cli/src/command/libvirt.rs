//! `vnet libvirt`: forwards and egress for networks that libvirt runs.

use std::env;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use nix::unistd::Uid;
use vnet_driver::{LibvirtCall, LibvirtHookOutcome};

use crate::directories::Directories;
use crate::failure;
use crate::output::{Answer, done, plain, print};

/// A call of the hook waits for other changes for so long: libvirt waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Add forwards and egress to networks that libvirt runs
///
/// libvirt tells of its networks by a hook. vnet then makes rules, in its own table, for
/// `<vnet:portForward>` and `<vnet:egress>` in their `<metadata>`, and takes them away when they
/// stop. Bridge, addresses, DHCP and all other rules stay libvirt's.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    InstallHook(InstallHook),
    RemoveHook(RemoveHook),
    #[command(hide = true)]
    Hook(Hook),
}

/// Make libvirt tell of its networks, and add to those that run
///
/// Writes /etc/libvirt/hooks/network.d/vnet, and makes libvirt's daemon reload its configuration,
/// as it looks for hooks only then. Guests stay connected. Exit code 1 when a network that runs has
/// forwards or egress that it cannot have.
#[derive(Debug, clap::Args)]
struct InstallHook {
    /// The program that the hook runs [default: this one]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Remove the hook, and what was added to networks
///
/// The networks run on, without forwards and egress. Exit code 1 when something could not be
/// removed.
#[derive(Debug, clap::Args)]
struct RemoveHook {}

/// Answer a call of libvirt's hook, with the network on standard input
#[derive(Debug, clap::Args)]
struct Hook {
    network: String,
    operation: String,
    stage: Option<String>,
    more: Option<String>,
}

impl Args {
    /// Runs the command.
    pub(crate) fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        match &self.act {
            Act::InstallHook(args) => args.run(directories),
            Act::RemoveHook(_) => remove(directories),
            Act::Hook(args) => args.run(directories),
        }
    }
}

impl InstallHook {
    fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        is_root()?;
        let program = match &self.program {
            Some(program) => program.canonicalize().with_context(|| format!("`{}`", program.display()))?,
            None => env::current_exe().context("the path of this program is not known")?,
        };
        let outcome = match directories.driver()?.install_libvirt_hook(&program) {
            Ok(outcome) => outcome,
            Err(error) => return failure::answer(error),
        };
        let file = outcome.file.display();
        let told = if outcome.is_changed { "is installed" } else { "is installed already" };
        let daemon = outcome.daemon.map(|pid| format!("; libvirt's daemon (process {pid}) reloads its configuration"));
        let text = format!("the hook {file} {told}{}\n", daemon.unwrap_or_default());
        Ok(report(&outcome, text, "has what its <metadata> asks for"))
    }
}

fn remove(directories: &Directories) -> anyhow::Result<Answer> {
    is_root()?;
    let outcome = match directories.driver()?.remove_libvirt_hook() {
        Ok(outcome) => outcome,
        Err(error) => return failure::answer(error),
    };
    let told = if outcome.is_changed { "is removed" } else { "is not installed" };
    let text = format!("the hook {} {told}\n", outcome.file.display());
    Ok(report(&outcome, text, "runs on without forwards and egress of vnet"))
}

fn report(outcome: &LibvirtHookOutcome, mut text: String, done_so: &str) -> Answer {
    let mut is_all = true;
    for (name, result) in &outcome.networks {
        match result {
            Ok(()) => text += &format!("network {} {done_so}\n", plain(name)),
            Err(error) => {
                is_all = false;
                failure::report(&anyhow::anyhow!("network `{name}`: {error:?}"));
            }
        }
    }
    done("the hook is changed", || Ok(print(text)?));
    Answer::when(is_all)
}

/// Only root's libvirt runs networks with a bridge.
fn is_root() -> anyhow::Result<()> {
    if !Uid::effective().is_root() {
        bail!("only root's libvirt runs networks with a bridge: run it as root");
    }
    Ok(())
}

impl Hook {
    fn run(&self, directories: &Directories) -> anyhow::Result<Answer> {
        let mut document = String::new();
        io::stdin().read_to_string(&mut document).context("the network on standard input cannot be read")?;
        let Some(call) = LibvirtCall::read(&self.operation, &document)? else { return Ok(Answer::Yes) };
        let driver = directories.driver()?.with_lock_limit(PATIENCE);
        match driver.hear_libvirt(&call) {
            Ok(()) => Ok(Answer::Yes),
            Err(error) => {
                let is_refused = call.can_refuse();
                // libvirt keeps the first line.
                failure::report(&anyhow::anyhow!("network `{}`: {error:?}", self.network));
                Ok(if is_refused { Answer::Failed } else { Answer::Yes })
            }
        }
    }
}
