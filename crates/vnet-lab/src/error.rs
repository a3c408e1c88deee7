//! Errors of namespaces and of the programs in them.

use std::io;
use std::process::ExitStatus;

use vnet_types::InterfaceName;

/// Something could not be done in, or with, a namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused it.
    #[error("cannot {action}")]
    System {
        /// The action.
        action: String,
        /// The cause.
        source: io::Error,
    },
    /// The kernel refused a change of links, addresses or routes.
    #[error(transparent)]
    Netlink(#[from] vnet_netlink::Error),
    /// A program, or a file of its package, is not installed.
    #[error("`{file}` is not installed")]
    Missing {
        /// The program, or the file below `share`.
        file: String,
    },
    /// A program failed.
    #[error("`{line}` failed ({status}): {said}")]
    Failed {
        /// The program and its arguments.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
    /// A link that was created is gone.
    #[error("the link `{0}` is gone")]
    Gone(InterfaceName),
}

impl Error {
    /// Converts an I/O error; `action` completes "cannot …".
    pub fn doing<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::System { action, source: source.into() }
    }
}

/// Lets [`Namespace::run`](crate::Namespace::run) return I/O errors.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
