//! What a namespace, or somebody in it, could not do.

use std::io;

use vnet_types::InterfaceName;

/// Something that could not be done in, or with, a namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused it.
    #[error("cannot {action}")]
    System {
        /// What was to be done.
        action: String,
        /// Why it was not.
        source: io::Error,
    },
    /// The kernel refused a change of links, addresses or routes.
    #[error(transparent)]
    Netlink(#[from] vnet_netlink::Error),
    /// A link that was made is not there any more.
    #[error("the link `{0}` is gone")]
    Gone(InterfaceName),
}

impl Error {
    /// What turns an I/O error into one of these; `action` completes "cannot …".
    pub fn doing<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::System { action, source: source.into() }
    }
}

/// So that [`Namespace::run`](crate::Namespace::run) serves what returns an I/O error.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}
