//! Why a call did not do what it was asked.

use std::fmt;
use std::io;
use std::path::PathBuf;

use vnet_netlink::Capability;
use vnet_plan::{AttachError, LowerError};
use vnet_types::{InterfaceName, NameError, NetworkName};
use vnet_validate::Finding;
use vnet_xml::Severity;

/// Why a call did not do what it was asked: then nothing has changed on the host, unless the error
/// says so.
///
/// Its `Debug` form is its text with all causes, so that a `main` that returns it tells people what
/// was wrong.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something is wrong with the definition, alone or on this host.
    #[error("the definition is refused: {}", in_words(.findings))]
    Refused {
        /// All that is to be said about it, warnings too.
        findings: Vec<Finding>,
    },
    /// The network runs already.
    #[error("network `{0}` runs already: apply changes it, stop ends it")]
    AlreadyRuns(NetworkName),
    /// There is no such network.
    #[error("network `{0}` does not run")]
    NotRunning(NetworkName),
    /// The port is attached already.
    #[error("port `{0}` is attached already: apply changes it, detach ends it")]
    AlreadyAttached(InterfaceName),
    /// There is no such port.
    #[error("port `{0}` is not attached")]
    NotAttached(InterfaceName),
    /// No network and no port of this name has a receipt.
    #[error("nothing is noted of a network or a port `{0}`")]
    Unknown(String),
    /// The interface names no port that is attached.
    #[error("the definition names no port that is attached in `<target dev>`: attach makes one")]
    NoPort,
    /// The guest's passt runs already.
    #[error("guest `{guest}` has a passt already (process {pid}): stop it first")]
    PasstRuns {
        /// The guest's name.
        guest: String,
        /// The number of the process.
        pid: i32,
    },
    /// The interface is not on passt.
    #[error("the interface is not on passt: attach makes its device")]
    NotPasst,
    /// A privilege is missing.
    #[error("{capability} is missing")]
    Denied {
        /// Which.
        capability: Capability,
        /// For what.
        source: Box<vnet_host::Error>,
    },
    /// A text that no network can be called.
    #[error("`{text}` cannot be the name of a network")]
    NetworkName {
        /// The text.
        text: String,
        /// Why.
        source: NameError,
    },
    /// A text that no guest behind passt can be called.
    #[error("`{text}` cannot be the name of a guest")]
    GuestName {
        /// The text.
        text: String,
        /// Why.
        source: NameError,
    },
    /// What the network asks of a host cannot be decided.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// What the interface asks of a host cannot be decided.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The network has changed, and a port of it has not.
    #[error("port `{dev}` of network `{network}` stays as it was")]
    PortStays {
        /// The port.
        dev: InterfaceName,
        /// Its network.
        network: NetworkName,
        /// Why.
        source: Box<Error>,
    },
    /// A folder cannot be used.
    #[error("the folder `{}` cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in the state folder cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in the state folder has something else in it.
    #[error("`{}` is not {what}", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// What it should be: "a network".
        what: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The rules cannot be read.
    #[error(transparent)]
    Firewall(#[from] vnet_firewall::Error),
    /// The host did not do what was asked.
    #[error(transparent)]
    Host(Box<vnet_host::Error>),
}

impl Error {
    /// Which privilege was missing, where it failed for the lack of one.
    pub fn missing_capability(&self) -> Option<Capability> {
        match self {
            Self::Denied { capability, .. } => Some(*capability),
            Self::Host(error) => error.missing_capability(),
            Self::PortStays { source, .. } => source.missing_capability(),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(Capability::File),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.into_iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl From<vnet_host::Error> for Error {
    fn from(error: vnet_host::Error) -> Self {
        match error.missing_capability() {
            Some(capability) => Self::Denied { capability, source: Box::new(error) },
            None => Self::Host(Box::new(error)),
        }
    }
}

impl From<vnet_netlink::Error> for Error {
    fn from(error: vnet_netlink::Error) -> Self {
        vnet_host::Error::from(error).into()
    }
}

fn in_words(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let words = errors.map(|finding| format!("{} ({} at {})", finding.message, finding.code, finding.path));
    words.collect::<Vec<_>>().join("; ")
}
