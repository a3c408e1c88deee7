//! Errors of a trial.

mod help;

use std::fmt;
use std::io;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A definition has nothing that can be tried.
    #[error("{what}: there is nothing of its own to try")]
    Nothing {
        /// Its index among the given definitions.
        at: usize,
        /// The kind of the definition.
        what: String,
    },
    /// Two networks have the same name.
    #[error("two definitions are of network `{name}`")]
    SameName {
        /// The indexes of the two definitions.
        at: [usize; 2],
        /// The name.
        name: String,
    },
    /// Some are on OVN and others are not.
    #[error("networks on OVN are not tried together with others")]
    TwoEngines {
        /// The indexes of one that is on OVN, and of one that is not.
        at: [usize; 2],
    },
    /// The system refuses namespaces.
    #[error(transparent)]
    Unavailable(#[from] vnet_lab::Unavailable),
    /// The program did not call [`inside`](crate::inside) first.
    #[error("the program has to call `vnet_try::inside` first thing in its `main`")]
    NotInside,
    /// The inner process ended without an answer.
    #[error("the process inside ended without an answer: {0}")]
    Died(ExitStatus),
    /// An error of the inner process.
    #[error(transparent)]
    Inside(Failure),
    /// The driver's error about a network that is to be verified.
    #[error(transparent)]
    Driver(#[from] vnet_driver::Error),
    /// A network that runs could not be verified.
    #[error(transparent)]
    Unverified(Failure),
    /// The communication with the inner process failed.
    #[error("cannot speak to the process inside")]
    Pipe(#[from] io::Error),
}

/// An error of the inner process, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    text: String,
    cause: Option<Box<Failure>>,
    /// What to do about it, where no text says so.
    help: Option<String>,
}

impl Failure {
    pub(crate) fn of(error: &Failed) -> Self {
        Self { help: error.help(), ..Self::in_words(error) }
    }

    fn in_words(error: &(dyn std::error::Error + 'static)) -> Self {
        let cause = error.source().map(|cause| Box::new(Self::in_words(cause)));
        Self { text: error.to_string(), cause, help: None }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Driver(error) => Self::Driver(error),
            other => Self::Unverified(Failure::of(&other)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Errors inside the namespaces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Lab(#[from] vnet_lab::Error),
    #[error(transparent)]
    Netlink(#[from] vnet_netlink::Error),
    #[error(transparent)]
    Host(#[from] vnet_host::Error),
    #[error(transparent)]
    Driver(#[from] vnet_driver::Error),
    #[error(transparent)]
    Passt(#[from] vnet_passt::run::Error),
    #[error(transparent)]
    NotPasst(#[from] vnet_plan::NotPasst),
    #[error(transparent)]
    Attach(#[from] vnet_plan::AttachError),
    #[error("cannot ask over the network inside")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Other(String),
    #[error(
        "/proc/sys is read-only here, so a network cannot be started; in a container, start that with {}",
        vnet_lab::mounts::CONTAINER_OPTIONS
    )]
    ReadOnly,
    #[error(
        "no /proc of its own can be mounted here, as parts of this one are covered; in a container, start that with {}",
        vnet_lab::mounts::CONTAINER_OPTIONS
    )]
    OtherProcesses { source: Option<io::Error> },
    #[error("no tap can be made here: OVN is tried with Open vSwitch in userspace, which needs them")]
    NoTaps,
    #[error("mount(2) is refused here; in a container, start that with {}", vnet_lab::mounts::CONTAINER_OPTIONS)]
    Mount { source: vnet_lab::Error },
    #[error("{what}")]
    Doing { what: String, source: Box<Failed> },
}

impl Failed {
    /// An error of mounts, with the remedy where the system refuses them.
    pub(crate) fn of_mount(error: vnet_lab::Error) -> Self {
        match &error {
            vnet_lab::Error::System { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::Mount { source: error }
            }
            _ => error.into(),
        }
    }

    /// Adds to an error what was being done.
    pub(crate) fn doing<E: Into<Self>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Doing { what, source: Box::new(source.into()) }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Failed>;
