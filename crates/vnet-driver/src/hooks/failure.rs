//! Why a hook failed, and what follows from it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use vnet_types::NetworkName;

use crate::error::Error;

/// What a hook is told of, in libvirt's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookOperation {
    /// The network is about to start. A failure refuses that.
    Start,
    /// The network has started. After a failure it is stopped again.
    Started,
    /// The network is stopped. A failure changes nothing.
    Stopped,
    /// A port is about to be attached to the network. A failure refuses that.
    PortCreated,
    /// A port is detached from the network. A failure changes nothing.
    PortDeleted,
    /// The running network was changed. A failure is an error, and the change stays.
    Updated,
}

/// A hook that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct HookFailure {
    /// The program.
    pub script: PathBuf,
    /// The network.
    pub network: NetworkName,
    /// What it was told of.
    pub operation: HookOperation,
    /// The cause.
    pub problem: HookProblem,
    /// The end of its standard error.
    pub stderr: String,
    /// Why the network that it refused could not be stopped again in full.
    pub left: Option<Box<Error>>,
}

/// Why a hook failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HookProblem {
    /// It ended with this status.
    Refused(ExitStatus),
    /// It did not end within this time, and was ended.
    Slow(Duration),
    /// Others can write to it, or to a folder above it.
    Untrusted(Box<vnet_host::Error>),
    /// It cannot be run.
    NotRun(io::Error),
}

impl HookOperation {
    /// The second argument of a hook.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::PortCreated => "port-created",
            Self::PortDeleted => "port-deleted",
            Self::Updated => "updated",
        }
    }

    /// The operation with this word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let all = [Self::Start, Self::Started, Self::Stopped, Self::PortCreated, Self::PortDeleted, Self::Updated];
        all.into_iter().find(|operation| operation.word() == word)
    }

    /// The third argument of a hook.
    pub(super) fn stage(self) -> &'static str {
        if self == Self::Stopped { "end" } else { "begin" }
    }
}

impl HookFailure {
    /// What to do about it. `None` where its cause says so.
    pub fn help(&self) -> Option<String> {
        let script = self.script.display();
        Some(match &self.problem {
            HookProblem::Refused(_) => format!("read in `{script}` what it refuses; without it nothing asks"),
            HookProblem::Slow(limit) => format!("make `{script}` end within {limit:?}: let it leave long work behind"),
            HookProblem::Untrusted(error) => return error.help(),
            HookProblem::NotRun(_) => format!("make it a program (`chmod +x {script}`, with `#!` in its first line)"),
        })
    }
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { network, operation, .. } = self;
        match (operation, &self.left) {
            (HookOperation::Start, _) => write!(f, "network `{network}` is not started")?,
            (HookOperation::Started, None) => write!(f, "network `{network}` is stopped again")?,
            (HookOperation::Started, Some(left)) => write!(f, "network `{network}` is not stopped in full ({left})")?,
            (HookOperation::Stopped, _) => write!(f, "network `{network}` is stopped, but a hook failed")?,
            (HookOperation::PortCreated, _) => write!(f, "no port is attached to network `{network}`")?,
            (HookOperation::PortDeleted, _) => {
                write!(f, "a port of network `{network}` is detached, but a hook failed")?;
            }
            (HookOperation::Updated, _) => {
                write!(f, "network `{network}` is changed and stays so, but a hook refused")?
            }
        }
        let (script, word) = (self.script.display(), operation.word());
        match &self.problem {
            HookProblem::Refused(status) => write!(f, ": the hook `{script}` failed at `{word}` ({status})")?,
            HookProblem::Slow(limit) => {
                write!(f, ": the hook `{script}` did not end `{word}` within {limit:?}, and was ended")?;
            }
            HookProblem::Untrusted(_) => write!(f, ": the hook `{script}` is not run")?,
            HookProblem::NotRun(_) => write!(f, ": the hook `{script}` cannot be run")?,
        }
        if self.stderr.is_empty() { Ok(()) } else { write!(f, ": {}", self.stderr) }
    }
}

impl std::error::Error for HookFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            HookProblem::Untrusted(error) => Some(error),
            HookProblem::NotRun(error) => Some(error),
            HookProblem::Refused(_) | HookProblem::Slow(_) => None,
        }
    }
}
