//! What a check has found, and where it has read that.

use serde::Serialize;
use vnet_types::NetworkName;

/// How it is with one thing that guests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It is as guests need it.
    Ok,
    /// Guests certainly miss something by it.
    Problem,
    /// It cannot be known, or it may or may not matter.
    Unknown,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Symptom {
    /// The check, as in [`Diagnosis::CHECKS`](super::Diagnosis::CHECKS).
    pub check: &'static str,
    /// The network. `None` for what concerns the host.
    pub network: Option<String>,
    /// How it is.
    pub health: Health,
    /// What was found, in a sentence.
    pub finding: String,
    /// What was read, and where: commands and files that show the same.
    pub evidence: Vec<String>,
    /// Commands that mend it, for an administrator to decide on.
    pub commands: Vec<String>,
    /// What to do where no command mends it.
    pub help: Option<String>,
    /// What vnet can do about it itself.
    pub mend: Option<Mend>,
    #[serde(skip)]
    pub(super) role: SymptomRole,
}

/// What a symptom says about causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SymptomRole {
    Plain,
    /// It may be why something else fails.
    Suspect,
    /// It fails for a reason that it does not know.
    Failed,
}

/// What vnet can do about a problem itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mend {
    /// Starts a network that is defined.
    Start(NetworkName),
    /// Makes a network as it runs anew, or starts it as it is kept.
    Repair(NetworkName),
}

impl Symptom {
    fn new(check: &'static str, health: Health, finding: impl Into<String>) -> Self {
        let finding = finding.into();
        let (network, evidence, commands) = (None, Vec::new(), Vec::new());
        Self { check, network, health, finding, evidence, commands, help: None, mend: None, role: SymptomRole::Plain }
    }

    pub(super) fn ok(check: &'static str, finding: impl Into<String>) -> Self {
        Self::new(check, Health::Ok, finding)
    }

    pub(super) fn problem(check: &'static str, finding: impl Into<String>) -> Self {
        Self::new(check, Health::Problem, finding)
    }

    pub(super) fn unknown(check: &'static str, finding: impl Into<String>) -> Self {
        Self::new(check, Health::Unknown, finding)
    }

    /// It may be why something else fails.
    pub(super) fn suspect(mut self) -> Self {
        self.role = SymptomRole::Suspect;
        self
    }

    /// Something that was tried fails. That says nothing about the cause.
    pub(super) fn failed(mut self) -> Self {
        self.role = SymptomRole::Failed;
        self
    }

    pub(super) fn read(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.commands.push(command.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn mend(mut self, mend: Option<Mend>) -> Self {
        self.commands.extend(mend.iter().map(Mend::command));
        self.mend = mend;
        self
    }
}

impl Mend {
    /// The command that does the same.
    pub fn command(&self) -> String {
        match self {
            Self::Start(network) => format!("vnet start {network}"),
            Self::Repair(network) => format!("vnet apply {network}"),
        }
    }

    /// What it does, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Start(network) => format!("start network {network}"),
            Self::Repair(network) => format!("repair network {network}"),
        }
    }
}
