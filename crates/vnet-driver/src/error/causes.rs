//! What an error comes from, and what is to be read from that.

use std::fmt;
use std::io;

use vnet_netlink::Capability;

use super::Error;

impl Error {
    /// An error with all its causes.
    pub(crate) fn causes(error: &dyn std::error::Error) -> String {
        let texts = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
        texts.collect::<Vec<_>>().join(": ")
    }

    pub(crate) fn watch(error: impl Into<io::Error>) -> Self {
        Self::Watch(error.into())
    }

    /// This error, and the one of undoing what was done before it.
    pub(crate) fn undone<E: Into<Self>>(self, undone: Result<(), E>) -> Self {
        match undone {
            Ok(()) => self,
            Err(undo) => Self::NotUndone { undo: Box::new(undo.into()), source: Box::new(self) },
        }
    }

    /// Whether there is no such network or port on this host.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Host(error) if matches!(**error, vnet_host::Error::Absent(_)))
    }

    /// The privilege that was missing, if that is why it failed.
    pub fn missing_capability(&self) -> Option<Capability> {
        match self {
            Self::Denied { capability, .. } => Some(*capability),
            Self::Host(error) => error.missing_capability(),
            Self::PortStays { source, .. } | Self::OneOfSeveral { source, .. } | Self::NotUndone { source, .. } => {
                source.missing_capability()
            }
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(Capability::File),
            _ => None,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::causes(self))?;
        self.help().map_or(Ok(()), |help| write!(f, "; {help}"))
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

impl From<crate::OvnFailure> for Error {
    fn from(failure: crate::OvnFailure) -> Self {
        Self::Ovn(Box::new(failure))
    }
}

impl From<vnet_netlink::Error> for Error {
    fn from(error: vnet_netlink::Error) -> Self {
        vnet_host::Error::from(error).into()
    }
}
