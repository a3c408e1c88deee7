//! What a server tells unasked.

use crate::values::NetworkRef;
use crate::xdr::{Xdr, XdrError};

/// An event, told once for each registration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RemoteEvent {
    /// A network was defined, undefined, started or stopped.
    Lifecycle {
        /// The registration.
        callback_id: i32,
        /// The network.
        network: NetworkRef,
        /// 0 defined, 1 undefined, 2 started, 3 stopped: a [`Lifecycle`].
        event: i32,
        /// Always 0.
        detail: i32,
    },
    /// The title, description or metadata of a network was changed.
    MetadataChange {
        /// The registration.
        callback_id: i32,
        /// The network.
        network: NetworkRef,
        /// 0 description, 1 title, 2 an element.
        kind: i32,
        /// The namespace of the element.
        uri: Option<String>,
    },
    /// The server closes the connection.
    ConnectionClosed {
        /// libvirt's number for the reason.
        reason: i32,
    },
}

/// What happened to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Its definition is kept, for the first time or anew.
    Defined = 0,
    /// Its definition is no longer kept.
    Undefined = 1,
    /// It runs.
    Started = 2,
    /// It no longer runs.
    Stopped = 3,
}

const LIFECYCLE: i32 = 315;
const CONNECTION_CLOSED: i32 = 362;
const METADATA_CHANGE: i32 = 446;

impl RemoteEvent {
    /// The number of its procedure.
    pub fn number(&self) -> i32 {
        match self {
            Self::Lifecycle { .. } => LIFECYCLE,
            Self::MetadataChange { .. } => METADATA_CHANGE,
            Self::ConnectionClosed { .. } => CONNECTION_CLOSED,
        }
    }

    /// The payload of its frame.
    pub fn to_payload(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Lifecycle { callback_id, network, event, detail } => {
                callback_id.encode(&mut bytes);
                network.encode(&mut bytes);
                event.encode(&mut bytes);
                detail.encode(&mut bytes);
            }
            Self::MetadataChange { callback_id, network, kind, uri } => {
                callback_id.encode(&mut bytes);
                network.encode(&mut bytes);
                kind.encode(&mut bytes);
                uri.encode(&mut bytes);
            }
            Self::ConnectionClosed { reason } => reason.encode(&mut bytes),
        }
        bytes
    }

    /// Reads the payload of a frame. `None` for a procedure that is no event of networks.
    ///
    /// # Errors
    /// [`XdrError`] when the payload does not begin with what the event tells.
    pub fn from_payload(procedure: i32, mut payload: &[u8]) -> Result<Option<Self>, XdrError> {
        let bytes = &mut payload;
        Ok(Some(match procedure {
            LIFECYCLE => Self::Lifecycle {
                callback_id: Xdr::decode(bytes)?,
                network: Xdr::decode(bytes)?,
                event: Xdr::decode(bytes)?,
                detail: Xdr::decode(bytes)?,
            },
            METADATA_CHANGE => Self::MetadataChange {
                callback_id: Xdr::decode(bytes)?,
                network: Xdr::decode(bytes)?,
                kind: Xdr::decode(bytes)?,
                uri: Xdr::decode(bytes)?,
            },
            CONNECTION_CLOSED => Self::ConnectionClosed { reason: Xdr::decode(bytes)? },
            _ => return Ok(None),
        }))
    }
}
