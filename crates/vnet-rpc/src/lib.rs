#![doc = include_str!("../README.md")]

mod error;
mod event;
mod frame;
mod procedure;
mod values;
mod xdr;

pub use error::{ErrorCode, ErrorDomain};
pub use event::{Lifecycle, RemoteEvent};
pub use frame::{
    FRAME_MAX, Frame, FrameHeader, HEADER_LENGTH, KEEPALIVE_PROGRAM, PING, PONG, PROGRAM_VERSION, REMOTE_PROGRAM,
    frame_length, message_type, status,
};
pub use procedure::{Call, CallAccess, Procedure, Reply};
pub use values::{GuestRef, NetworkRef, PortRef, RemoteError, RemoteLease, TypedParameter, TypedValue};
pub use vnet_types::Uuid;
pub use xdr::{ListElement, STRING_MAX, Xdr, XdrError};
